"""Keep stock by warehouse, in order. A warehouse is a message group: its failure must not hold the others up."""

from partialbatch import SQSRecord, batch_handler


@batch_handler(error_policy="skip_group")
def handler(movement: dict, record: SQSRecord):
    """Book one movement: `movement` is the body, `record` the message around it."""
    if movement["quantity"] == 0:
        raise ValueError("a movement of nothing")
    print(f"{record.group_id}: {movement['sku']} {movement['quantity']:+d} (delivery {record.receive_count})")
