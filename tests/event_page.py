"""Writes the table of fields in ``docs/events.md`` from the Structs: ``python -m tests.event_page``."""

import ast
import inspect
import re
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, get_args, get_origin, get_type_hints

from msgspec import Struct

from gateway import event as canonical

PAGE: Final = Path(__file__).parents[1] / "docs" / "events.md"
BEGIN: Final = "<!-- fields: written by `python -m tests.event_page` -->"
END: Final = "<!-- end of fields -->"

PARTS: Final[dict[str, type[Struct]]] = {
    "": canonical.Event,
    "source": canonical.Origin,
    "profile": canonical.Profile,
    "profile.location": canonical.Location,
    "commerce": canonical.Commerce,
    "commerce.items[]": canonical.Item,
    "consent[]": canonical.ConsentChange,
    "context": canonical.Context,
    "context.device": canonical.Device,
    "context.app": canonical.App,
    "context.page": canonical.Page,
    "context.campaign": canonical.Campaign,
}

SEGMENT: Final = {
    "kind": "`type`",
    "name": "`event` of track, `name` of page and screen",
    "received_at": "`receivedAt`",
    "occurred_at": "`timestamp`",
    "dedupe_key": "`messageId`",
    "properties": "`properties` of track, page and screen",
    "profile.user_id": "`userId`",
    "profile.anonymous_id": "`anonymousId`",
    "profile.email": "`traits.email`",
    "profile.phone": "`traits.phone`",
    "profile.device_id": "`context.device.id`",
    "profile.push_tokens": "`context.device.token`",
    "profile.first_name": "`traits.firstName`",
    "profile.last_name": "`traits.lastName`",
    "profile.gender": "`traits.gender`",
    "profile.birth_date": "`traits.birthday`",
    "profile.organization": "`traits.company.name`",
    "profile.title": "`traits.title`",
    "profile.image_url": "`traits.avatar`",
    "profile.created_at": "`traits.createdAt`",
    "profile.traits": "`traits`, the others",
    "profile.location.address1": "`traits.address.street`",
    "profile.location.city": "`traits.address.city`",
    "profile.location.region": "`traits.address.state`",
    "profile.location.country": "`traits.address.country`",
    "profile.location.postal_code": "`traits.address.postalCode`",
    "commerce.order_id": "`properties.order_id`",
    "commerce.cart_id": "`properties.cart_id`",
    "commerce.total": "`properties.total`, on carts and checkouts `properties.value`",
    "commerce.revenue": "`properties.revenue`",
    "commerce.tax": "`properties.tax`",
    "commerce.shipping": "`properties.shipping`",
    "commerce.discount": "`properties.discount`",
    "commerce.coupon": "`properties.coupon`",
    "commerce.currency": "`properties.currency`",
    "commerce.items": "`properties.products`, or one product's own properties",
    "commerce.items[].product_id": "`product_id`",
    "commerce.items[].sku": "`sku`",
    "commerce.items[].name": "`name`",
    "commerce.items[].brand": "`brand`",
    "commerce.items[].categories": "`category`",
    "commerce.items[].variant": "`variant`",
    "commerce.items[].quantity": "`quantity`",
    "commerce.items[].price": "`price`",
    "commerce.items[].url": "`url`",
    "commerce.items[].image_url": "`image_url`",
    "commerce.items[].properties": "`coupon`, `position` and any other",
    "context.ip": "`context.ip`",
    "context.user_agent": "`context.userAgent`",
    "context.locale": "`context.locale`",
    "context.timezone": "`context.timezone`",
    "context.screen": "`name` of the last screen call",
    "context.device.type": "`context.device.type`",
    "context.device.manufacturer": "`context.device.manufacturer`",
    "context.device.model": "`context.device.model`",
    "context.device.os_name": "`context.os.name`",
    "context.device.os_version": "`context.os.version`",
    "context.device.advertising_id": "`context.device.advertisingId`",
    "context.device.carrier": "`context.network.carrier`",
    "context.app.name": "`context.app.name`",
    "context.app.version": "`context.app.version`",
    "context.app.build": "`context.app.build`",
    "context.app.namespace": "`context.app.namespace`",
    "context.page.url": "`context.page.url`",
    "context.page.path": "`context.page.path`",
    "context.page.title": "`context.page.title`",
    "context.page.referrer": "`context.page.referrer`",
    "context.page.search": "`context.page.search`",
    "context.campaign.name": "`context.campaign.name`",
    "context.campaign.source": "`context.campaign.source`",
    "context.campaign.medium": "`context.campaign.medium`",
    "context.campaign.term": "`context.campaign.term`",
    "context.campaign.content": "`context.campaign.content`",
}
"""Where the Segment spec has the same; what is missing here it has not."""

_WORDS: Final = {str: "text", Decimal: "decimal", datetime: "time", bool: "yes or no", float: "number"}


def rows() -> Iterator[tuple[str, str, str, str]]:
    """Yield path, type, counterpart in the Segment spec and meaning of every field."""
    for part, struct in PARTS.items():
        meanings = _meanings(struct)
        for field, hint in get_type_hints(struct).items():
            path = f"{part}.{field}" if part else field
            yield path, _type(hint), SEGMENT.get(path, "—"), meanings.get(field, "")


def _meanings(struct: type[Struct]) -> dict[str, str]:
    """Return the docstrings under a Struct's fields."""
    found = {}
    body = ast.parse(inspect.getsource(struct)).body[0]
    assert isinstance(body, ast.ClassDef)
    for field, text in zip(body.body, body.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, ast.Expr):
            found[field.target.id] = inspect.cleandoc(ast.literal_eval(text.value)).replace("\n", " ")
    return found


def _type(hint: Any) -> str:
    if hint == canonical.Kind:
        return "one of the calls"
    options = [option for option in get_args(hint) if option not in (type(None), ...)]
    if get_origin(hint) is dict:
        return "free object" if get_args(hint)[1] is not str else "texts by name"
    if get_origin(hint) is tuple:
        return f"list of {_type(options[0])}s"
    if options:
        return _type(options[0])
    return _WORDS.get(hint, "part" if isinstance(hint, type) and issubclass(hint, Struct) else str(hint))


def table() -> str:
    """Return the generated part of the page."""
    lines = ["| field | type | in the Segment spec | meaning |", "|---|---|---|---|"]
    lines += [f"| `{path}` | {kind} | {segment} | {_code(meaning)} |" for path, kind, segment, meaning in rows()]
    return "\n".join([BEGIN, "", *lines, "", END])


def _code(text: str) -> str:
    return re.sub(r"`+", "`", text)


def renewed(page: str) -> str:
    """Return the page with its table of fields written anew."""
    before, _, rest = page.partition(BEGIN)
    return before + table() + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text("utf-8")), "utf-8")
