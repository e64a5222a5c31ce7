"""Calling the record function: its arguments, made from a raw record."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from partialbatch._core.copies import copied
from partialbatch._core.unrun import check_value, is_awaitable
from partialbatch.errors import EventError

if TYPE_CHECKING:
    from collections.abc import Callable

    from partialbatch._core.function.signature import Plan
    from partialbatch.types import EventSource, RawRecord

__all__ = ["Window", "bind"]


class Window:
    """The state of a tumbling window: what the last record function that succeeded returned.

    https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-windows.html

    Attributes:
        state: What goes into the response.
        final: Whether this is the window's last invocation.
    """

    __slots__ = ("_next", "final", "state")

    def __init__(self, event: dict[str, Any]) -> None:
        self.state: Any = event.get("state")
        self._next: Any = None
        self.final = bool(event.get("isFinalInvokeForWindow"))

    def lend(self) -> Any:
        """Return a copy of the state: what a record changes in place before it fails must not get into the response."""
        return copied(self.state)

    def take(self, state: Any) -> Any:
        """Copy the state that a record function returned, and return the state itself.

        What the function keeps a hold of may change later, for a record that then fails. The copy counts as soon
        as the record has succeeded, see `advance`.

        Raises:
            TypeError: The function's code has not run, or its state cannot be copied.
        """
        check_value(state)
        self._next = copied(state)
        return state

    def advance(self, _: Any) -> None:
        """Make the state that was taken last the window's."""
        self.state = self._next


def bind(
    function: Callable[..., Any], plan: Plan, source: EventSource, context: Any, window: Window | None
) -> Callable[[RawRecord], Any]:
    """Return what calls a record function for a raw record.

    Raises:
        EventError: The function wants a window's state, and there is no window.
    """
    if plan.takes_state and window is None:
        raise EventError(
            "the record function has a 'state' parameter, and the event isn't from a tumbling window; set "
            "TumblingWindowInSeconds on the event source mapping (Kinesis, DynamoDB Streams), or remove the parameter"
        )
    if plan.awaits:
        function = _collected(function)
    if not plan.takes_extras:
        # Without a view where none is asked for: it would be half the cost of a record.
        kind = plan.first.kind
        if kind == "raw":
            return function
        if kind == "view":
            return _with_view(function, source)
        if kind == "payload":
            payload, decode = source.payload, plan.first.decode
            return lambda raw: function(decode(payload(raw)))
    invoke = _filled(function, plan, source, context, window)
    return _folding(invoke, window, plan) if window is not None and plan.takes_state else invoke


def _folding(invoke: Callable[[RawRecord], Any], window: Window, plan: Plan) -> Callable[[RawRecord], Any]:
    """Return what calls a record function, and has the window take the state that it returns."""
    if not plan.awaits:
        return lambda raw: window.take(invoke(raw))

    async def fold(raw: RawRecord) -> Any:
        state = invoke(raw)
        return window.take(await state if is_awaitable(state) else state)

    return fold


def _filled(
    function: Callable[..., Any], plan: Plan, source: EventSource, context: Any, window: Window | None
) -> Callable[[RawRecord], Any]:
    """Return what calls a function with all that it asks for, by the view of a raw record."""
    view, first = source.view, plan.first.make
    fill: dict[str, Callable[[Any], Any]] = {
        "record": lambda record: record,
        "context": lambda _: context,
        "lambda_context": lambda _: context,
        "state": lambda _: window.lend() if window is not None else None,
    }
    positional = [fill[name] if name else _constant(default) for name, default in plan.positional]
    keywords = {name: fill[name] for name in plan.keywords}

    def invoke(raw: RawRecord) -> Any:
        record = view(raw)
        return function(
            first(record),
            *[argument(record) for argument in positional],
            **{name: argument(record) for name, argument in keywords.items()},
        )

    return invoke


def _with_view(function: Callable[..., Any], source: EventSource) -> Callable[[RawRecord], Any]:
    """Return what calls a function with the view of a raw record."""
    calling = getattr(source, "calling", None)  # where calls are many and short, the source knows a faster way
    if calling is not None:
        return calling(function)  # type: ignore[no-any-return]  # no part of the protocol
    view = source.view
    return lambda raw: function(view(raw))


def _constant(value: Any) -> Callable[[Any], Any]:
    return lambda _: value


def _collected(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let an async generator function return what it yields, as a list; others stay as they are."""
    call = getattr(type(function), "__call__", None)  # noqa: B004 - its kind is asked for, not whether it exists
    if not (inspect.isasyncgenfunction(function) or inspect.isasyncgenfunction(call)):
        return function

    async def collect(*arguments: Any, **keywords: Any) -> list[Any]:
        return [item async for item in function(*arguments, **keywords)]

    return collect
