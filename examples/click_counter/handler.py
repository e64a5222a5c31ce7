"""Count clicks by page. A count is no place for duplicates: what succeeded before a failure is not run again."""

import os

import boto3

from partialbatch import batch_handler
from partialbatch.retries import ResumeLedger

dynamodb = boto3.client("dynamodb")


@batch_handler(resume=ResumeLedger.dynamodb(os.environ["LEDGER_TABLE"], consumer="click-counter"))
def handler(click: dict):
    """Add one to the page's count.

    A stream delivers again from the first failed record on, successes included. The ledger names those, and
    they are left out. Only a function that is killed in mid-run still counts its last clicks twice.
    """
    dynamodb.update_item(
        TableName=os.environ["COUNTS_TABLE"],
        Key={"page": {"S": click["page"]}},
        UpdateExpression="ADD clicks :one",
        ExpressionAttributeValues={":one": {"N": "1"}},
    )
