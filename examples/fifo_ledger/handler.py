"""Book entries in order, account by account. An account is a message group: ten are worked on side by side."""

import os

import boto3
from pydantic import BaseModel, Field

from partialbatch import SQSRecord, batch_handler

dynamodb = boto3.client("dynamodb")  # a client may be shared by threads; a boto3 resource may not


class Entry(BaseModel):
    """The body of a message."""

    number: int = Field(gt=0)
    cents: int


class NotCovered(Exception):
    """The account has not enough money, or does not exist."""


# An entry that fails holds up its own account alone, and at the last of its five deliveries, as in the template, not
# even that: the dead-letter queue gets this entry, and none of those behind it.
@batch_handler(error_policy="skip_group", max_concurrency=10, max_receive_count=5)
def handler(entry: Entry, record: SQSRecord):
    """Change the balance of an account; an entry that was booked already changes nothing."""
    try:
        dynamodb.update_item(
            TableName=os.environ["ACCOUNTS_TABLE"],
            Key={"account": {"S": record.group_id}},
            UpdateExpression="SET last_entry = :number ADD balance :cents",
            ConditionExpression="last_entry < :number AND balance >= :needed",
            ExpressionAttributeValues={
                ":number": {"N": str(entry.number)},
                ":cents": {"N": str(entry.cents)},
                ":needed": {"N": str(-entry.cents)},
            },
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    except dynamodb.exceptions.ConditionalCheckFailedException as error:
        account = error.response.get("Item")
        if account is None or int(account["last_entry"]["N"]) < entry.number:
            raise NotCovered(f"entry {entry.number} of account {record.group_id}") from None
