"""Reasons for which records were not started, as errors and log lines show them."""

from __future__ import annotations

__all__ = ["DEADLINE", "ENDING", "GROUP_FAILED", "STOPPED", "UNKNOWN_GROUP"]

DEADLINE = "too little time was left before the function's timeout (deadline_margin)"
ENDING = "the invocation is ending"
GROUP_FAILED = "a record of its group failed before it (error_policy 'skip_group')"
STOPPED = "a record before it failed (error_policy 'stop')"
UNKNOWN_GROUP = "the group of a record before it is unknown"
