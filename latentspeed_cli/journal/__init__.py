"""The journal: what was going to be sent, and all that was heard about it, on disk before anything else happens.

facts.py says what a fact is, and what an order becomes by it; store.py owns the file; tables.py keeps what can be
computed from the facts; reader.py asks; journal.py writes; inspector.py looks at a journal from outside. Only the
composition root imports this package: it loads SQLite.
"""

from .facts import Fact
from .inspector import Inspector
from .journal import Journal

__all__ = ["Fact", "Inspector", "Journal"]
