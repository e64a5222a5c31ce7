"""Call hooks in a way that lets them change nothing."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from partialbatch._core import logs
from partialbatch._core.copies import copied
from partialbatch._core.results import BatchResult, RecordResult
from partialbatch._core.validation import MOMENTS
from partialbatch._inspection import is_a
from partialbatch._unrun import check_value, holds_code
from partialbatch.errors import INTERRUPTS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

__all__ = ["HookCalls"]


class HookCalls:
    """The hooks of a handler. An exception of theirs is logged, and has no other effect."""

    def __init__(self, hooks: Sequence[Any]) -> None:
        """Sort hooks by the moments that they have a method for."""
        self._called: dict[str, list[Callable[..., Any]]] = {
            moment: [getattr(hook, moment) for hook in hooks if hasattr(hook, moment)] for moment in MOMENTS
        }

    def has(self, moment: str) -> bool:
        """Tell whether a hook has a method for a moment."""
        return bool(self._called[moment])

    def tell(self, moment: str, argument: Any, *more: Any) -> None:
        """Call all hooks that have a method for a moment, each with a list or a response of its own."""
        for method in self._called[moment]:
            try:
                own = argument if type(argument) is RecordResult else _own(argument)
                returned = method(own, *more)
                if returned is not None and holds_code(returned):
                    check_value(returned, f"the hook's {moment}", "make it a plain function")
            except INTERRUPTS:
                raise
            except BaseException as error:  # a `CancelledError` of the hook's own cancels nothing
                logs.hook_failed(moment, error)

    def around(self, record: Any) -> AbstractContextManager[None]:
        """Return a context manager that is open while a record runs."""
        return _Around(self._called["around_record"], record)


def _own(argument: Any) -> Any:
    """Return a copy of record views, or of a batch's result, that a hook may change: the batch goes on with its own."""
    if type(argument) is list:
        return list(argument)
    return BatchResult(argument.results, copied(argument.response))


class _Around(AbstractContextManager[None]):
    """The context managers of all hooks, entered in order and left in reverse."""

    def __init__(self, methods: list[Callable[..., Any]], record: Any) -> None:
        self._methods = methods
        self._record = record
        self._open: list[Any] = []

    def __enter__(self) -> None:
        for method in self._methods:
            try:
                manager = method(self._record)
                manager.__enter__()
                self._open.append(manager)
            except INTERRUPTS as error:
                self.__exit__(type(error), error, error.__traceback__)
                raise
            except BaseException as error:
                logs.hook_failed("around_record", error)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # Whatever a hook returns: a failure is a failure.
        interrupt: BaseException | None = None
        while self._open:
            try:
                self._open.pop().__exit__(kind, error, traceback)
            except BaseException as raised:  # as in `tell`; an interrupt waits until all are left
                # A generator's context manager gives the record's own error back.
                if raised is error:
                    continue
                if is_a(raised, INTERRUPTS):
                    interrupt = raised
                else:
                    logs.hook_failed("around_record", raised)
        if interrupt is not None:
            raise interrupt
