"""FIFO queues and FIFO topics: message groups, deduplication ids, and the order of each group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from partialbatch.errors import ConfigurationError, RecordError
from partialbatch.producers._base import Producer
from partialbatch.producers._buffer import Buffer, KeyedBuffer
from partialbatch.producers._message_attributes import check_token
from partialbatch.producers._options import check_choice, check_name
from partialbatch.producers._session import group_name

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from partialbatch.producers._entry import Stats
    from partialbatch.producers._options import CommonOptions, Limits

__all__ = ["FifoProducer", "OnRejectedGroup", "Ordering"]

Ordering = Literal["strict", "batch"]
OnRejectedGroup = Literal["send", "hold"]

_LONGEST_GROUP = 128


class FifoProducer(Producer):
    """The base class of producers whose target is a FIFO if its name ends in ``.fifo``.

    Attributes:
        target: The name of the target's option, for errors.
    """

    target: ClassVar[str]

    def __init__(
        self,
        name: str,
        limits: Limits,
        options: CommonOptions,
        *,
        ordering: Ordering,
        on_rejected_group: OnRejectedGroup,
        content_based_deduplication: bool,
    ) -> None:
        check_name(self.target, name, "a non-empty str")
        check_choice("ordering", ordering, Ordering)
        check_choice("on_rejected_group", on_rejected_group, OnRejectedGroup)
        self._fifo = name.endswith(".fifo")
        self._strict = self._fifo and ordering == "strict"
        self._blocks = on_rejected_group == "hold"
        self._content_based = content_based_deduplication
        if self._blocks and not self._strict:
            raise ConfigurationError(
                f"on_rejected_group='hold' needs ordering='strict' and a FIFO: a {self.target} that ends in .fifo"
            )
        super().__init__(limits, options)

    def _add_fifo_options(self, wire: dict[str, Any], options: Mapping[str, Any]) -> None:
        """Add the group and the deduplication id, which stays the same in all attempts."""
        group, token = options.get("message_group_id"), options.get("message_deduplication_id")
        if group is not None:
            wire["MessageGroupId"] = check_token(group, "message_group_id")
        elif self._fifo:
            raise RecordError(
                "message_group_id", f"is missing; this {self.target} is a FIFO, so each message needs one"
            )
        if token is not None:
            if not self._fifo:
                raise RecordError("message_deduplication_id", f"only FIFOs take one, and this {self.target} isn't one")
            wire["MessageDeduplicationId"] = check_token(token, "message_deduplication_id")
        elif self._fifo and not self._content_based:
            # A random number for each message, as clones of a snapshot must not make the same ids.
            # The message's own id is added in case the generator repeats itself.
            wire["MessageDeduplicationId"] = f"{int(self._settings.random() * 2**53):014x}-{wire['Id']}"

    def group_options(self, group: Hashable) -> Mapping[str, Any]:
        return {"message_group_id": group_name(group, _LONGEST_GROUP)} if self._fifo else {}

    def _make_buffer(self, stats: Stats, *, ordered: bool, for_session: bool) -> Buffer:
        if self._strict:
            settings = self._settings
            return KeyedBuffer(settings.max_entries, settings.max_bytes, stats, "serialize", blocks=self._blocks)
        return super()._make_buffer(stats, ordered=ordered, for_session=for_session)

    def _one_call_at_a_time(self, *, ordered: bool) -> bool:
        return self._fifo and not self._strict and not ordered
