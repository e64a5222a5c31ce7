"""Resume: records behind a redelivered checkpoint that have succeeded before don't run again."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any

from partialbatch._core import logs
from partialbatch._core.outcome import reported
from partialbatch._core.stages._ledger_names import reader, stream
from partialbatch._core.stages.base import Stage
from partialbatch._inspection import kind_of
from partialbatch._unrun import check_value
from partialbatch.errors import INTERRUPTS
from partialbatch.types import ErrorPolicy

if TYPE_CHECKING:
    from collections.abc import Callable

    from partialbatch._core.batch import BatchState
    from partialbatch._core.options import Settings
    from partialbatch._core.runners.calling import Calling
    from partialbatch.types import BatchResponse, Ledger

__all__ = ["ResumeStage", "create"]


def create(settings: Settings) -> Stage:
    """Make the stage."""
    return ResumeStage(settings.resume)


class ResumeStage(Stage):
    """Reads the ledger before a batch, and writes it when the response is known. It remembers the entry's name.

    A tumbling window has no use for it: its records fold into one state.
    """

    def __init__(self, ledger: Any) -> None:
        self._ledger: Ledger = ledger
        self._reader = ""

    def decorated(self, function: Any, owner: object) -> None:
        """Take a name for the ledger's entries, unless there is one: handlers that share a ledger share no entry."""
        self._reader = self._reader or reader(function, self._ledger, owner)

    def policy(self, batch: BatchState, derived: ErrorPolicy) -> ErrorPolicy:
        """Never run past a failure inside a group, since successes behind it are not run again."""
        return ErrorPolicy.SKIP_GROUP

    async def begin(self, batch: BatchState, calling: Calling) -> None:
        """Mark the records that the ledger names as resumed."""
        if batch.window is None:
            await calling.call(self._mark_resumed, batch)

    async def end(self, batch: BatchState, response: BatchResponse | None, calling: Calling) -> None:
        """Remember the records that are done behind the new checkpoint."""
        if response is not None and response["batchItemFailures"] and self in batch.memory:
            await calling.call(self._remember, batch)

    def _mark_resumed(self, batch: BatchState) -> None:
        first = batch.identifiers[0]
        batch.memory[self] = entry = f"{stream(batch.records[0])}|{self._reader}"
        try:
            done = _names(self._ledger.done_behind(entry, first)) if isinstance(first, str) else ()
        except INTERRUPTS:
            raise
        except BaseException as error:  # a ledger of the user's own may raise: the batch runs as without it
            logs.ledger_unavailable("read", error)
            return
        for index, name in enumerate(batch.identifiers if done else ()):
            # The checkpoint itself was reported, whatever an entry says.
            if name in done and name != first:
                batch.resume(index)

    def _remember(self, batch: BatchState) -> None:
        """Keep the identifiers done behind the checkpoint: the lowest number reported, the first in event order."""
        indexes = reported(batch)
        names = [name if isinstance(name, str) else "" for name in batch.identifiers]
        checkpoint = names[indexes[0]]
        # A number that stands twice in a batch is done when both are.
        unsettled = {"", *(names[index] for index in indexes)}
        done = [name for name in names[indexes[0] + 1 :] if name not in unsettled]
        if checkpoint and done:
            remember: Callable[..., Any] = self._ledger.remember
            try:
                returned = remember(batch.memory[self], checkpoint, done)
                check_value(returned, "the ledger's remember()", "make it a plain function")
            except INTERRUPTS:
                raise
            except BaseException as error:  # the response must not depend on it
                logs.ledger_unavailable("written", error)


def _names(done: Any) -> frozenset[Any]:
    """Return the identifiers that a ledger gave.

    Raises:
        TypeError: It gave no set or list. In text, each part of an identifier would be found.
    """
    check_value(done, "the ledger's done_behind()", "make it a plain function")
    if isinstance(done, AbstractSet | list | tuple):
        return frozenset(done)
    raise TypeError(f"the ledger's done_behind() returned a value of type {kind_of(done)}, no set of identifiers")
