"""A deterministic simulator: the product's own code, on virtual time, against the local exchange's venue models.

One seed is one world: processes on one journal, a network and a venue that misbehave, a disk that may fail. `run_seed`
plays it and says which of the invariants of the product did not hold. docs/simulator.md says how to use it.
"""
