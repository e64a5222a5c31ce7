"""What all producers share: options, put, flush, the `with` block, and lent sessions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar, Self

from partialbatch.errors import ClosedError, DeliveryError, RecordError, listing
from partialbatch.producers._buffer import Buffer, Lanes
from partialbatch.producers._entry import Entry, Stats
from partialbatch.producers._options import CommonOptions, Limits, Settings
from partialbatch.producers._sender import Engine
from partialbatch.producers._session import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence
    from types import TracebackType

    from partialbatch.producers._responses import Faults
    from partialbatch.types import Unprocessed

__all__ = ["Producer"]

_NOTHING: dict[str, Any] = {}


class Producer(ABC):
    """Sends records in batches; a subclass says what a service's call looks like.

    Not for use by itself. A subclass sets `service`, gives its `Limits`, and has
    `entry`, `call` and `read`.

    Attributes:
        service: What boto3 calls the service.
        put_options: The options that `put`, or an `Item`, takes beside the record.
        item_options: What a session's `Unprocessed` tell beside the options that were given.
    """

    service: ClassVar[str]
    put_options: ClassVar[frozenset[str]] = frozenset()
    item_options: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, limits: Limits, options: CommonOptions) -> None:
        unknown = options.keys() - CommonOptions.__annotations__.keys()
        if unknown:
            raise TypeError(f"{type(self).__name__}() got unexpected keyword arguments: {listing(sorted(unknown))}")
        self._settings = Settings.checked(limits, options)
        self._serializer = options.get("serializer")
        # Ids, unique in a producer and its sessions; one C call, 30 ns.
        self._next = count().__next__
        client = options.get("client")
        self._client = make_client(self.service, self._settings.workers) if client is None else client
        self._engine = self._make_engine(ordered=False, lent=False, seconds_left=None)
        self._unsent: list[Unprocessed] = []

    @property
    def client(self) -> Any:
        """The boto3 client."""
        return self._client

    @property
    def stats(self) -> Stats:
        """What was done so far; sessions count for themselves."""
        return self._engine.stats

    @property
    def unsent(self) -> list[Unprocessed]:
        """What was held when the body of a `with` block raised, or `close` was interrupted."""
        return self._unsent

    def flush(self, seconds: float | Callable[[], float] | None = None) -> list[Unprocessed]:
        """Send what is held, and return what was not accepted; each entry once.

        Args:
            seconds: A time limit, or a callable that gives the seconds left; None: no limit.

        Raises:
            ClosedError: The producer is closed.
        """
        return self._engine.flush(seconds)

    def close(self) -> None:
        """Send what is held, and take nothing more; a second call does nothing.

        Raises:
            DeliveryError: With all that was not accepted and that no flush has returned.
            ClosedError: The producer is closed, and there is something in `unsent`.
        """
        if self._engine.is_closed and not self._unsent:
            return
        try:
            unprocessed = self.flush()
        except BaseException:
            self._interrupt()
            raise
        self._engine.close(type(self).__name__)
        if unprocessed:
            raise DeliveryError(unprocessed)

    def open(self, *, ordered: bool = False, seconds_left: Callable[[], float] | None = None) -> Session:
        """Lend a session: the client and the options are shared, the buffer is its own.

        Args:
            ordered: Whether items of one group must arrive in order (of one key, in DynamoDB).
            seconds_left: Gives the seconds left for sending; None: no limit.

        Raises:
            ClosedError: The producer is closed.
        """
        if self._engine.is_closed:
            raise ClosedError(type(self).__name__)
        engine = self._make_engine(ordered=ordered, lent=True, seconds_left=seconds_left)
        return Session(self, engine, ordered=ordered)

    def __enter__(self) -> Self:
        """Return the producer."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Send what is held; after a body that raised, keep it in `unsent` instead."""
        if kind is None:
            self.close()
        else:
            self._interrupt()

    def _interrupt(self) -> None:
        self._engine.close(type(self).__name__)
        # Added: a close() in the block, and then leaving it, both come here.
        self._unsent += self._engine.unsent()

    def _make_engine(self, *, ordered: bool, lent: bool, seconds_left: Callable[[], float] | None) -> Engine:
        stats = Stats()
        return Engine(
            self,
            self._settings,
            self._buffer(stats, ordered=ordered, lent=lent),
            stats,
            serial=self._serial(ordered=ordered),
            seconds_left=seconds_left,
        )

    def _buffer(self, stats: Stats, *, ordered: bool, lent: bool) -> Buffer:
        """Make what records wait in: of the producer itself, or of a session that is lent."""
        settings = self._settings
        if ordered:
            return Lanes(settings.max_entries, settings.max_bytes, stats, "serialize")
        return Buffer(settings.max_entries, settings.max_bytes)

    def _serial(self, *, ordered: bool) -> bool:
        """Tell whether only one call at a time may be made."""
        return False

    def _check(self, options: Mapping[str, Any]) -> None:
        unknown = options.keys() - self.put_options
        if unknown:
            known = listing(sorted(self.put_options)) or "no options"
            raise RecordError(listing(sorted(unknown)), f"is unknown: {type(self).__name__}.put takes {known}")

    def group_options(self, group: Hashable) -> Mapping[str, Any]:
        """Return the put options that a session's group stands for, where a service has such."""
        return _NOTHING

    @abstractmethod
    def entry(self, record: Any, options: Mapping[str, Any]) -> Entry:
        """Check and serialise a record."""

    @abstractmethod
    def call(self, entries: Sequence[Entry]) -> Any:
        """Make one call."""

    @abstractmethod
    def read(self, answer: Any, entries: Sequence[Entry], stats: Stats) -> Faults:
        """Tell from the answer what was not accepted."""

    def measure(self, entries: Sequence[Entry]) -> int:
        """Return the bytes of some entries."""
        return sum([entry.size for entry in entries])

    def weigh(self, entries: Sequence[Entry]) -> float:
        """Return the load of some entries."""
        return len(entries)


def make_client(service: str, workers: int) -> Any:
    """Make a client whose retries are left to the producer, which knows the deadline."""
    import boto3  # 100 ms that only a client made here needs
    from botocore.config import Config

    config = Config(retries={"total_max_attempts": 1, "mode": "standard"}, max_pool_connections=max(10, workers))
    return boto3.client(service, config=config)  # type: ignore[call-overload] # the service is a variable
