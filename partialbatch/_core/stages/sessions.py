"""What records give away before they have ended: the items of a sink, and dead letters."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping, MappingView
from collections.abc import Set as AbstractSet
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

from partialbatch._core import logs
from partialbatch._core.stages.dead_letters import letter
from partialbatch._core.unrun import check_value, is_awaitable
from partialbatch._inspection import is_a, kind_of, leaves
from partialbatch.errors import INTERRUPTS, DeliveryError, RecordError, Reject, RetryAfter

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Sequence
    from typing import Protocol

    from partialbatch.types import SinkSession

    class Records(Protocol):
        """What is needed of a run."""

        @property
        def source(self) -> str: ...
        @property
        def delivered(self) -> Sequence[Any]: ...
        @property
        def identifiers(self) -> Sequence[Any]: ...
        @property
        def groups(self) -> Sequence[Hashable]: ...


__all__ = ["Deliveries", "items_of"]

_ONE = frozenset((dict, str, bytes))  # asking the abstract classes below takes 0.5 µs
_PLAIN = "make it a plain function"
_MANY = (list, tuple, AbstractSet, deque, MappingView)


class Deliveries:
    """The sessions of one call. A record that gave something away waits until it was accepted.

    Attributes:
        takes_values: Whether what record functions return goes to a sink.
    """

    def __init__(
        self,
        run: Records,
        sink: Callable[[], SinkSession] | None,
        letters: Callable[[], SinkSession] | None,
        permanent: tuple[type[BaseException], ...],
        arn: str | None = None,
    ) -> None:
        """Take what opens the sessions; each is opened for the first item.

        Args:
            run: The records.
            sink: Where values go; None: nowhere.
            letters: Where dead letters go; None: no error is permanent.
            permanent: The exceptions that no retry cures, beside `Reject`.
            arn: The source's, for letters of records that do not name it.
        """
        self.takes_values = sink is not None
        self._run = run
        self._sink = _Box(sink) if sink is not None else None
        self._letters = _Box(letters) if letters is not None else None
        # Who takes what was not accepted as permanent means, all the more, what never can be.
        more = (Reject, RecordError) if DeliveryError in permanent else (Reject,)
        self._permanent = (*permanent, *more)
        self._arn = arn

    def put(self, index: int, value: Any) -> bool:
        """Deliver what a record function returned.

        Returns:
            Whether the record waits for it: not if there is nothing to deliver.

        Raises:
            ValueError: An item that can never be sent.
        """
        items = items_of(value)
        if self._sink is None or not items:
            return False
        groups = self._run.groups
        self._sink.put(index, items, groups[index] if groups else None)
        return True

    def is_permanent(self, error: BaseException) -> bool:
        """Tell whether an error sends its record to the dead letter.

        `RetryAfter` asks for the contrary, and items that were not accepted for lack of time or capacity
        may be next time, whatever exception types were named. A group is permanent if all that it holds is.
        """
        if self._letters is None:
            return False
        try:
            return all(self._is_permanent(leaf) for leaf in leaves(error))
        except INTERRUPTS:
            raise
        except BaseException:  # of the type's own metaclass, say: in doubt the record comes back
            return False

    def _is_permanent(self, error: Any) -> bool:
        if is_a(error, RetryAfter):
            return False
        if is_a(error, DeliveryError) and not any(
            getattr(entry, "reason", None) == "rejected" for entry in error.unprocessed
        ):
            return False
        return isinstance(error, self._permanent)

    def bury(self, index: int, error: BaseException) -> bool:
        """Deliver a record's dead letter, if its error is permanent.

        Returns:
            Whether the record waits for it: not if a retry may cure the error, or the dead letter was refused.
        """
        if self._letters is None or not self.is_permanent(error):
            return False
        run, identifier = self._run, self._run.identifiers[index]
        group = run.groups[index] if run.groups else None
        if group is None and isinstance(identifier, str):
            group = identifier  # stands alone; FIFO queues and streams want a name
        try:
            raw = run.delivered[index]
            if isinstance(raw, Exception):
                raise raw  # why there is no copy: what would be put aside might not be what was delivered
            self._letters.put(index, (letter(raw, error, identifier, self._arn),), group)
        except INTERRUPTS:
            raise
        except BaseException as refusal:  # whatever the sink raises, the record fails
            logs.dead_letter_refused(run, index, refusal)
            return False
        return True

    def settle(
        self, waiting: Collection[int], doomed: Mapping[int, BaseException]
    ) -> tuple[dict[int, BaseException], dict[int, BaseException]]:
        """Send all that is held.

        Args:
            waiting: The records that wait for their items.
            doomed: The records that wait for their dead letters, and their errors.

        Returns:
            Those that fail, and those that are dead letters; with their errors.
        """
        buried = dict(doomed)
        refused: dict[int, BaseException] = {}
        if self._sink is not None and waiting:
            for index, error in self._sink.flush().items():
                if index in waiting:
                    # What the sink can never take is at fault itself.
                    (buried if self.bury(index, error) else refused)[index] = error
        if self._letters is not None and buried:
            for index, refusal in self._letters.flush().items():
                if index in buried:
                    refused[index] = buried.pop(index)
                    logs.dead_letter_refused(self._run, index, refusal)
        return refused, buried

    def close(self) -> None:
        """End the sessions: what they still hold, of records that failed, is not sent."""
        try:
            if self._sink is not None:
                self._sink.close()
        finally:
            if self._letters is not None:
                self._letters.close()


class _Box:
    """A session, and which records its items belong to; workers put from several threads."""

    def __init__(self, open_: Callable[[], SinkSession]) -> None:
        self._open = open_
        self._session: SinkSession | None = None
        self._lock = threading.Lock()
        # Kept until they are accepted, so that no identity is used again.
        self._held: list[tuple[int, Collection[Any]]] = []

    def put(self, index: int, items: Collection[Any], group: Hashable) -> None:
        with self._lock:
            session = self._session
            if session is None:
                session = self._session = _plain(self._open())
            # Items are known by identity, and a dict's view of pairs makes them anew each time.
            items = tuple(items)
            # Noted first: a session that raises may have taken an item all the same.
            self._held.append((index, items))
            put: Callable[..., Any] = session.put
            for item in items:
                check_value(put(item, group=group), "the sink's put()", _PLAIN)

    def flush(self) -> dict[int, BaseException]:
        """Return the records of which something was not accepted, and why."""
        with self._lock:
            held, self._held = self._held, []
            try:
                return _refused(self._session.flush(), held) if self._session is not None else {}
            except INTERRUPTS:
                raise
            except BaseException as error:
                # Whether anything was accepted is unknown, or what the session says is not understood.
                return dict.fromkeys((index for index, _ in held), error)

    def close(self) -> None:
        """End the session; one that cannot be ended is logged, for what was accepted was accepted."""
        try:
            close = getattr(self._session, "close", None)
            if callable(close):
                check_value(close(), "the sink's close()", _PLAIN)
        except INTERRUPTS:
            raise
        except BaseException as error:
            logs.sink_not_closed(error)


def _plain(session: SinkSession) -> SinkSession:
    """Return a session, unless it is async: items that nobody awaits are lost, and would pass for accepted.

    Raises:
        TypeError: It has an async method.
    """
    check_value(session, "the sink's open()", _PLAIN)
    for name in ("put", "flush"):
        if iscoroutinefunction(getattr(session, name)):
            raise TypeError(f"the session of the sink has an async {name}(), that nobody awaits: make it a plain one")
    return session


def _refused(unprocessed: Any, held: Sequence[tuple[int, Collection[Any]]]) -> dict[int, BaseException]:
    if unprocessed is None:
        raise TypeError("the sink's flush() returned None: return what was not accepted, an empty list if all was")
    # An asyncio future can be iterated over, and one that is done gives nothing, whatever its result.
    if isinstance(unprocessed, str | bytes | Mapping) or is_awaitable(unprocessed):
        check_value(unprocessed, "the sink's flush()", _PLAIN)
        raise TypeError(f"the sink's flush() returned a value of type {kind_of(unprocessed)}, no list")
    try:
        entries = list(unprocessed)  # a generator runs here
    except TypeError:
        check_value(unprocessed, "the sink's flush()", _PLAIN)
        raise
    if not entries:
        return {}
    check_value(entries, "the sink's flush()", _PLAIN)
    owners: dict[int, set[int]] = {}  # by identity
    for index, items in held:
        for item in items:
            owners.setdefault(id(item), set()).add(index)
    everyone = {index for index, _ in held}
    refused: dict[int, list[Any]] = {}
    for entry in entries:
        # Something that was never put here puts all of it in doubt.
        for index in owners.get(id(entry.record), everyone):
            refused.setdefault(index, []).append(entry)
    return {index: DeliveryError(its, "items of the record") for index, its in refused.items()}


def items_of(value: Any) -> Collection[Any]:
    """Return the items of what a record function returned: one, or those of a list, tuple, set, deque or view."""
    if type(value) in _ONE:
        return (value,)
    many = isinstance(value, _MANY) and not hasattr(value, "_fields")
    # Models, mappings and texts can be iterated as well, and are one item each.
    return value if many else (value,)
