"""Events that arrive by other ways: the web tag's pixel, and Segment messages.

Both are first written as the flat object that Blueshift's own integrations make of them, then read like any other.

Sources, read 2026-11-21: blueshift-js 1398936 ``util.js`` (pixel keys); segmentio/analytics.js-integrations
``integrations/blueshift`` (page -> pageload, identify, alias; ``anonymousId``, ``created_at``, ``firstname``);
segmentio-integrations ``segmentio`` endpoint (``apiKey`` in the query).
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from gateway.adapter import Decoded, Reply, Request

from .decode import check_event
from .decode_event import read_event
from .errors import OK, answer, too_large
from .limits import IN_QUERY
from .times import read_time, write_time
from .wire import SLUG, parse_object, parse_value

PIXEL: Final = "unity.gif"
SEGMENT: Final = "segmentio"

_GIF: Final = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00"
    b",\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
)
"""A transparent pixel: the tag never reads the answer."""

_PIXEL_KEYS: Final = {"e": "event", "r": "referrer", "k": "cookie", "u": "url"}
_PIXEL_NOISE: Final = frozenset({"x", "apiKey", "z"})
_JSON_SUFFIX: Final = "_json"


def decode_pixel(request: Request) -> Decoded:
    """Return the event in the query of ``GET /unity.gif``."""
    body = dict(_pixel(request))
    check_event(request, body)
    image = Reply(200, ((b"Content-Type", b"image/gif"), (b"X-Request-Id", request.id.encode())), _GIF)
    return Decoded((read_event(body, request, PIXEL),), image)


def _pixel(request: Request) -> Iterator[tuple[str, Any]]:
    try:
        pairs = parse_qsl(request.query, max_num_fields=IN_QUERY.value, errors="replace")
    except ValueError:
        raise too_large(request) from None
    for key, value in pairs:
        if key == "t":
            moment = read_time(value)
            yield "timestamp", value if moment is None else write_time(moment)
        elif key.endswith(_JSON_SUFFIX) and key != _JSON_SUFFIX:
            yield key.removesuffix(_JSON_SUFFIX), parse_value(value)
        elif key not in _PIXEL_NOISE:
            yield _PIXEL_KEYS.get(key, key), value


def decode_segment(request: Request) -> Decoded:
    """Return the event of ``POST /api/v1/event/segmentio``: one raw Segment message."""
    body, others = flatten(parse_object(request))
    check_event(request, body)
    event = read_event(body, request, SEGMENT)
    if others:
        kept = {**event.residue.get(SLUG, {}), "segment": others}
        event = msgspec.structs.replace(event, residue={SLUG: kept})
    return Decoded((event,), answer(request, 200, OK))


_NAMES: Final = {
    "identify": "identify",
    "group": "identify",
    "page": "pageload",
    "screen": "pageload",
    "alias": "alias",
}
_TOP: Final = {
    "userId": "customer_id",
    "anonymousId": "anonymousId",
    "messageId": "event_uuid",
    "groupId": "group_id",
    "previousId": "previous_customer_id",
}
_CONTEXT: Final = {
    ("ip",): "ip",
    ("userAgent",): "user_agent",
    ("locale",): "language_code",
    ("timezone",): "device_timezone",
    ("page", "url"): "url",
    ("page", "referrer"): "referrer",
    ("page", "path"): "page_path",
    ("page", "title"): "page_title",
    ("page", "search"): "page_search",
    ("campaign", "name"): "utm_campaign",
    ("campaign", "source"): "utm_source",
    ("campaign", "medium"): "utm_medium",
    ("campaign", "term"): "utm_term",
    ("campaign", "content"): "utm_content",
    ("device", "id"): "device_id",
    ("device", "type"): "device_type",
    ("device", "manufacturer"): "device_manufacturer",
    ("device", "model"): "device_model",
    ("device", "token"): "device_token",
    ("device", "advertisingId"): "advertising_id",
    ("os", "name"): "os_name",
    ("os", "version"): "os_version",
    ("app", "name"): "app_title",
    ("app", "version"): "app_version",
    ("app", "build"): "build_number",
    ("app", "namespace"): "app_name",
    ("network", "carrier"): "network_carrier",
    ("traits", "email"): "email",
    ("traits", "phone"): "phone_number",
    ("traits", "firstName"): "firstname",
    ("traits", "lastName"): "lastname",
}
_TRAITS: Final = {"firstName": "firstname", "lastName": "lastname", "createdAt": "created_at", "created": "created_at"}
_KNOWN: Final = frozenset({*_TOP, "type", "event", "timestamp"})


def flatten(message: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the flat Blueshift object of a Segment message, and what has no key there."""
    at = "traits" if message.get("type") in ("identify", "group") else "properties"
    free = message.get(at)
    if not isinstance(free, dict):
        at, free = "type", {}
    body: dict[str, Any] = {_TRAITS.get(key, key): value for key, value in free.items() if value is not None}
    mapped = dict(_mapped(message))
    covered = {key: body[key] for key, value in mapped.items() if key in body and body[key] != value}
    others = {key: value for key, value in message.items() if key not in _KNOWN and key != at}
    return {**body, **mapped}, {**others, "covered": covered} if covered else others


def _mapped(message: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield from _context(message.get("context"))
    yield from ((key, message[name]) for name, key in _TOP.items() if message.get(name) is not None)
    moment = message.get("timestamp") or message.get("originalTimestamp") or message.get("sentAt")
    if moment is not None:
        yield "timestamp", moment
    yield from _call(message)


def _context(context: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(context, dict):
        return
    for path, key in _CONTEXT.items():
        value: Any = context
        for step in path:
            value = value.get(step) if isinstance(value, dict) else None
        if value is not None:
            yield key, value


def _call(message: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    kind = message.get("type") if isinstance(message.get("type"), str) else None
    known = None if kind is None else _NAMES.get(kind)
    yield "event", message.get("event") if known is None else known
    if kind is not None and kind in _NAME_KEYS and message.get("name") is not None:
        yield _NAME_KEYS[kind], message["name"]


_NAME_KEYS: Final = {"screen": "screen_viewed", "page": "page_name"}
