"""Count clicks by page. A count is no place for duplicates: what succeeded before a failure is not run again."""

import os

import boto3
from pydantic import BaseModel

from partialbatch import batch_handler
from partialbatch.errors import PayloadError
from partialbatch.producers import SQSProducer
from partialbatch.retries import ResumeLedger

dynamodb = boto3.client("dynamodb")


class Click(BaseModel):
    """The data of a record."""

    page: str


@batch_handler(
    resume=ResumeLedger.dynamodb(os.environ["LEDGER_TABLE"], consumer="click-counter"),
    permanent=PayloadError,  # no retry cures an invalid click, and the shard must not wait for it
    dead_letter=SQSProducer(os.environ["INVALID_CLICKS_URL"]),
)
def handler(click: Click):
    """Add one to the page's count.

    A stream delivers again from the first failed record on, successes included. The ledger names those, and they
    are left out. At worst, where a function is killed in mid-run or the ledger is away, a click counts twice.
    """
    dynamodb.update_item(
        TableName=os.environ["COUNTS_TABLE"],
        Key={"page": {"S": click.page}},
        UpdateExpression="ADD clicks :one",
        ExpressionAttributeValues={":one": {"N": "1"}},
    )
