"""One Synerise event -> one canonical event.

What has no canonical home is kept in ``residue["synerise"]`` for the way back:

| entry               | content                                                                            |
|---------------------|------------------------------------------------------------------------------------|
| ``raw``             | spellings and types of mapped values (`Lifted.raw`)                                |
| ``action``          | as sent, where it is a second spelling                                             |
| ``type``            | of a batch item, where it is not the one we would write                            |
| ``label``           | where it is not the action                                                         |
| ``time``            | where it is written in another form than ours                                      |
| ``snr-original-time`` | the time that was replaced because it lay in the future                          |
| ``client``          | identifiers and other members as sent, where we would write them otherwise         |
| ``params``          | those that Synerise reserves or that cannot be told from ours                      |
| ``currency``        | true: the client named the currency beside the amounts                             |
| ``rest``            | members beside the known ones                                                      |
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from gateway.adapter import Event, Lifted, Request, Shape, parse_time
from gateway.event import Commerce, ConsentChange, Origin, Profile

from .checks import is_email, is_identifier, missing
from .errors import Problem, problem
from .money import FLAT_KEYS, UNKNOWN, close_money, currency_of, open_money, open_prices
from .times import write_time
from .wire import CHARGE, CONSENT, CUSTOM, LINES, ORIGINAL_TIME, RESERVED, SLUG, TYPE_OF, VOCABULARY, Dedicated

Kept = dict[str, Any]

_ASIDE: Final = RESERVED | FLAT_KEYS | {ORIGINAL_TIME}
_IDENTIFIERS: Final = {"customId": "user_id", "uuid": "anonymous_id", "email": "email"}
_NO_CONSENT: Final[tuple[ConsentChange, ...]] = ()
_BY_NAME: Final = {action: (ConsentChange(granted=granted, channel="email"),) for action, granted in CONSENT.items()}


def read_event(
    body: dict[str, Any],
    request: Request,
    endpoint: str,
    action: str,
    problems: list[Problem],
    *,
    kind: Dedicated | None = None,
    sent_type: str | None = None,
    at: str = "",
) -> Event | None:
    """Return the event in one envelope, which is used up.

    Args:
        body: the envelope without its ``type`` and ``action``.
        request: gives ids and the time of arrival.
        endpoint: our name of the endpoint.
        action: what happened.
        problems: receives what is wrong with it; then there is no event.
        kind: the dedicated endpoint that it is for, which may require params.
        sent_type: the ``type`` it stood under in a batch, None at an endpoint of its own.
        at: where the envelope stands in the body, for `problems`.
    """
    kept: Kept = {}
    wrong = len(problems)
    _read_label(body, action, kept, problems, at)
    who = read_client(body.pop("client", None), kept, problems, at)
    occurred_at = read_time(body, "time", request, kept, problems, at)
    params = _read_params(body, kind, problems, at)
    if len(problems) > wrong:
        return None
    salt = read_salt(body)
    if body:
        kept["rest"] = body
    shape = VOCABULARY.decode(action)
    _keep_name(action, shape, sent_type, kept)
    lifted, commerce = read_params(shape, params, kept)
    if lifted.raw:
        kept["raw"] = lifted.raw
    return Event(
        id=request.new_id(),
        kind=shape.kind,
        name=shape.name,
        received_at=request.received_at,
        source=Origin(name=request.source, vendor=SLUG, endpoint=endpoint),
        occurred_at=occurred_at,
        dedupe_key=salt,
        profile=profile_of(lifted, who),
        commerce=commerce,
        consent=_BY_NAME.get(action, _NO_CONSENT),
        context=lifted.context(),
        properties=lifted.properties(),
        residue={SLUG: kept} if kept else {},
    )


def profile_of(lifted: Lifted, who: dict[str, Any]) -> Profile:
    """Return the profile of an event: its identifiers, and what stands in its params."""
    return lifted.profile(**who) if "profile" in lifted.parts else Profile(**who)


def _read_label(body: dict[str, Any], action: str, kept: Kept, problems: list[Problem], at: str) -> None:
    label = body.pop("label", None)
    if type(label) is not str or not label:
        problems.append(problem(f"{at}label", "must not be empty", label))
    elif label != action:
        kept["label"] = label


def _read_params(body: dict[str, Any], kind: Dedicated | None, problems: list[Problem], at: str) -> dict[str, Any]:
    params: Any = body.pop("params", None)
    if params is None:
        params = {}
    if not isinstance(params, dict):
        problems.append(problem(f"{at}params", "must be an object", params))
        return {}
    if kind is not None and kind.required:
        problems.extend(missing(kind, params, at))
    return params


def _keep_name(action: str, shape: Shape, sent_type: str | None, kept: Kept) -> None:
    """Keep action and type where they are not those we would write."""
    if action != shape.vendor_name:
        kept["action"] = action
    usual = TYPE_OF.get(action, _default_type(action))
    if sent_type is None:
        sent_type = usual or CUSTOM
    if sent_type != usual:
        kept["type"] = sent_type


def _default_type(action: str) -> str | None:
    """Return the type of an action without a dedicated endpoint; an order goes elsewhere, so it has none."""
    return None if action == CHARGE else CUSTOM


# --- params ----------------------------------------------------------------------------------------------


def read_params(shape: Shape, params: dict[str, Any], kept: Kept) -> tuple[Lifted, Commerce | None]:
    """Take an event's params apart; they are used up."""
    if not _ASIDE.isdisjoint(params):
        _put_aside(params, kept)
    rows = _rows(params, kept)
    currency = currency_of(params, rows)
    if currency is not UNKNOWN:
        _open(params, rows, currency, kept)
    spare = _put_second(params, shape)
    for row in rows or ():
        _put_second(row, None)
    lifted, commerce = shape.lift(params)
    if spare:
        lifted.rest.update(spare)
    if currency is not UNKNOWN and not FLAT_KEYS.isdisjoint(lifted.rest):
        close_money(lifted.rest, currency)
    return lifted, commerce


