"""``partialbatch check``: what loses or repeats work in a deployment, and the line that mends it.

A reader an input (`aws`, `cloudformation`, `terraform`) makes the one model of a deployment (`model`); the rules
(`rules`, `queues`, `streams`) look at nothing else.
"""

from __future__ import annotations

from partialbatch.cli.check.command import check

__all__ = ["check"]
