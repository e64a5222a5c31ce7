"""Values for options about records that failed: dead letters, and a ledger of the records that are done."""

from partialbatch._discard import discard
from partialbatch.retries._ledger import ResumeLedger

__all__ = ["ResumeLedger", "discard"]