def _open(params: dict[str, Any], rows: list[dict[str, Any]] | None, currency: Any, kept: Kept) -> None:
    found = open_money(params, currency)
    if rows is not None:
        found = open_prices(rows, currency) or found
    if not found or currency is None:
        return
    if "currency" in params or "$currency" in params:
        kept["currency"] = True
    else:
        params["currency"] = currency


_NONE: Final[Kept] = {}


def _put_second(fields: dict[str, Any], shape: Shape | None) -> Kept:
    """Move second spellings behind the first ones: of several for a field the one that is read first counts.

    Those of an event whose first spelling is there are taken out, and returned; `shape` is None for a line.
    """
    if _SECOND.isdisjoint(fields):
        return _NONE
    spare: Kept = {}
    for key in _SECONDS:
        if key in fields:
            fields[key] = fields.pop(key)
    if shape is not None:
        for first, second in _RIVALS.get(shape.vendor_name, ()):
            if first in fields and second in fields:
                spare[second] = fields.pop(second)
    return spare


_ADDRESSES: Final = ("url", "ItemUrlAddress", "productUrl")
_RIVALS: Final = {
    shape.vendor_name: [("categories", "category"), *((first, key) for key in _ADDRESSES if key != first)]
    for shape in VOCABULARY.shapes()
    if (first := dict(shape.table.paths()).get("item.url"))
}
"""First and second spellings of products that stand flat in an event, by action."""

_SECONDS: Final = (
    "category", "$categories", "itemId", "retailer_part_no", "$productId", "$sku", "$name", "$title", "brand",
    "$quantity", "finalUnitPrice", "$finalUnitPrice", "$finalUnitPrice.amount", *_ADDRESSES, "$orderId", "$orderID",
    "order_id", "revenue", "$revenue", "value", "$totalAmount", "total_amount", "discountAmount", "$currency",
    "totalQty", "locale", "deviceId", "pageUrl", "pageTitle", "appVersion", "ID",
)  # fmt: skip
_SECOND: Final = frozenset(_SECONDS)


def _put_aside(params: dict[str, Any], kept: Kept) -> None:
    original = params.pop(ORIGINAL_TIME, None)
    if original is not None:
        kept.setdefault(ORIGINAL_TIME, original)
    aside = {key: params.pop(key) for key in [key for key in params if key in _ASIDE]}
    if aside:
        kept["params"] = aside


def _rows(params: dict[str, Any], kept: Kept) -> list[dict[str, Any]] | None:
    """Return the product lines, None when there are none; lines with keys that cannot be told are put aside."""
    rows = params.get(LINES)
    if type(rows) is not list or not rows:
        return None
    for row in rows:
        if type(row) is not dict:
            return None
        if not FLAT_KEYS.isdisjoint(row):
            kept.setdefault("params", {})[LINES] = params.pop(LINES)
            return None
    return rows


# --- the envelope ----------------------------------------------------------------------------------------


def read_client(client: Any, kept: Kept, problems: list[Problem], at: str) -> dict[str, Any]:
    """Return the fields of the profile that a ``client`` object names."""
    if type(client) is not dict:
        problems.append(problem(f"{at}client", "must not be null", client))
        return {}
    fields: dict[str, Any] = {}
    other: Kept = {}
    for key, value in client.items():
        name = _IDENTIFIERS.get(key)
        if name is not None and type(value) is str and value:
            fields[name] = value
            if not (is_email(value) if key == "email" else is_identifier(value)):
                problems.append(problem(f"{at}client.{key}", "is invalid", value))
        else:
            _read_odd(key, value, name, fields, other)
    if not fields:
        problems.append(problem(f"{at}client", "must have an identifier"))
    if other:
        kept["client"] = other
    return fields


def _read_odd(key: str, value: Any, name: str | None, fields: dict[str, Any], other: Kept) -> None:
    """Read Synerise's own id, and identifiers that are numbers; keep what is none."""
    if type(value) is int and (name is not None or key == "id"):
        if key == "id":
            fields["vendor_ids"] = {SLUG: str(value)}
            return
        if key == "customId":
            fields["user_id"] = str(value)
    elif key == "id" and type(value) is str and value.isascii() and value.isdigit():
        fields["vendor_ids"] = {SLUG: value}
    if value is not None:
        other[key] = value


def read_time(
    body: dict[str, Any], key: str, request: Request, kept: Kept, problems: list[Problem], at: str
) -> datetime | None:
    """Take the time out of an envelope; one in the future becomes that of arrival, as Synerise does it."""
    sent = body.pop(key, None)
    if sent is None:
        return None
    moment = parse_time(sent) if type(sent) is str else None
    if moment is None:
        problems.append(problem(f"{at}{key}", "is no ISO 8601 time", sent))
        return None
    if moment > request.received_at:
        kept[ORIGINAL_TIME] = sent
        return request.received_at
    if write_time(moment) != sent:
        kept["time"] = sent
    return moment


def read_salt(body: dict[str, Any]) -> str | None:
    """Take the client's own key out of an envelope; what is no text, or an empty one, stays where it is."""
    salt = body.get("eventSalt")
    if type(salt) is str and salt:
        del body["eventSalt"]
        return salt
    return None


def means(kept: Mapping[str, Any], event: Event) -> str | None:
    """Return the action that was sent, where it still stands for the event."""
    action = kept.get("action")
    if not isinstance(action, str):
        return None
    shape = VOCABULARY.decode(action)
    return action if (shape.kind, shape.name) == (event.kind, event.name) else None
