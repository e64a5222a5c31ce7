"""What a record function asks for."""

from __future__ import annotations

import functools

import pytest
import wrapt

from partialbatch import DynamoDBRecord, RawRecord, SQSRecord
from partialbatch._core.function.signature import is_async, plan
from partialbatch._core.options import resolve
from partialbatch.errors import ConfigurationError


def _plan(function, *, bound=False, **options):
    return plan(function, resolve(**options), {}, bound=bound)


def _shape(made):
    return made.first.kind, made.positional, made.keywords


def test_known_names_are_filled_by_position_then_by_keyword():
    """Known names are filled by position as far as there are positions, by keyword beyond; defaults stay."""

    def one(record): ...
    def two(order, record, context): ...
    def gaps(order, limit=3, context=None, tail=4): ...
    def keyword(order, *, state, lambda_context, flag=True): ...
    def only(order, /, record, *rest, context, **more): ...
    def trailing(order, a=1, b=2): ...

    assert _shape(_plan(one)) == ("view", (), ())
    assert _shape(_plan(two)) == ("view", (("record", two_empty()), ("context", two_empty())), ())
    assert _shape(_plan(gaps)) == ("view", (("", 3), ("context", None)), ())
    assert _shape(_plan(keyword)) == ("view", (), ("state", "lambda_context"))
    assert _shape(_plan(only)) == ("view", (("record", two_empty()),), ("context",))
    assert _shape(_plan(trailing)) == ("view", (), ())
    assert [_plan(each).takes_extras for each in (one, two, keyword, trailing)] == [False, True, True, False]
    assert [_plan(each).takes_state for each in (one, two, keyword)] == [False, False, True]


def two_empty():
    """Give what stands for no default."""
    return __import__("inspect").Parameter.empty


@pytest.mark.parametrize("source", ["sqs", "kafka"])
def test_state_needs_a_source_with_windows(source):
    """Where the option names a source without tumbling windows, the decoration says so, not each batch."""

    def function(order, state): ...

    with pytest.raises(ConfigurationError, match=f"'state' parameter, and source='{source}' has no tumbling windows"):
        _plan(function, source=source)
    assert _plan(function, source="dynamodb").takes_state


def test_state_parameter_is_known_by_position():
    """A state parameter is known by position too."""

    def function(order, state): ...

    assert _plan(function).takes_state


def test_star_args_take_the_view():
    """``*args`` takes the record's view, whatever stands beside it, and further names go by keyword."""

    def everything(*args, **kwargs): ...
    def annotated(*records: Unknown): ...  # noqa: F821 - says nothing of the record
    def named(*args, context): ...

    assert _shape(_plan(everything)) == ("view", (), ())
    assert _shape(_plan(annotated)) == ("view", (), ())
    assert _shape(_plan(named)) == ("view", (), ("context",))
    assert _plan(everything, model=dict).first.kind == "payload"


def test_self_is_not_the_record():
    """``self`` is not the record; a method's ``*args`` are."""

    def method(self, record: SQSRecord, context): ...
    def variadic(*args): ...
    def bare(self): ...

    assert _plan(method, bound=True).first.annotation is SQSRecord
    assert _shape(_plan(method, bound=True))[1] == (("context", two_empty()),)
    assert _shape(_plan(variadic, bound=True)) == ("view", (), ())
    with pytest.raises(ConfigurationError, match="takes no record"):
        _plan(bare, bound=True)
    assert _plan(classmethod(method), bound=True).first.annotation is SQSRecord


def test_arguments_of_a_partial_are_not_filled_again():
    """A partial's own arguments are not filled again."""

    def function(prefix, record: RawRecord, context, limit): ...

    made = _plan(functools.partial(function, "p", limit=3))
    assert _shape(made) == ("raw", (("context", two_empty()),), ())
    made = _plan(functools.partial(function, "p", limit=3, context="mine"))
    assert _shape(made) == ("raw", (), ())
    with pytest.raises(ConfigurationError, match="takes no record"):
        _plan(functools.partial(function, prefix="p", record={}))


