"""Everything an event can say, each thing with example events that say it."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import msgspec
from msgspec import Struct

from gateway.event import Commerce, ConsentChange, Event, Item, Kind, Origin, Profile
from gateway.routing.paths import Path

NOW: Final = datetime(2026, 11, 21, 12, tzinfo=UTC)
_EARLIER: Final = datetime(2026, 11, 21, 11, 30, 15, tzinfo=UTC)

EVENT_NAMES: Final = (
    "Products Searched",
    "Product List Viewed",
    "Product Viewed",
    "Product Added",
    "Product Removed",
    "Product Added to Wishlist",
    "Product Removed from Wishlist",
    "Cart Updated",
    "Checkout Started",
    "Order Completed",
    "Ordered Product",
    "Order Fulfilled",
    "Order Cancelled",
    "Order Refunded",
    "Signed Up",
    "Signed In",
    "Signed Out",
    "Subscribed",
    "Unsubscribed",
    "Email Opened",
    "Email Link Clicked",
    "Push Notification Tapped",
    "Application Opened",
)
"""Names that platforms have events of their own for; any other name is an event of the client's own."""

CHANNELS: Final = ("email", "sms", "push", "whatsapp")


class Capability(Struct, frozen=True, eq=False):
    """One thing that an event can say."""

    section: str
    name: str
    path: str
    """Where it stands in an event; for a kind of event, ``name`` or ``kind``."""
    events: tuple[Event, ...]
    """Examples of events that say it."""


def event(kind: Kind, name: str, **fields: Any) -> Event:
    """Return a plain event about somebody with an e-mail address."""
    given = {"profile": Profile(email="ann@example.com"), "occurred_at": _EARLIER, **fields}
    return Event(
        id="01900000-0000-7000-8000-000000000001",
        kind=kind,
        name=name,
        received_at=NOW,
        source=Origin(name="shop", vendor="nobody", endpoint="none"),
        **given,
    )


_ITEM: Final = Item(product_id="p-1", name="Mug", quantity=Decimal(2), price=Decimal("9.50"))
_COMMERCE: Final = Commerce(order_id="o-77", total=Decimal("19.00"), currency="EUR", items=(_ITEM,))
_ORDER: Final = event("track", "Order Completed", commerce=_COMMERCE)
_VIEW: Final = event("track", "Product Viewed", commerce=Commerce(items=(_ITEM,), currency="EUR"))
_CUSTOM: Final = event("track", "Lesson Finished")
_IDENTIFY: Final = event("identify", "Identify")
_PAGE: Final = event("page", "Page")

_PERSON: Final[Mapping[str, Any]] = {
    "user_id": "u-2002",
    "anonymous_id": "0f8fad5b-d9cb-469f-a165-70867728950e",
    "email": "bob@example.com",
    "phone": "+420777123456",
    "device_id": "d-31",
    "push_tokens": ("token-1",),
    "vendor_ids": {"elsewhere": "e-9"},
    "first_name": "Bob",
    "last_name": "Novak",
    "gender": "male",
    "birth_date": "1990-05-17",
    "organization": "Acme",
    "title": "Buyer",
    "image_url": "https://example.com/bob.png",
    "locale": "cs-CZ",
    "timezone": "Europe/Prague",
    "created_at": datetime(2024, 3, 1, 8, tzinfo=UTC),
}
_IDENTIFIERS: Final = ("user_id", "anonymous_id", "email", "phone", "device_id", "push_tokens", "vendor_ids")
_PLACE: Final[Mapping[str, Any]] = {
    "address1": "Long Street 1",
    "address2": "2nd floor",
    "city": "Brno",
    "region": "Moravia",
    "country": "CZ",
    "postal_code": "60200",
    "latitude": 49.2,
    "longitude": 16.6,
}
_FREE: Final[Mapping[str, tuple[str, Any]]] = {
    "text": ("color", "red"),
    "number": ("points", 12.5),
    "true or false": ("vip", True),
    "list of texts": ("tags", ["a", "b"]),
    "object": ("store", {"city": "Brno", "floor": 2}),
    "list of objects": ("rows", [{"a": 1}, {"a": 2}]),
}
_ORDER_FIELDS: Final[Mapping[str, Any]] = {
    "order_id": "o-88",
    "cart_id": "c-5",
    "total": Decimal("24.90"),
    "revenue": Decimal("19.00"),
    "tax": Decimal("3.99"),
    "shipping": Decimal("1.91"),
    "discount": Decimal("2.00"),
    "coupon": "SPRING",
    "currency": "CZK",
}
_ITEM_FIELDS: Final[Mapping[str, Any]] = {
    "product_id": "p-2",
    "sku": "SKU-2",
    "name": "Bowl",
    "brand": "Clay",
    "categories": ("Kitchen", "Bowls"),
    "variant": "blue",
    "quantity": Decimal(3),
    "price": Decimal("7.25"),
    "url": "https://example.com/bowl",
    "image_url": "https://example.com/bowl.png",
}
_CONTEXT: Final[Mapping[str, Any]] = {
    "ip": "192.0.2.7",
    "user_agent": "Mozilla/5.0",
    "locale": "cs-CZ",
    "timezone": "Europe/Prague",
    "screen": "Home",
    "device.type": "ios",
    "device.manufacturer": "Apple",
    "device.model": "iPhone15,2",
    "device.os_name": "iOS",
    "device.os_version": "18.1",
    "device.advertising_id": "6d92078a-8246-4ba4-ae5b-76104861e7dc",
    "device.carrier": "T-Mobile",
    "app.name": "Shop",
    "app.version": "3.1.0",
    "app.build": "310",
    "app.namespace": "com.example.shop",
    "page.url": "https://example.com/mug",
    "page.path": "/mug",
    "page.title": "Mug",
    "page.referrer": "https://example.com/",
    "page.search": "?q=mug",
    "campaign.name": "spring",
    "campaign.source": "newsletter",
    "campaign.medium": "email",
    "campaign.term": "mugs",
    "campaign.content": "top",
}


