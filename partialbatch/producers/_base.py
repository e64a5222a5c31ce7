"""The base class of all producers: common options, ``put``, ``flush``, the ``with`` statement, and sessions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar, Self

from partialbatch.errors import ClosedError, DeliveryError, RecordError, listing
from partialbatch.producers._buffer import Buffer, KeyedBuffer
from partialbatch.producers._entry import Entry, Stats
from partialbatch.producers._options import CommonOptions, Limits, Settings
from partialbatch.producers._sender import Sender
from partialbatch.producers._session import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence
    from types import TracebackType

    from partialbatch.producers._responses import Failures
    from partialbatch.types import Unprocessed

__all__ = ["Producer"]

_NOTHING: dict[str, Any] = {}


class Producer(ABC):
    """Sends records in batches. Each subclass knows the call of one AWS service.

    A subclass sets `service`, passes its `Limits`, and implements `entry`, `call` and `read`.

    Attributes:
        service: The service's name in boto3.
        put_options: The names of the options that `put`, or an `Item`, takes beside the record.
        item_options: Default options that a session adds to `Unprocessed.options`.
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
        # Ids, unique in a producer and its sessions. One call into C, 30 ns.
        self._next = count().__next__
        client = options.get("client")
        self._client = make_client(self.service, self._settings.workers) if client is None else client
        self._sender = self._make_sender(ordered=False, for_session=False, seconds_left=None)
        self._unsent: list[Unprocessed] = []

    @property
    def client(self) -> Any:
        """The boto3 client."""
        return self._client

    @property
    def stats(self) -> Stats:
        """The counts of this producer. Each session has its own."""
        return self._sender.stats

    @property
    def unsent(self) -> list[Unprocessed]:
        """Records that were held when the body of a ``with`` statement raised, or ``close`` was interrupted."""
        return self._unsent

    def flush(self, seconds: float | Callable[[], float] | None = None) -> list[Unprocessed]:
        """Send all held records, and return those that were not accepted, each one once.

        Args:
            seconds: A time limit in seconds, or a callable that returns the seconds left. Default: no limit.

        Raises:
            ClosedError: The producer is closed.
        """
        return self._sender.flush(seconds)

    def close(self) -> None:
        """Send all held records, and take no more. A second call does nothing.

        Raises:
            DeliveryError: Records were not accepted, and no flush has returned them.
            ClosedError: The producer is closed already, and has records in `unsent`.
        """
        if self._sender.is_closed and not self._unsent:
            return
        try:
            unprocessed = self.flush()
        except BaseException:
            self._interrupt()
            raise
        self._sender.close(type(self).__name__)
        if unprocessed:
            raise DeliveryError(unprocessed)

    def open(self, *, ordered: bool = False, seconds_left: Callable[[], float] | None = None) -> Session:
        """Start a session, which shares the client and the options, and has its own buffer.

        Args:
            ordered: Whether items of one group (with DynamoDB: of one key) must arrive in order.
            seconds_left: A callable that returns the seconds left for sending. Default: no limit.

        Raises:
            ClosedError: The producer is closed.
        """
        if self._sender.is_closed:
            raise ClosedError(type(self).__name__)
        sender = self._make_sender(ordered=ordered, for_session=True, seconds_left=seconds_left)
        return Session(self, sender, ordered=ordered)

    def __enter__(self) -> Self:
        """Return the producer."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the producer. If the body raised, send nothing more, and keep the held records in `unsent`."""
        if kind is None:
            self.close()
        else:
            self._interrupt()

    def _interrupt(self) -> None:
        self._sender.close(type(self).__name__)
        # Added to the list: a close() in the body, and then the end of the body, both come here.
        self._unsent += self._sender.unsent()

    def _make_sender(self, *, ordered: bool, for_session: bool, seconds_left: Callable[[], float] | None) -> Sender:
        stats = Stats()
        return Sender(
            self,
            self._settings,
            self._make_buffer(stats, ordered=ordered, for_session=for_session),
            stats,
            one_call_at_a_time=self._one_call_at_a_time(ordered=ordered),
            seconds_left=seconds_left,
        )

    def _make_buffer(self, stats: Stats, *, ordered: bool, for_session: bool) -> Buffer:
        """Create the buffer of the producer itself or of a session."""
        settings = self._settings
        if ordered:
            return KeyedBuffer(settings.max_entries, settings.max_bytes, stats, "serialize")
        return Buffer(settings.max_entries, settings.max_bytes)

    def _one_call_at_a_time(self, *, ordered: bool) -> bool:
        """Tell whether a call must wait for the one before it."""
        return False

    def _check_put_options(self, options: Mapping[str, Any]) -> None:
        unknown = options.keys() - self.put_options
        if unknown:
            known = listing(sorted(self.put_options)) or "no options"
            raise RecordError(listing(sorted(unknown)), f"unknown option; {type(self).__name__}.put takes {known}")

    def group_options(self, group: Hashable) -> Mapping[str, Any]:
        """Return the put options that a session's group stands for."""
        return _NOTHING

    @abstractmethod
    def entry(self, record: Any, options: Mapping[str, Any]) -> Entry:
        """Check and serialize a record."""

    @abstractmethod
    def call(self, entries: Sequence[Entry]) -> Any:
        """Make one call, and return its response."""

    @abstractmethod
    def read(self, response: Any, entries: Sequence[Entry], stats: Stats) -> Failures:
        """Find the failed entries in a response."""

    def size_of(self, entries: Sequence[Entry]) -> int:
        """Return the bytes of some entries."""
        return sum([entry.size for entry in entries])

    def load(self, entries: Sequence[Entry]) -> float:
        """Return the load of some entries."""
        return len(entries)


def make_client(service: str, workers: int) -> Any:
    """Create a client without retries of its own: the producer retries, since it knows the deadline."""
    import boto3  # takes 100 ms, and nothing else needs it
    from botocore.config import Config

    make: Any = boto3.client  # its stubs have an overload for each service's name
    config = Config(retries={"total_max_attempts": 1, "mode": "standard"}, max_pool_connections=max(10, workers))
    return make(service, config=config)
