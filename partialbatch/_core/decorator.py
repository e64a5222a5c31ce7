"""The decorator, and the description of its options.

``docs/option_tables.py`` makes the tables of options in README.rst and docs/reference.rst from this docstring, so
each option is described in one place. After the text of an option come its values and its default, and then the
event sources that have it and its environment variable, if it isn't for all sources or can be set in the environment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

from partialbatch._core.handler import BatchHandler
from partialbatch._core.options import resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import ParamSpec, Protocol, TypeVar, Unpack

    from partialbatch._core.options import Options

    Parameters = ParamSpec("Parameters")
    Value = TypeVar("Value")

    class _Decorator(Protocol):
        @overload
        def __call__(
            self, function: Callable[Parameters, Coroutine[Any, Any, Value]], /
        ) -> BatchHandler[Callable[Parameters, Coroutine[Any, Any, Value]], Value]: ...
        @overload
        def __call__(
            self, function: Callable[Parameters, Value], /
        ) -> BatchHandler[Callable[Parameters, Value], Value]: ...


__all__ = ["batch_handler"]


@overload
def batch_handler(
    function: Callable[Parameters, Coroutine[Any, Any, Value]], /, **options: Unpack[Options]
) -> BatchHandler[Callable[Parameters, Coroutine[Any, Any, Value]], Value]: ...
@overload
def batch_handler(
    function: Callable[Parameters, Value], /, **options: Unpack[Options]
) -> BatchHandler[Callable[Parameters, Value], Value]: ...
@overload
def batch_handler(**options: Unpack[Options]) -> _Decorator: ...
def batch_handler(function: Any = None, /, **options: Unpack[Options]) -> Any:
    """Make a Lambda handler from a function that handles one record.

    Use it as a decorator, with or without options, or call it with the function. The options are checked when the
    module loads. An argument takes precedence over the environment variable, and the variable over the default.

    >>> from partialbatch import batch_handler
    >>> from partialbatch.testing import sqs_event
    >>> @batch_handler(source="sqs", max_concurrency=4)
    ... def handler(order: dict):
    ...     if order["quantity"] < 1:
    ...         raise ValueError("nothing was ordered")
    >>> handler(sqs_event([{"quantity": 2}, {"quantity": 0}]), None)
    {'batchItemFailures': [{'itemIdentifier': '00000000-0000-4000-8000-000000000001'}]}

    Args:
        function: The record function: a function, method, callable object or partial, plain or ``async def``.
        options: The options below.

    Keyword Args:
        source: The event source, for handlers that accept only one.
            By default, each event tells. With a name, options and annotations that the source doesn't have are
            refused when the module loads, and events of other sources when they arrive.
            Values: ``"auto"``, ``"sqs"``, ``"kinesis"``, ``"dynamodb"``, ``"kafka"``, or an `EventSource` of your own.
            Default: ``"auto"``.
            Environment: ``PARTIALBATCH_SOURCE``: ``auto``, ``sqs``, ``kinesis``, ``dynamodb``, ``kafka``.
        fifo: Whether the SQS queue keeps the order of its messages.
            With ``"auto"``, a queue is FIFO if its ARN ends in ``.fifo``.
            Values: ``"auto"``, ``True``, ``False``.
            Default: ``"auto"``.
            Sources: ``sqs``.
        error_policy: The records that still run after one has failed: all, none, or those of other groups.
            ``"continue"`` runs all of them, ``"stop"`` none, and ``"skip_group"`` those of other groups. Records that
            don't run are reported. ``"derive"`` means ``"stop"`` on a FIFO queue and in tumbling windows,
            ``"skip_group"`` with `resume`, and ``"continue"`` otherwise.
            Values: ``"derive"``, ``"continue"``, ``"stop"``, ``"skip_group"``, or a member of `ErrorPolicy`.
            Default: ``"derive"``.
            Environment: ``PARTIALBATCH_ERROR_POLICY``: ``derive``, ``continue``, ``stop``, ``skip_group``.
        raise_on_full_failure: Whether `FullBatchFailure` is raised if no record succeeded.
            The invocation then counts as an error in Lambda's metrics.
            Values: ``True``, ``False``.
            Default: ``True``.
            Environment: ``PARTIALBATCH_RAISE_ON_FULL_FAILURE``: ``true``, ``false``, ``1``, ``0``, ``yes``, ``no``,
            ``on``, ``off``.
        max_concurrency: How many records may run at the same time.
            Plain functions run in threads, async functions as tasks. Records of one group run one after another.
            Values: a whole number from 1 on, or ``-1`` for the number of vCPUs.
            Default: ``1``.
            Environment: ``PARTIALBATCH_MAX_CONCURRENCY``: a whole number from 1 on, or ``-1``.
        group_by: Returns the group of a record; records of one group run in order.
            It gets the record view, and is called once for each record before the first one starts.
            Values: a function that returns a hashable value and isn't async, or ``None`` for the source's own groups.
            Default: ``None``.
        deadline_margin: Seconds to keep free at the end of the invocation.
            No record starts if less than the margin plus the duration of the slowest record of the batch is left.
            Such records are reported, and delivered again.
            Values: a number of seconds from 0 on; ``"off"`` or ``None`` for no deadline.
            Default: ``0.5``, or ``2.0`` with `sink`, `dead_letter`, `retry_delay` or `resume`.
            Environment: ``PARTIALBATCH_DEADLINE_MARGIN``: a number of seconds from 0 on, or ``off``.
        record_timeout: Seconds that a record may take; async functions only.
            The task of a record that takes longer is cancelled, and the record fails.
            Values: a number of seconds above 0, or ``None`` for no limit.
            Default: ``None``.
            Environment: ``PARTIALBATCH_RECORD_TIMEOUT``: a number of seconds above 0, or ``off``.
        model: The type to validate the payload as, in place of the annotation.
            Values: any type that the annotation of the first parameter can be.
            Default: ``None``, the annotation.
        envelope: The wrapper to take your payload out of: that of SNS, that of EventBridge, or your own.
            ``"sns"`` takes the ``Message`` of an SNS notification, ``"eventbridge"`` the ``detail`` of an event.
            Values: ``"sns"``, ``"eventbridge"``, a function from payload to payload, or ``None``.
            Default: ``None``.
        max_receive_count: The ``maxReceiveCount`` of your queue: a last attempt that fails holds nothing back.
            SQS is about to move that message to the dead-letter queue, so the records after it can run.
            Values: a whole number from 1 to 1000, or ``None``.
            Default: ``None``.
            Sources: ``sqs``.
            Environment: ``PARTIALBATCH_MAX_RECEIVE_COUNT``: a whole number from 1 to 1000, or ``off``.
        permanent: Exceptions that no retry cures; needs `dead_letter`.
            Values: an exception type, or a tuple of them.
            Default: ``()``.
        dead_letter: Takes the records that no retry cures: a producer, a function, or `discard`.
            Those are the records that raise `Reject` or a `permanent` exception. They aren't reported once the dead
            letter has accepted them.
            Values: a `Sink` (every producer is one), a function, `discard` from ``partialbatch.retries``, or ``None``.
            Default: ``None``.
        retry_delay: The wait before a failed SQS message becomes visible again.
            Values: a `Backoff` with `base` and `cap` in seconds, or ``None`` for the queue's visibility timeout.
            Default: ``None``.
            Sources: ``sqs``.
        sink: Takes the items that your function returns; a record succeeds once all are accepted.
            A generator function may yield them. If the sink is a function, it is called once, at the end of the
            batch, with the succeeded results, and returns those that failed.
            Values: a `Sink` (every producer is one), a function, or ``None``.
            Default: ``None``.
        resume: Keeps the records of a stream that have succeeded from running again.
            A stream delivers everything from the first reported record on again, the successes included.
            Values: a `ResumeLedger` from ``partialbatch.retries``, or ``None``.
            Default: ``None``.
            Sources: ``kinesis``, ``dynamodb``.
        window_end: Called with the final state of a tumbling window.
            Values: a function that takes the state, or ``None``.
            Default: ``None``.
            Sources: ``kinesis``, ``dynamodb``.
        hooks: Called around batches and records: `EmfMetrics`, `SentryHook`, `OpenTelemetryHook`, or your own.
            A hook that raises is logged, and changes nothing.
            Values: a list or tuple of `Hook` objects; ``partialbatch.hooks`` has three.
            Default: ``()``.

    Returns:
        The `BatchHandler`. Without a function, a decorator that returns it.

    Raises:
        ConfigurationError: An option has a value that can't work, or the record function can't be called with a
            record. It is raised when the module loads.
        TypeError: There is no such option.
    """
    if function is not None:
        return BatchHandler(function, **options)
    resolve(**options)  # an unknown or impossible option shows where it was written
    return lambda decorated: BatchHandler(decorated, **options)
