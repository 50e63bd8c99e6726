"""The smallest Typer app there is, with rich switched off like ours: what `--help` costs before we add anything."""

import typer

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def main() -> None:
    """Do nothing."""


if __name__ == "__main__":
    app()
