"""Decode a payload as the record function asks for it: as text, as JSON, or as a validated model."""

from __future__ import annotations

import types
from collections.abc import Mapping, MutableMapping, MutableSequence, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any, Generic, NewType, TypeVar, Union, get_args, get_origin

from partialbatch._core.pydantic_errors import places, words_of
from partialbatch._frozen import value
from partialbatch.errors import ConfigurationError, PayloadError, clip
from partialbatch.sources.record import TEXTUAL, as_bytes, as_json, as_text, field
from partialbatch.types import RawRecord

if TYPE_CHECKING:
    from collections.abc import Callable

    from partialbatch.sources import DynamoDBRecord

__all__ = ["Change", "bare", "change_decoder", "decoder", "is_text", "meant", "name_of", "unwrapper", "without_none"]

Image = TypeVar("Image")
_TEXT = {str: as_text, bytes: as_bytes}
_CONTAINERS = {dict: dict, list: list, Mapping: dict, MutableMapping: dict, Sequence: list, MutableSequence: list}


@value
class Change(Generic[Image]):
    """A change of a DynamoDB item. Annotate ``Change[Order]`` to get both images validated.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_StreamRecord.html

    >>> from partialbatch import Change, batch_handler
    >>> from partialbatch.testing import dynamodb_event
    >>> @batch_handler
    ... def handler(change: Change[dict]):
    ...     return change
    >>> handler.process(dynamodb_event([{"id": "A-1"}])).results[0].value
    Change(old=None, new={'id': 'A-1'}, kind='INSERT')

    Attributes:
        old: The item before the change. None on INSERT, or if the stream's view type leaves it out.
        new: The item after the change. None on REMOVE, or if the stream's view type leaves it out.
        kind: ``"INSERT"``, ``"MODIFY"`` or ``"REMOVE"``.
    """

    old: Image | None
    new: Image | None
    kind: str


def decoder(annotation: Any) -> Callable[[Any], Any]:
    """Return a function that turns a payload into the annotated type.

    Raises:
        ConfigurationError: The annotation can't be validated, or needs pydantic, which isn't installed.
    """
    wanted, optional = without_none(annotation)
    kind = _container(wanted)
    if kind is not None:
        return _container_decoder(kind, name_of(wanted), optional)
    convert = _plain_decoder(wanted)
    if convert is None:
        return _validator(annotation)

    def decode(payload: Any) -> Any:
        if payload is not None:
            return convert(payload)
        if optional:
            return None
        raise PayloadError.absent(name_of(wanted))

    return decode


def change_decoder(annotation: Any) -> Callable[[DynamoDBRecord], Change[Any]]:
    """Return a function that turns a DynamoDB view into a `Change` of the annotated images.

    Raises:
        ConfigurationError: The annotation can't be validated, or needs pydantic, which isn't installed.
    """
    (image,) = get_args(annotation) or (dict,)
    if is_text(image):
        raise ConfigurationError(
            f"{annotation}: a DynamoDB image can't be given as text or bytes; "
            "annotate Change[dict], or Change of a model"
        )
    convert = decoder(Union[image, None])  # noqa: UP007 - `image` may be a string, which takes no `|`

    def decode(record: DynamoDBRecord) -> Change[Any]:
        return Change(convert(record.old_image), convert(record.new_image), record.event_name)

    return decode


def unwrapper(envelope: Any) -> Callable[[Any], Any]:
    """Return a function that takes the payload out of its envelope."""
    if envelope == "sns":
        return lambda payload: field(_json_object(payload), "Message", str)
    if envelope == "eventbridge":
        return lambda payload: field(_json_object(payload), "detail", dict)
    own: Callable[[Any], Any] = envelope
    return own


def _json_object(payload: Any) -> dict[str, Any]:
    """Parse the envelope itself."""
    content = as_json(payload)
    if isinstance(content, dict):
        return content
    raise PayloadError.kind("an object (the envelope)", content)


def without_none(annotation: Any) -> tuple[Any, bool]:
    """Split ``X | None`` into ``X`` and whether None is accepted."""
    if annotation is None or annotation is type(None):
        return annotation, True
    if get_origin(annotation) not in (Union, types.UnionType):
        return annotation, False
    others = _members(annotation)
    if len(others) == len(get_args(annotation)):
        return annotation, False
    return (others[0] if len(others) == 1 else annotation), True


def name_of(annotation: Any) -> str:
    """Return an annotation as users write it, and a class by its bare name."""
    return annotation.__name__ if isinstance(annotation, type) and not get_args(annotation) else str(annotation)


def is_text(annotation: Any) -> bool:
    """Tell whether an annotation means text or bytes, with or without None."""
    wanted = meant(annotation)
    return all(meant(member) in (str, bytes) for member in _members(wanted) or (wanted,))


def _members(annotation: Any) -> list[Any]:
    """Return the members of a union without None; other annotations have none."""
    union = get_origin(annotation) in (Union, types.UnionType)
    return [member for member in get_args(annotation) if union and member is not type(None)]


