"""What FIFO queues and FIFO topics share: groups, deduplication, one message a group at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from partialbatch.errors import ConfigurationError, RecordError
from partialbatch.producers._base import Producer
from partialbatch.producers._buffer import Buffer, Lanes
from partialbatch.producers._message_attributes import check_token
from partialbatch.producers._options import one_of, text
from partialbatch.producers._session import group_name

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from partialbatch.producers._entry import Stats
    from partialbatch.producers._options import CommonOptions, Limits

__all__ = ["FifoProducer"]

_LONGEST_GROUP = 128


class FifoProducer(Producer):
    """A producer for something that is a FIFO where its name ends in ``.fifo``."""

    target: ClassVar[str]  # what it is called in errors

    def __init__(
        self,
        name: str,
        limits: Limits,
        options: CommonOptions,
        *,
        ordering: str,
        on_rejected_group: str,
        deduplicated: bool,
    ) -> None:
        text(self.target, name, "a non-empty str")
        one_of("ordering", ordering, ("strict", "batch"))
        one_of("on_rejected_group", on_rejected_group, ("send", "hold"))
        self._fifo = name.endswith(".fifo")
        self._strict = self._fifo and ordering == "strict"
        self._hold = on_rejected_group == "hold"
        self._deduplicated = deduplicated
        if self._hold and not self._strict:
            raise ConfigurationError(f"on_rejected_group='hold' needs a FIFO {self.target} and ordering='strict'")
        super().__init__(limits, options)

    def _order(self, wire: dict[str, Any], options: Mapping[str, Any]) -> None:
        """Fill in the group and the deduplication id, which is fixed here once."""
        group, token = options.get("message_group_id"), options.get("message_deduplication_id")
        if group is not None:
            wire["MessageGroupId"] = check_token(group, "message_group_id")
        elif self._fifo:
            raise RecordError("message_group_id", f"is missing, and this {self.target} is a FIFO")
        if token is not None:
            if not self._fifo:
                raise RecordError("message_deduplication_id", f"is for FIFOs, and this {self.target} is none")
            wire["MessageDeduplicationId"] = check_token(token, "message_deduplication_id")
        elif self._fifo and not self._deduplicated:
            # One draw a message: clones of a snapshot must not agree. With the id for
            # the case that the generator repeats itself.
            wire["MessageDeduplicationId"] = f"{int(self._settings.random() * 2**53):014x}-{wire['Id']}"

    def group_options(self, group: Hashable) -> Mapping[str, Any]:
        return {"message_group_id": group_name(group, _LONGEST_GROUP)} if self._fifo else {}

    def _buffer(self, stats: Stats, *, ordered: bool, lent: bool) -> Buffer:
        if self._strict:
            settings = self._settings
            return Lanes(settings.max_entries, settings.max_bytes, stats, "serialize", hold=self._hold)
        return super()._buffer(stats, ordered=ordered, lent=lent)

    def _serial(self, *, ordered: bool) -> bool:
        return self._fifo and not self._strict and not ordered
