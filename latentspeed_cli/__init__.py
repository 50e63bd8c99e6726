"""latentspeed: one command line for several venues."""

import gc
import os

__version__ = "0.1.0"

COMPLETION_VARIABLE = "_LATENTSPEED_COMPLETE"
if COMPLETION_VARIABLE in os.environ:
    # A person waits, the process ends in a moment, and little of what it imports from here on is garbage.
    gc.disable()
