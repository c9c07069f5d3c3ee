"""Yespo's payloads as they stand on the wire, and JSON in.

Sources, read 2026-11-21: docs.yespo.io/docs/how-use-v1event-api-resource, /how-send-past-events, /orders-automation,
/api-methods-adding-contacts; github.com/karlaxnieves/support-git-delete-yespo reference/yespo.json (OpenAPI of 2025).
"""

from typing import Any, Final, TypeVar

import msgspec
from msgspec import UNSET, Struct, UnsetType

from gateway.adapter import EncodeError, Request, Vocabulary, json_bytes, load_vocabulary, nesting_bound, nests_deeper

from .errors import invalid, unsupported
from .limits import DEPTH

SLUG: Final = "yespo"

VOCABULARY: Final[Vocabulary] = load_vocabulary(SLUG)

Json = dict[str, Any]


class Param(Struct):
    """One parameter of an event."""

    name: str
    value: Any | UnsetType = UNSET


class EventBody(Struct, rename="camel"):
    """One event of the live or the past endpoint; other members mean nothing to Yespo."""

    event_type_key: Any = None
    key_value: Any = None
    params: list[Param] | None = None
    occurred: Any = None
    """Of past events alone."""


class PastBody(Struct):
    """A request of past events."""

    events: list[EventBody]


class Period(Struct, rename={"from_": "from"}):
    """Which past events to delete."""

    from_: str
    to: str


_media: Final = frozenset({"application/json", "text/json"})
_common: Final = frozenset({
    "application/json", "application/json; charset=UTF-8", "application/json; charset=utf-8",
    "application/json;charset=UTF-8", "application/json;charset=utf-8",
})  # fmt: skip


def check_media(request: Request) -> None:
    """Refuse a body that says it is something else than JSON; one that says nothing is read.

    Raises:
        Rejected: 415.
    """
    given = request.header(b"content-type")
    if given is None or given in _common:
        return
    media = given.partition(";")[0].strip().lower()
    if media and media not in _media and not media.endswith("+json"):
        raise unsupported()


T = TypeVar("T")
_unknown: Final = msgspec.json.Decoder(Any)
_objects: Final = msgspec.json.Decoder(Json)


def read(request: Request, decoder: msgspec.json.Decoder[T]) -> T:
    """Return the body as what the decoder is for.

    Raises:
        Rejected: 415 for another media type; 400 for what is no such JSON, or is nested too deep.
    """
    check_media(request)
    body = request.body
    try:
        value = decoder.decode(body)
    except RecursionError:
        raise invalid("The body is nested too deep") from None
    except msgspec.ValidationError as error:
        raise invalid(f"The body does not fit: {error}") from None
    except ValueError:
        raise invalid("The body is not valid JSON") from None
    if nesting_bound(body) > DEPTH.value and nests_deeper(_unknown.decode(body), DEPTH.value):
        raise invalid("The body is nested too deep")
    return value


def read_object(request: Request) -> Json:
    """Return the body's JSON object; raises as `read` does."""
    return read(request, _objects)


def structure(text: str) -> Any:
    """Return the JSON object or list in a text, None when it holds none (or one nested too deep)."""
    try:
        value = _unknown.decode(text.encode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, (dict, list)) or nests_deeper(value, DEPTH.value):
        return None
    return value


def scalar(value: Any) -> str | None:
    """Return a text or number as text, None for anything else."""
    if type(value) is str:
        return value
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def dig(held: Any, *names: str) -> Json:
    """Return an object inside others, empty where there is none."""
    for name in names:
        held = held.get(name) if isinstance(held, dict) else None
    return held if isinstance(held, dict) else {}


def as_json(value: Any) -> bytes:
    """Return JSON to send.

    Raises:
        EncodeError: it is nested too deep.
    """
    try:
        return json_bytes(value)
    except RecursionError:
        raise EncodeError("the event is nested too deep") from None
