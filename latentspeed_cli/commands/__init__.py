"""One module per verb, loaded when it is called: parse, call, show."""
