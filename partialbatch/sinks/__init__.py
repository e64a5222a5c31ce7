"""Where records and items go: dead letters, and `discard`."""

from partialbatch._core.stages.dead_letters import discard

__all__ = ["discard"]
