"""Archive readings that an EventBridge pipe brings from a stream, as they were delivered: the fastest way."""

import base64

from partialbatch import RawRecord, batch_handler


@batch_handler
def handler(record: RawRecord):
    """Archive one reading. Through a pipe the record is flat: there is no `kinesis` key around it."""
    reading = base64.b64decode(record["data"], validate=True)
    if not reading:
        raise ValueError("an empty reading")
    print(f"{record['partitionKey']} {record['sequenceNumber']}: {len(reading)} bytes")
