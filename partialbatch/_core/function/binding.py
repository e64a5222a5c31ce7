"""Call the record function with arguments that are made from a raw record."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from partialbatch._core.copies import copied
from partialbatch._unrun import check_value, is_awaitable
from partialbatch.errors import EventError

if TYPE_CHECKING:
    from collections.abc import Callable

    from partialbatch._core.function.signature import Plan
    from partialbatch.types import EventSource, RawRecord

__all__ = ["Window", "bind"]


class Window:
    """The state of a tumbling window, which is the value that the last successful record function returned.

    https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-windows.html

    Attributes:
        state: The state for the response.
        final: Whether this is the window's last invocation.
    """

    __slots__ = ("_next", "final", "state")

    def __init__(self, event: dict[str, Any]) -> None:
        self.state: Any = event.get("state")
        self._next = self.state
        self.final = bool(event.get("isFinalInvokeForWindow"))

    def lend(self) -> Any:
        """Return a copy of the state, because changes of a record that fails must not get into the response."""
        return copied(self.state)

    def take(self, state: Any) -> Any:
        """Copy the state that a record function returned, and return the state itself.

        The function may keep the state and change it later, for a record that fails. The copy becomes the window's
        state once the record has succeeded; see `advance`.

        Raises:
            TypeError: The function's code has not run, or its state can't be copied.
        """
        check_value(state)
        self._next = copied(state)
        return state

    def advance(self) -> None:
        """Make the copy that was taken last the window's state."""
        self.state = self._next


def bind(
    function: Callable[..., Any], plan: Plan, source: EventSource, context: Any, window: Window | None
) -> Callable[[RawRecord], Any]:
    """Return a function of a raw record that calls the record function.

    Raises:
        EventError: The record function has a ``state`` parameter, and there is no window.
    """
    if plan.takes_state and window is None:
        raise EventError(
            "the record function has a 'state' parameter, and the event isn't from a tumbling window; set "
            "TumblingWindowInSeconds on the event source mapping (Kinesis, DynamoDB Streams), or remove the parameter"
        )
    if plan.awaits:
        function = _collected(function)
    if not plan.takes_extras:
        # Without a view if the function doesn't take it: a view is half the cost of a record.
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
    """Return a function that calls the record function, and hands the state that it returns to the window."""
    if not plan.awaits:
        return lambda raw: window.take(invoke(raw))

    async def fold(raw: RawRecord) -> Any:
        state = invoke(raw)
        return window.take(await state if is_awaitable(state) else state)

    return fold


def _filled(
    function: Callable[..., Any], plan: Plan, source: EventSource, context: Any, window: Window | None
) -> Callable[[RawRecord], Any]:
    """Return a function of a raw record that fills all arguments of the record function."""
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
    """Return a function of a raw record that calls the record function with its view."""
    # A source may know a faster way, beside its protocol.
    calling: Callable[..., Callable[[RawRecord], Any]] | None = getattr(source, "calling", None)
    if calling is not None:
        return calling(function)
    view = source.view
    return lambda raw: function(view(raw))


def _constant(value: Any) -> Callable[[Any], Any]:
    return lambda _: value


def _collected(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return an async generator function as one that returns a list. Other functions stay as they are."""
    if not any(map(inspect.isasyncgenfunction, (function, type(function).__call__))):
        return function

    async def collect(*arguments: Any, **keywords: Any) -> list[Any]:
        return [item async for item in function(*arguments, **keywords)]

    return collect
