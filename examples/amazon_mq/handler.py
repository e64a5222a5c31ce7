"""Handle an event source that is not built in: Amazon MQ (ActiveMQ).

Lambda ignores what a function returns for Amazon MQ. `partial_response = False` says so, and any failed
message then raises: the broker delivers the batch again.
"""

import base64
import json

from partialbatch import ErrorPolicy, RawRecord, batch_handler


def body(raw: RawRecord) -> bytes:
    """Decode the body; what is no base64 raises, and so fails its message alone."""
    return base64.b64decode(raw["data"], validate=True)


class Message:
    """The view of one message."""

    __slots__ = ("raw",)

    def __init__(self, raw: RawRecord):
        self.raw = raw

    @property
    def identifier(self) -> str:
        """What names the message in results and logs."""
        return self.raw["messageID"]

    @property
    def payload(self) -> bytes:
        """The body, decoded."""
        return body(self.raw)


class AmazonMQ:
    """An event source; it needs no base class, only these names."""

    name = "amazon_mq"
    partial_response = False

    def matches(self, event):
        """Tell whether the event is ours."""
        return isinstance(event, dict) and event.get("eventSource") == "aws:mq"

    def records(self, event):
        """Return the raw messages in order."""
        return event["messages"]

    def identifier(self, raw: RawRecord):
        """Return the broker's id of the message."""
        return raw["messageID"]

    def payload(self, raw: RawRecord):
        """Return what is parsed for the record function."""
        return body(raw)

    def view(self, raw: RawRecord):
        """Return what record functions see."""
        return Message(raw)

    def group(self, raw: RawRecord):
        """Return the queue, which is what keeps an order here."""
        return raw["destination"]["physicalName"]

    def policy(self, _records):
        """Go on after a failure: the whole batch comes back in any case."""
        return ErrorPolicy.CONTINUE


@batch_handler(source=AmazonMQ())
def handler(order: dict):
    """Take one order. It comes again when another of its batch fails, so this must be idempotent."""
    print(f"order {json.dumps(order['order_id'])}")
    return order["order_id"]
