"""Read CloudWatch Logs from a stream: gzip-compressed JSON, so the payload is taken as bytes. The function is async."""

import asyncio
import gzip
import json

from partialbatch import batch_handler


async def store(line: str):
    """Stand in for a database or an HTTP client."""
    await asyncio.sleep(0)
    print(line)


@batch_handler
async def handler(data: bytes):
    """Store the lines of one record, side by side."""
    log = json.loads(gzip.decompress(data))
    await asyncio.gather(*(store(f"{log['logGroup']} {event['message']}") for event in log["logEvents"]))
    return len(log["logEvents"])
