"""A queue, its dead-letter queue, and the function that drains it."""

from aws_cdk import Duration, Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from aws_cdk.aws_lambda_event_sources import SqsEventSource
from constructs import Construct


class Orders(Stack):
    """Orders from a queue, reported one by one."""

    def __init__(self, scope: Construct, name: str) -> None:
        """Define the stack."""
        super().__init__(scope, name)
        timeout = Duration.seconds(30)
        dead_letters = sqs.Queue(self, "DeadLetters", retention_period=Duration.days(14))
        queue = sqs.Queue(
            self,
            "Queue",
            visibility_timeout=Duration.seconds(180),  # 6 x the function's timeout
            dead_letter_queue=sqs.DeadLetterQueue(queue=dead_letters, max_receive_count=5),
        )
        function = lambda_.Function(
            self,
            "Handler",
            code=lambda_.Code.from_asset("build"),  # the handler and what pip installed beside it
            handler="handler.handler",
            runtime=lambda_.Runtime.PYTHON_3_13,
            timeout=timeout,
        )
        function.add_event_source(SqsEventSource(queue, batch_size=10, report_batch_item_failures=True))
