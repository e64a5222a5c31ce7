"""The optional features of a handler, each a stage of its calls, and the order in which they are called."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from partialbatch._core.stages.base import Stages

if TYPE_CHECKING:
    from partialbatch._core.options import Settings
    from partialbatch._core.stages.base import Stage

__all__ = ["ORDER", "build"]

ORDER = (
    # Option, and the module of its stage. A stage's module is loaded only if the option is set.
    ("sink", "sink"),  # before dead_letter: an item that is refused for good makes its record a dead letter
    ("dead_letter", "dead_letter"),  # before anything that counts or remembers: it turns failures into ends
    ("sink", "bulk_sink"),  # finishes before those that act on statuses: it takes successes back
    ("resume", "resume"),  # knows by now which records are really done
    ("retry_delay", "retry_delay"),  # finishes when all failures are known
    ("hooks", "hooks"),  # begins last, and is told of a batch that is ready; ends before window_end may raise
    ("window_end", "window_end"),  # last: it is the user's code, and may replace the response by an exception
)
"""The stages, in the one order in which every moment calls them."""


def build(settings: Settings) -> Stages:
    """Make the stages whose options are set."""
    made: list[Stage] = []
    for option, module in ORDER:
        given = getattr(settings, option)
        if given is not None and (type(given) is not tuple or given):
            stage: Stage | None = import_module(f"{__name__}.{module}").create(settings)
            if stage is not None:
                made.append(stage)
    return Stages(made)
