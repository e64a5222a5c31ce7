"""What happens to records that failed: dead letters, later retries, and a ledger of what is done."""

from partialbatch.retries.ledger import ResumeLedger
from partialbatch.retries.letters import discard

__all__ = ["ResumeLedger", "discard"]
