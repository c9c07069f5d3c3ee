"""Events -> requests to the orders endpoint, which stores an order once however often it is sent.

Source, read 2026-11-21: docs.yespo.io/docs/orders-automation. What an order has no member for stands in its
``additionalInfo``, whose values are texts.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from gateway.adapter import Encoded, EncodeError, Event, Loss, Settings

from .encode import batches
from .encode_event import Job, Written, job_of, write_event
from .limits import ORDERS, ORDERS_BODY_SENT
from .names import IDENTIFIERS, ORDER_STATUS
from .order import INFO, ITEMS, MEMBERS, NUMBERS, SOURCES, TEXTS, is_number
from .times import read_time, write_seconds
from .wire import SLUG, Json, as_json

_HEAD: Final = b'{"orders":['
_LARGEST: Final = ORDERS_BODY_SENT.value - len(_HEAD) - len(b"]}")


def encode_orders(events: Sequence[Event], settings: Settings) -> list[Encoded]:
    """Return calls of ``/api/v1/orders``, each within 1,000 orders.

    Raises:
        EncodeError: an event says nobody whom Yespo takes.
    """
    orders = [_order(event, settings) for event in events]
    written = [(as_json(order), lost) for order, lost in orders]
    for part, _ in written:
        if len(part) >= _LARGEST:
            raise EncodeError(f"the order is larger than the {ORDERS_BODY_SENT.value:,} bytes that we send at once")
    return batches(written, _HEAD, ORDERS.value, ORDERS_BODY_SENT.value)


def _order(event: Event, settings: Settings) -> tuple[Json, list[Loss]]:
    base = job_of(event, settings)
    job = Job(base.event, base.shape, base.kept, base.native, wrap=False) if base.wrap else base
    written = write_event(job)
    order: Json = {}
    info: Json = {}
    as_they_are = MEMBERS if job.native else _UNCHECKED
    for name, value in written.params.items():
        if name in as_they_are:
            order[name] = value
        elif name in MEMBERS:
            _write_member(name, value, order, info, written)
        elif name.lower() in IDENTIFIERS:
            _drop_identifier(name, written)
        elif type(value) is str:
            info[name] = value
        else:
            info[name] = _text(value)
            _report_text(name, value, f"{INFO}.{name}", written)
    if not job.native:
        _complete(event, order)
    _restore(event, order, job.kept)
    if info or "info" in job.kept:
        order[INFO] = {**info, **(job.kept.get("info") or {})}
    return order, _without_own(written.lost) if SLUG in event.residue else written.lost


_UNCHECKED: Final = MEMBERS - TEXTS - NUMBERS


def _write_member(name: str, value: Any, order: Json, info: Json, written: Written) -> None:
    if name in NUMBERS:
        if isinstance(value, Decimal) or is_number(value):
            order[name] = value
        else:
            _put_aside(name, value, info, written)
    elif name == "source" and value not in SOURCES:
        _put_aside(name, value, info, written)
    else:
        order[name] = _text(value)
        _report_text(name, value, name, written)


def _put_aside(name: str, value: Any, info: Json, written: Written) -> None:
    place = f"property_{name}"
    info[place] = _text(value)
    path = written.free.get(name)
    if path is not None:
        written.lost.append(Loss(0, path, "renamed", f"In an order {name} is something else.", f"{INFO}.{place}"))


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, Decimal) else as_json(value).decode()


def _report_text(name: str, value: Any, place: str, written: Written) -> None:
    path = written.free.get(name)
    if path is not None and not isinstance(value, (str, dict, list)):
        written.lost.append(Loss(0, path, "coerced", "An order keeps it as text.", place))


def _drop_identifier(name: str, written: Written) -> None:
    path = {
        "contact_id": "profile.vendor_ids.yespo",
        "contact_key": "profile.vendor_ids.yespo_contact_key",
        "push_token": "profile.push_tokens[0]",
    }.get(IDENTIFIERS[name.lower()])
    if path is not None:
        reason = "Yespo finds the contact of an order by external id, e-mail address or phone number."
        written.lost.append(Loss(0, path, "dropped", reason))


def _complete(event: Event, order: Json) -> None:
    order["date"] = f"{write_seconds(event.occurred_at or event.received_at)}Z"
    for row in order.get(ITEMS, ()):
        row.setdefault("quantity", 1)


def _restore(event: Event, order: Json, kept: Mapping[str, Any]) -> None:
    """Put back what was set aside of an order, and a date that still is the same."""
    for name, value in (kept.get("top") or {}).items():
        order.setdefault(name, value)
    if "date" not in order or ("date" in kept and read_time(kept["date"]) != event.occurred_at):
        order["date"] = f"{write_seconds(event.occurred_at or event.received_at)}Z"
    order.setdefault("status", ORDER_STATUS[event.name])


def _without_own(lost: list[Loss]) -> list[Loss]:
    """Return the losses without those of entries of our residue that an order does put back."""
    return [one for one in lost if not one.path.startswith(_OWN)]


_OWN: Final = ("residue.yespo.top", "residue.yespo.info")