def meant(annotation: Any) -> Any:
    """Return the type behind an annotation, without None, metadata and names for it."""
    wanted, _ = without_none(bare(annotation))
    return wanted if wanted is annotation else meant(wanted)


def bare(annotation: Any) -> Any:
    """Return the annotation behind `Annotated`, `NewType` and ``type X = ...``.

    `RawRecord`, which is a `NewType`, stays.
    """
    if get_origin(annotation) is Annotated:
        return bare(annotation.__origin__)
    if isinstance(annotation, NewType) and annotation is not RawRecord:
        return bare(annotation.__supertype__)
    if type(annotation).__name__ == "TypeAliasType":  # from typing, or typing_extensions
        return bare(annotation.__value__)
    return annotation


def _container(annotation: Any) -> type | None:
    """Return the type of a container of anything that JSON can hold, or None if the annotation isn't one."""
    origin = get_origin(annotation) or annotation
    if not isinstance(origin, type) or origin not in _CONTAINERS:
        return None
    if get_args(annotation) not in ((), (str, Any), (Any,)):
        return None
    return _CONTAINERS[origin]


def _container_decoder(kind: type, name: str, optional: bool) -> Callable[[Any], Any]:
    """Return a decoder that gives a container of the kind, and nothing else."""

    def decode(payload: Any) -> Any:
        content = as_json(payload)
        if isinstance(content, kind):
            return content
        if optional and content is None:  # JSON's null is None under a model too
            return None
        if payload is None:
            raise PayloadError.absent(name)
        raise PayloadError.kind("an object" if kind is dict else "an array", content)

    return decode


def _plain_decoder(annotation: Any) -> Callable[[Any], Any] | None:
    """Return a decoder without pydantic, or None if the annotation needs pydantic."""
    if annotation in (Any, object):
        return as_json
    if annotation in (str, bytes):
        return _TEXT[annotation]
    if _members(annotation) in ([str, bytes], [bytes, str]):
        return _as_it_is
    return None


def _as_it_is(payload: Any) -> str | bytes:
    """Return text as text, and bytes as bytes."""
    return payload if isinstance(payload, str) else as_bytes(payload)


def _validator(annotation: Any) -> Callable[[Any], Any]:
    """Return a decoder that validates with pydantic."""
    adapter = _adapter(annotation)
    from pydantic import ValidationError  # loaded by now

    # The adapter's own methods only hand their arguments on, which takes 0.2 µs for a record.
    validator, schema = getattr(adapter, "validator", adapter), adapter.core_schema
    from_python, from_text = validator.validate_python, validator.validate_json
    if is_text(annotation):
        kind = meant(annotation)
        from_text = _of_text(_as_it_is if _members(kind) else _TEXT[kind], from_python)
    wanted, optional = without_none(annotation)

    def validate(payload: Any) -> Any:
        try:
            if isinstance(payload, TEXTUAL):
                return from_text(payload)
            if payload is not None:
                return from_python(payload)
        except ValidationError as error:
            # Raised below, because an exception that is raised here would keep pydantic's error, which holds the body.
            failure = _invalid(error, name_of(wanted), schema)
        else:
            return _of_none(wanted, from_python, optional=optional)
        raise failure from None

    return validate


def _of_text(convert: Callable[[Any], Any], from_python: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a function that validates a payload as text: limits on a `str` don't make it JSON."""
    return lambda payload: from_python(convert(payload))


def _of_none(wanted: Any, from_python: Callable[[Any], Any], *, optional: bool) -> Any:
    """Return the argument for a record without a payload."""
    if optional:
        return None
    # A type may accept None in other ways than `| None`.
    with suppress(Exception):
        return from_python(None)
    raise PayloadError.absent(name_of(wanted))


def _adapter(annotation: Any) -> Any:
    """Return pydantic's `TypeAdapter` for an annotation."""
    try:
        import pydantic  # 60 ms, only for handlers with such an annotation
    except ImportError:
        raise ConfigurationError(
            f"the annotation {annotation!r} needs pydantic, which is not installed: "
            "pip install 'partialbatch[pydantic]', or annotate dict, str or bytes"
        ) from None
    try:
        adapter: Any = pydantic.TypeAdapter(annotation)
        if not getattr(adapter, "pydantic_complete", True):  # from 2.10 on: it uses an undefined name
            adapter.rebuild(raise_errors=True)
        _ = adapter.core_schema  # builds a deferred schema now
    except Exception as error:
        raise ConfigurationError(
            f"pydantic can't validate the annotation {annotation!r}: {type(error).__name__}: {error}. "
            "Define what it names before the function, annotate a model, or give model="
        ) from error
    return adapter


def _invalid(error: Any, name: str, schema: Any) -> PayloadError:
    """Name the places at which a payload is invalid, without a word of its content."""
    return PayloadError(f"the payload isn't a valid {clip(name)}: {places(error, words_of(schema))}")
