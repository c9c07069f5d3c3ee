"""The legacy endpoints, ``/api/track`` and ``/api/identify``, in all their transports.

Sources, read 2026-11-21:
    https://developers.klaviyo.com/en/v1-2/reference/track-post and its neighbours; https://www.klaviyo.com/docs/http-api
    https://developers.klaviyo.com/en/docs/migrate_track_identify_and_subscribe_to_our_new_apis: what each key becomes
    https://github.com/klaviyo/python-klaviyo, node-klaviyo, php-klaviyo, ruby-klaviyo: what is really sent

Klaviyo itself retired them on 2024-06-30 and answers 410; clients that still speak them are kept alive here.
"""

import base64
import binascii
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import parse_qs

import msgspec

from adapters.klaviyo.decode import event, identify_event
from adapters.klaviyo.decode_person import check_identified, check_strings, flat
from adapters.klaviyo.errors import CORS, Invalid, legacy_reply
from adapters.klaviyo.names import SLUG
from adapters.klaviyo.values import in_window
from adapters.klaviyo.wire import UNREADABLE, Identify, Json, MetricAttributes, Occurrence, Track
from gateway.adapter import Decoded, Rejected, Reply, Request, json_bytes, parse_time, parse_unix
from gateway.event import Event, Origin

YES: Final = legacy_reply(b"1")
NO: Final = legacy_reply(b"0")
PIXEL: Final = Reply(
    200,
    ((b"Content-Type", b"image/gif"), *CORS),
    base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"),
)
"""A transparent GIF of one pixel, for ``i=1``."""

_track: Final = msgspec.json.Decoder(Track)
_identify: Final = msgspec.json.Decoder(Identify)
_any: Final = msgspec.json.Decoder()


def token(request: Request) -> str:
    """Return the public key in a payload.

    Raises:
        Rejected: ``0``, the payload cannot be read or has no token.
    """
    try:
        found = _any.decode(payload(request)).get("token")
    except (*UNREADABLE, AttributeError):
        found = None
    if not found or not isinstance(found, str):
        raise Rejected(NO)
    return str(found)


def payload(request: Request) -> bytes:
    """Return the JSON of a request: base64 in the query, a form's field, or the body itself; empty if there is none."""
    if request.body.lstrip()[:1] == b"{":
        return request.body
    text = _field(request.query if request.method == "GET" else request.body.decode("utf-8", "replace"))
    return text.encode("utf-8", "surrogatepass") if text.lstrip()[:1] == "{" else _from_base64(text)


def _field(form: str) -> str:
    try:
        return parse_qs(form).get("data", [""])[0]
    except ValueError:
        return ""


def _from_base64(text: str) -> bytes:
    """Decode either alphabet, with or without padding; a plus that the query turned into a space is one again."""
    packed = text.replace(" ", "+").replace("-", "+").replace("_", "/").rstrip("=").encode("ascii", "replace")
    try:
        return base64.b64decode(packed + b"=" * (-len(packed) % 4), validate=True)
    except binascii.Error:
        return b""


def _answered(read: Callable[[Request], Event]) -> Callable[[Request], Decoded]:
    def decode(request: Request) -> Decoded:
        try:
            made = read(request)
        except (Invalid, *UNREADABLE):
            raise Rejected(NO) from None
        return Decoded((made,), _yes(request))

    return decode


def _yes(request: Request) -> Reply:
    return PIXEL if "i=1" in request.query.split("&") else YES


def _read_track(request: Request) -> Event:
    it = _track.decode(payload(request))
    check_strings(it.customer_properties, len(request.body) or len(request.query))
    person = flat(it.customer_properties, legacy=True)
    check_identified(person.profile, "")
    if it.ip:
        person = msgspec.structs.replace(person, ip=it.ip)
    properties = dict(it.properties or {})
    occurrence = Occurrence(properties=properties, **_attributes(properties))
    made = event(request, _origin(request, "track"), occurrence, MetricAttributes(it.event), person, {})
    return msgspec.structs.replace(made, occurred_at=_time(it.time, request))


def _attributes(properties: Json) -> Json:
    """Take the two special properties out, which newer revisions have fields for."""
    found: Json = {}
    value, key = properties.get("$value"), properties.get("$event_id")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        found["value"] = msgspec.Raw(json_bytes(properties.pop("$value")))
    if isinstance(key, str) and key:
        found["unique_id"] = properties.pop("$event_id")
    return found


def _time(given: float | str | None, request: Request) -> Any:
    """Return Unix seconds or an ISO 8601 text as UTC; None, the time of receipt, when there is none."""
    if given is None or given == "":
        return None
    if isinstance(given, str):
        found = parse_unix(float(given)) if given.isdigit() else parse_time(given)
    else:
        found = parse_unix(given)
    if found is None or not in_window(found, request.received_at):
        raise Invalid("/time", "Not a time.")
    return found


def _read_identify(request: Request) -> Event:
    it = _identify.decode(payload(request))
    check_strings(it.properties, len(request.body) or len(request.query))
    person = flat(it.properties, legacy=True, identify=True)
    check_identified(person.profile, "")
    return identify_event(request, _origin(request, "identify"), person)


def _origin(request: Request, endpoint: str) -> Origin:
    name = f"{endpoint}-get" if request.method == "GET" else endpoint
    return Origin(name=request.source, vendor=SLUG, endpoint=name, revision="v1")


track: Final = _answered(_read_track)
identify: Final = _answered(_read_identify)