def _with(several: Sequence[Event], path: str, value: Any) -> tuple[Event, ...]:
    return tuple(Path(path).set(one, value) for one in several)


def _events() -> Iterator[Capability]:
    for name in EVENT_NAMES:
        example = msgspec.structs.replace(_ORDER, name=name)
        if name in ("Subscribed", "Unsubscribed"):
            example = msgspec.structs.replace(
                _CUSTOM, name=name, consent=(ConsentChange(channel="email", granted=name == "Subscribed"),)
            )
        yield Capability("Events", name, "name", (example,))
    yield Capability("Events", "an event of the client's own", "name", (_CUSTOM,))
    yield Capability("Events", "page viewed", "kind", (_PAGE,))
    yield Capability("Events", "screen viewed", "kind", (event("screen", "Screen"),))
    yield Capability("Events", "profile updated", "kind", (_IDENTIFY,))
    yield Capability("Events", "time of the event", "occurred_at", (_CUSTOM, _ORDER))
    keyed = _with((_CUSTOM, _ORDER), "properties.note", "x")
    key = tuple(msgspec.structs.replace(one, dedupe_key="k-1") for one in keyed)
    yield Capability("Events", "the client's own key of the event", "dedupe_key", key)


def _person() -> Iterator[Capability]:
    for field, value in _PERSON.items():
        carriers = (_IDENTIFY, _CUSTOM) if field in _IDENTIFIERS else (_IDENTIFY,)
        yield Capability("Person", _words(field), f"profile.{field}", _with(carriers, f"profile.{field}", value))
    both = _with(_with((_IDENTIFY, _CUSTOM), "profile.user_id", "u-2002"), "profile.email", "bob@example.com")
    yield Capability("Person", "email beside a user id", "profile.email", both)
    for field, value in _PLACE.items():
        path = f"profile.location.{field}"
        yield Capability("Person", _words(field), path, _with((_IDENTIFY,), path, value))
    for words, (key, value) in _FREE.items():
        path = f"profile.traits.{key}"
        yield Capability("Person", f"own trait: {words}", path, _with((_IDENTIFY,), path, value))


def _order() -> Iterator[Capability]:
    for field, value in _ORDER_FIELDS.items():
        yield Capability("Order", _words(field), f"commerce.{field}", _with((_ORDER,), f"commerce.{field}", value))
    for field, value in _ITEM_FIELDS.items():
        item = msgspec.structs.replace(_ITEM, **{field: value})
        carriers = _with((_ORDER, _VIEW), "commerce.items", (item,))
        yield Capability("Product line", _words(field), f"commerce.items[0].{field}", carriers)
    item = msgspec.structs.replace(_ITEM, properties={"size": "XL"})
    carriers = _with((_ORDER, _VIEW), "commerce.items", (item,))
    yield Capability("Product line", "own attribute", "commerce.items[0].properties.size", carriers)
    second = msgspec.structs.replace(_ITEM, product_id="p-3")
    several = _with((_ORDER,), "commerce.items", (_ITEM, second))
    yield Capability("Product line", "several lines", "commerce.items[1].product_id", several)


def _rest() -> Iterator[Capability]:
    for channel in CHANNELS:
        for granted, words in ((True, "given"), (False, "taken back")):
            change = (ConsentChange(channel=channel, granted=granted),)
            carriers = _with(
                (_IDENTIFY, event("track", "Subscribed" if granted else "Unsubscribed")), "consent", change
            )
            yield Capability("Permission", f"{channel} {words}", "consent[0].channel", carriers)
    for words, (key, value) in _FREE.items():
        path = f"properties.{key}"
        yield Capability("Own properties", words, path, _with((_CUSTOM,), path, value))
    for field, value in _CONTEXT.items():
        carriers = (_PAGE, _CUSTOM) if field.startswith(("page", "campaign")) else (_CUSTOM,)
        yield Capability("Circumstances", _words(field), f"context.{field}", _with(carriers, f"context.{field}", value))


def _words(field: str) -> str:
    return field.replace("_", " ").replace(".", ": ")


CAPABILITIES: Final[tuple[Capability, ...]] = (*_events(), *_person(), *_order(), *_rest())