def test_function_without_a_record_is_refused():
    """A function that takes no record is refused."""

    def nothing(): ...
    def keyword(*, record): ...
    def keywords(**record): ...

    for function in (nothing, keyword, keywords):
        with pytest.raises(ConfigurationError, match=rf"{function.__name__} takes no record"):
            _plan(function)


def test_parameter_that_nothing_fills_is_named():
    """A parameter that nothing fills is named, with what there is."""

    def function(record, database): ...
    def keyword(record, *, database): ...

    for each in (function, keyword):
        with pytest.raises(
            ConfigurationError,
            match=r"nothing fills the parameter 'database'.*record, context, lambda_context, state.*functools\.partial",
        ):
            _plan(each)


def test_bare_event_and_context_are_refused():
    """A bare (event, context) is told that it gets one record now; annotated, it is a record function."""

    def handler(event, context): ...
    def annotated(event: dict, context): ...
    def other(event): ...

    with pytest.raises(ConfigurationError, match=r"looks like a Lambda handler.*one record at a time"):
        _plan(handler)
    assert _plan(annotated).first.kind == "payload"
    assert _plan(other).first.kind == "view"


@pytest.mark.parametrize("value", [5, "handler", None, object()])
def test_value_that_cannot_be_called_is_refused(value):
    """What cannot be called is refused by its type."""
    with pytest.raises(ConfigurationError, match=f"and got a value of type {type(value).__name__}"):
        _plan(value)


def test_generator_function_is_refused_behind_any_wrapper():
    """A generator function is refused, in whatever wrapping: calling it runs nothing."""

    def generator(record):
        yield

    async def stream(record):
        yield

    class Callable:
        def __call__(self, record):
            yield

    for function in (generator, stream, functools.partial(generator), Callable(), staticmethod(generator)):
        with pytest.raises(ConfigurationError, match="is a generator"):
            _plan(function)


def test_builtin_without_a_signature_gets_the_view():
    """A builtin without a signature gets the view."""
    assert _shape(_plan(dict)) == ("view", (), ())
    assert _shape(_plan(print)) == ("view", (), ())


def test_async_function_is_known_behind_partials_and_objects():
    """An async function is known through partials and callable objects; of decorators the outermost counts."""

    async def function(record): ...
    def plain(record): ...

    class Callable:
        async def __call__(self, record): ...

    @functools.wraps(function)
    def wrapper(record): ...

    @functools.wraps(plain)
    async def made_async(record): ...

    over_partial = functools.wraps(functools.partial(function))(lambda record: None)
    over_object = functools.wraps(Callable())(lambda record: None)
    over_async = functools.wraps(made_async)(lambda record: None)
    proxy = wrapt.decorator(lambda wrapped, instance, args, kwargs: wrapped(*args, **kwargs))
    for each in (
        function,
        functools.partial(function),
        Callable(),
        staticmethod(function),
        made_async,
        proxy(function),
    ):
        assert is_async(each)
        assert _plan(each).awaits
        assert not _plan(each).relays
    for each in (wrapper, functools.partial(wrapper), over_partial, over_object, over_async):
        assert not is_async(each)
        assert not _plan(each).awaits
        assert _plan(each).relays
    for each in (plain, functools.partial(plain), print, dict, proxy(plain)):
        assert not is_async(each)
        assert not _plan(each).awaits
        assert not _plan(each).relays


def test_record_timeout_refuses_a_plain_function():
    """A plain function cannot be stopped: record_timeout refuses it."""

    async def function(record): ...
    def plain(record): ...

    assert _plan(function, record_timeout=1).awaits
    with pytest.raises(ConfigurationError, match=r"record_timeout=1 needs an async record function, and .*plain"):
        _plan(plain, record_timeout=1)


