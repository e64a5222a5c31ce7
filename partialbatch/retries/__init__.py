"""Values for the options ``resume=`` and ``dead_letter=``.

>>> from partialbatch import batch_handler
>>> from partialbatch.retries import ResumeLedger, discard
>>> handler = batch_handler(print, resume=ResumeLedger.in_memory(), permanent=ValueError, dead_letter=discard)
"""

from partialbatch._discard import discard
from partialbatch.retries._ledger import ResumeLedger

__all__ = ["ResumeLedger", "discard"]
