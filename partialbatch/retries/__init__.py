"""What happens to records that failed: dead letters, later retries, and a ledger of what is done."""

from partialbatch._core.stages.dead_letters import discard
from partialbatch.retries._ledger import ResumeLedger

__all__ = ["ResumeLedger", "discard"]
