resource "aws_sqs_queue" "orders" {
  name                       = "orders"
  visibility_timeout_seconds = 180 # 6 x the function's timeout
  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letters.arn
    maxReceiveCount     = 5
  })
}

resource "aws_sqs_queue" "dead_letters" {
  name                      = "orders-dead-letters"
  message_retention_seconds = 1209600 # 14 days
}

resource "aws_lambda_function" "orders" {
  function_name = "orders"
  filename      = "build.zip" # the handler and what pip installed beside it
  handler       = "handler.handler"
  runtime       = "python3.13"
  timeout       = 30
  role          = aws_iam_role.orders.arn # with AWSLambdaSQSQueueExecutionRole
}

resource "aws_lambda_event_source_mapping" "orders" {
  event_source_arn        = aws_sqs_queue.orders.arn
  function_name           = aws_lambda_function.orders.arn
  batch_size              = 10
  function_response_types = ["ReportBatchItemFailures"]
}
