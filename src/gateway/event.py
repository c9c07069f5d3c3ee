"""The canonical event: what every vendor's payload becomes, and all that the core ever sees.

Closed at every level: an unknown key is an error, except inside the parts marked *free*, which hold any
JSON value. Money is `Decimal`, so 12.10 stays 12.10. Times are UTC with microseconds.

`docs/events.md` holds the table of kinds and names (the Segment spec's calls and e-commerce events).
"""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

Kind = Literal["track", "identify", "page", "screen", "group", "alias"]
"""One of the Segment spec's calls (segment.com/docs/connections/spec, read 2026-11-21)."""

KINDS: Final[tuple[Kind, ...]] = ("track", "identify", "page", "screen", "group", "alias")


class Location(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A postal and geographic place."""

    address1: str | None = None
    address2: str | None = None
    city: str | None = None
    region: str | None = None
    country: str | None = None
    """A name or a code, as the vendor gave it."""
    postal_code: str | None = None
    latitude: float | None = None
    """Degrees; not range-checked, since vendors do not."""
    longitude: float | None = None


class Profile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Who the event is about: identifiers, then traits."""

    user_id: str | None = None
    """The client's own id of the person."""
    anonymous_id: str | None = None
    email: str | None = None
    phone: str | None = None
    """As given; E.164 where the client follows its vendor's rule."""
    device_id: str | None = None
    push_tokens: tuple[str, ...] = ()
    vendor_ids: dict[str, str] = {}
    """Ids a vendor made for this person, by the slug of the vendor's adapter: ``{"acme": "01H…"}``."""

    first_name: str | None = None
    last_name: str | None = None
    gender: str | None = None
    birth_date: str | None = None
    """ISO 8601 date, as far as known."""
    organization: str | None = None
    title: str | None = None
    image_url: str | None = None
    locale: str | None = None
    timezone: str | None = None
    """IANA name."""
    created_at: datetime | None = None
    """When the person became a customer, UTC."""
    location: Location | None = None
    traits: dict[str, Any] = {}
    """Free: every trait without a field above."""


class Item(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One product line."""

    product_id: str | None = None
    sku: str | None = None
    name: str | None = None
    brand: str | None = None
    categories: tuple[str, ...] = ()
    variant: str | None = None
    quantity: Decimal | None = None
    price: Decimal | None = None
    """Of one unit, in the event's currency."""
    url: str | None = None
    image_url: str | None = None
    properties: dict[str, Any] = {}
    """Free: every attribute of the line without a field above."""


class Commerce(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Money and products. All amounts are in `currency`."""

    order_id: str | None = None
    cart_id: str | None = None
    total: Decimal | None = None
    """What the event is worth to its vendor: the order's total with tax, shipping and discount."""
    revenue: Decimal | None = None
    """Without tax and shipping."""
    tax: Decimal | None = None
    shipping: Decimal | None = None
    discount: Decimal | None = None
    coupon: str | None = None
    currency: str | None = None
    """ISO 4217."""
    items: tuple[Item, ...] = ()


class ConsentChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One permission given or taken back."""

    granted: bool
    channel: str | None = None
    """``email``, ``sms``, ``push``, ``in_app``, ``web``, ``direct_mail``, ``whatsapp``, or None for all."""
    group: str | None = None
    """A list or subscription group within the channel."""
    at: datetime | None = None
    wording: str | None = None
    """What the person was shown, or where it was given."""


class Device(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The hardware and its operating system."""

    type: str | None = None
    manufacturer: str | None = None
    model: str | None = None
    os_name: str | None = None
    os_version: str | None = None
    advertising_id: str | None = None
    carrier: str | None = None


class App(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The application that sent the event."""

    name: str | None = None
    version: str | None = None
    build: str | None = None
    namespace: str | None = None
    """Bundle or package id."""


class Page(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The web page the event happened on."""

    url: str | None = None
    path: str | None = None
    title: str | None = None
    referrer: str | None = None
    search: str | None = None


class Campaign(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What brought the person here (utm_*)."""

    name: str | None = None
    source: str | None = None
    medium: str | None = None
    term: str | None = None
    content: str | None = None


class Context(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The circumstances of the event."""

    ip: str | None = None
    user_agent: str | None = None
    locale: str | None = None
    timezone: str | None = None
    screen: str | None = None
    """Name of the app's screen."""
    device: Device | None = None
    app: App | None = None
    page: Page | None = None
    campaign: Campaign | None = None


class Origin(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Where the event came in."""

    name: str
    """The source's name in the configuration."""
    vendor: str
    endpoint: str
    """The adapter's name of the inbound endpoint."""
    revision: str | None = None
    """The API revision the client spoke, where the vendor has them."""


EMPTY_PROFILE: Final = Profile()
EMPTY_CONTEXT: Final = Context()


class Event(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One thing that happened, in nobody's dialect."""

    id: str
    """UUIDv7 given at accept: the key of receipts and the seed of outbound idempotency keys."""
    kind: Kind
    name: str
    """The Segment e-commerce spec's name where it has one, else the vendor's own, verbatim."""
    received_at: datetime
    source: Origin
    occurred_at: datetime | None = None
    """None when the client gave no time."""
    dedupe_key: str | None = None
    """The client's own key; never invented."""
    profile: Profile = EMPTY_PROFILE
    commerce: Commerce | None = None
    consent: tuple[ConsentChange, ...] = ()
    context: Context = EMPTY_CONTEXT
    properties: dict[str, Any] = {}
    """Free: what the vendor calls event properties and has no field above."""
    residue: dict[str, dict[str, Any]] = {}
    """Free, by vendor: what has no canonical home. The same vendor's encoder puts it back."""


_encoder = msgspec.json.Encoder(decimal_format="string")
_decoder = msgspec.json.Decoder(Event)


def dump(event: Event) -> bytes:
    """Return the event as the JSON the log stores; `load` gives back an equal event."""
    return _encoder.encode(event)


def load(data: bytes) -> Event:
    """Return the event that `dump` wrote.

    Raises:
        msgspec.ValidationError: ``data`` is no canonical event.
    """
    return _decoder.decode(data)


def lane(event: Event) -> str:
    """Return the key of the ordered sub-stream the event belongs to: its profile, by its strongest identifier."""
    who = event.profile
    return (
        who.user_id
        or who.email
        or who.phone
        or who.anonymous_id
        or who.device_id
        or next(iter(who.vendor_ids.values()), None)
        or event.id
    )


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield ``(path, value)`` of every leaf of a builtin tree, as ``commerce.items[0].sku``."""
    if not value or not isinstance(value, _NESTS):
        return iter([(path, value)])
    found: list[tuple[str, Any]] = []
    _collect(value, path, found)
    return iter(found)


def leaf_paths(value: Any, path: str) -> list[str]:
    """Return the paths of `leaves`."""
    if not value or not isinstance(value, _NESTS):
        return [path]
    found: list[str] = []
    _collect_paths(value, path, found)
    return found


_NESTS: Final = (dict, list, tuple)


def _collect_paths(value: Any, path: str, found: list[str]) -> None:
    if isinstance(value, dict):
        for name, inner in value.items():
            if inner and isinstance(inner, _NESTS):
                _collect_paths(inner, f"{path}.{name}", found)
            else:
                found.append(f"{path}.{name}")
        return
    for index, inner in enumerate(value):
        if inner and isinstance(inner, _NESTS):
            _collect_paths(inner, f"{path}[{index}]", found)
        else:
            found.append(f"{path}[{index}]")


def _collect(value: Any, path: str, found: list[tuple[str, Any]]) -> None:
    if isinstance(value, dict):
        head = f"{path}." if path else ""
        for name, inner in value.items():
            if inner and isinstance(inner, _NESTS):
                _collect(inner, f"{head}{name}", found)
            else:
                found.append((f"{head}{name}", inner))
        return
    for index, inner in enumerate(value):
        if inner and isinstance(inner, _NESTS):
            _collect(inner, f"{path}[{index}]", found)
        else:
            found.append((f"{path}[{index}]", inner))