def test_model_takes_precedence_over_the_annotation():
    """model= wins over the annotation, which is then not even evaluated."""

    def function(order: Unknown): ...  # noqa: F821 - the point

    assert _plan(function, model=RawRecord).first.kind == "raw"
    assert _plan(function, model=dict).first.annotation is dict


def test_source_is_checked_at_decoration():
    """Where source= is given, an annotation of another source is refused at once."""

    def function(record: DynamoDBRecord): ...
    def text(payload: str): ...

    with pytest.raises(ConfigurationError, match="'sqs'"):
        _plan(function, source="sqs")
    with pytest.raises(ConfigurationError, match="can't be given as"):
        _plan(text, source="dynamodb")
    made = _plan(function, source="dynamodb")
    assert not made.universal

    class Source:
        name = "sqs"

    with pytest.raises(ConfigurationError, match="'sqs'"):
        made.check_source(Source())
    assert _plan(lambda record: None).universal


def _no_record(): ...
def _lambda_handler(event, context): ...
def _generator(record):
    yield record


def _plain(record): ...
def _fold(record, state): ...
def _two(record, database): ...
def _text(body: str): ...
def _queue(record: SQSRecord): ...


@pytest.mark.parametrize(
    ("function", "options", "text"),
    [
        (5, {}, "batch_handler takes a record function, and got a value of type int"),
        (
            *(_no_record, {}),
            "_no_record takes no record: give it a first parameter, `def _no_record(record): ...`",
        ),
        (
            *(_lambda_handler, {}),
            (
                "_lambda_handler(event, context) looks like a Lambda handler: under batch_handler the function gets "
                "one record at a time. Write `def _lambda_handler(record): ...`, and remove the loop"
            ),
        ),
        (
            *(_generator, {}),
            (
                "_generator is a generator: calling it runs nothing, so no record would be handled. Remove `yield`, or "
                "give a `sink=` for the items that it yields"
            ),
        ),
        (
            *(_plain, {"record_timeout": 1}),
            (
                "record_timeout=1 needs an async record function, and _plain isn't async: a running thread cannot be "
                "stopped. Remove the option, or write `async def`"
            ),
        ),
        (
            *(_fold, {"sink": print}),
            (
                "sink takes the items that _fold returns, and with a 'state' parameter it returns the window's state: "
                "remove one of them, or send the items in window_end"
            ),
        ),
        (
            *(_fold, {"source": "sqs"}),
            (
                "_fold has a 'state' parameter, and source='sqs' has no tumbling windows (only kinesis and dynamodb "
                "do): remove the parameter"
            ),
        ),
        (
            *(_two, {}),
            (
                "_two: nothing fills the parameter 'database'. The first parameter gets the record, and further ones "
                "are filled by name: record, context, lambda_context, state; give any other a default, or bind it with "
                "functools.partial"
            ),
        ),
        (
            *(_text, {"source": "dynamodb"}),
            "a DynamoDB image can't be given as str: annotate dict, a model, or Change[...]",
        ),
        (
            *(_queue, {"source": "kinesis"}),
            "the record function takes SQSRecord, and the event source is 'kinesis': annotate a type of that source",
        ),
        (
            *(_queue, {"envelope": "sns"}),
            (
                "envelope needs a payload to unwrap, and the record function takes the record itself; annotate its "
                "first parameter with a payload type (dict, say), or remove envelope"
            ),
        ),
        (
            *(_text, {"envelope": "eventbridge"}),
            "envelope='eventbridge' gives an object, not text; annotate dict or a model",
        ),
    ],
)
def test_refusal_says_what_is_wrong_and_what_to_do(function, options, text):
    """Each refusal of a record function names what it lacks, and says what to write instead."""
    with pytest.raises(ConfigurationError) as caught:
        plan(function, resolve(**options), globals(), bound=False)
    assert str(caught.value) == text
