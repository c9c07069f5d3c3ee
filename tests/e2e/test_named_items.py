"""Answers that name items of a request, and successes that are none: what each vendor says is done to just those.

The real adapters and the real delivery side; the answers have the shapes that the vendors publish, with the named
items in no order.
"""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gateway import registry
from gateway.adapter import Event
from gateway.log.port import DeadLetter, TargetStatus
from gateway.testing.faults import Fault, FaultyVendor, refuses, serving
from gateway.testing.wire import Act, Seen
from tests.e2e.delivering import account, delivering, spec, with_windows
from tests.e2e.limit_runs import order, person, view

NUMBER = 40
BAD = frozenset({0, 3, 7, 19, 39})
Named = list[tuple[int, Any]]
"""Places and items of a request that are refused, in no order."""


def ok(body: Any, status: int = 200) -> Act:
    return Act(status=status, body=json.dumps(body).encode(), headers={"Content-Type": "application/json"})


@dataclass
class Shop:
    """A vendor that refuses some people's items, and knows which it stored."""

    items: Callable[[Any], list[Any]]
    """The items of a request's body."""
    who: Callable[[Any], str]
    """The address in an item."""
    says: Callable[[Named], Act]
    """The answer to a request with refused items."""
    well: Act
    stores_the_others: bool = True
    stored: Counter[str] = field(default_factory=Counter)
    draw: random.Random = field(default_factory=lambda: random.Random(3))

    def __call__(self, seen: Seen) -> Act:
        items = self.items(json.loads(seen.body))
        named = [(at, item) for at, item in enumerate(items) if is_bad(self.who(item))]
        self.draw.shuffle(named)
        if self.stores_the_others or not named:
            refused = {at for at, _ in named}
            self.stored.update(self.who(item) for at, item in enumerate(items) if at not in refused)
        return self.says(named) if named else self.well


def is_bad(address: str) -> bool:
    return int(address.removeprefix("p").split("@")[0]) in BAD


def address(number: int) -> str:
    return f"p{number}@example.com"


GOOD = {address(number) for number in range(NUMBER) if number not in BAD}


def refuse(
    folder: Path, vendor: str, endpoint: str, act: Act | Callable[[Seen], Act], events: Sequence[Event]
) -> tuple[TargetStatus, list[DeadLetter]]:
    """Deliver events over one endpoint that answers so; return the counts and the dead letters."""
    adapter = with_windows(registry.adapter(vendor), only=(endpoint,))
    (outbound,) = adapter.outbound
    stand_in = FaultyVendor(
        adapter, [account(adapter)], faults=[Fault(act, where=lambda seen: seen.path == outbound.path)]
    )

    async def story() -> tuple[TargetStatus, list[DeadLetter]]:
        async with serving(stand_in) as wire, delivering(folder, spec(adapter, wire.url), events=events) as made:
            return (await made.settled())["crm"], await made.dead()

    return asyncio.run(story())


# --- klaviyo ---------------------------------------------------------------------------------------------


def klaviyo_items(body: Any) -> list[Any]:
    found: list[Any] = body["data"]["attributes"]["events-bulk-create"]["data"]
    return found


def klaviyo_address(item: Any) -> str:
    return str(item["attributes"]["profile"]["data"]["attributes"]["email"])


def klaviyo_says(named: Named) -> Act:
    errors = [
        {
            "id": "0f1d2c3b",
            "status": 400,
            "code": "invalid",
            "title": "Invalid input.",
            "detail": f"wrong at {at}",
            "source": {"pointer": f"/data/attributes/events-bulk-create/data/{at}/attributes/profile"},
        }
        for at, _ in named
    ]
    return ok({"errors": errors}, 400)


def test_klaviyos_pointers_name_the_events_of_a_job_that_is_refused_whole(tmp_path: Path) -> None:
    shop = Shop(klaviyo_items, klaviyo_address, klaviyo_says, ok({}, 202), stores_the_others=False)
    counts, dead = refuse(tmp_path, "klaviyo", "event-bulk-create-jobs", shop, [view(n) for n in range(NUMBER)])
    check(shop, counts, dead, once=True)
    assert all(letter.reason.startswith("wrong at ") for letter in dead)


# --- blueshift -------------------------------------------------------------------------------------------


def blueshift_says(named: Named) -> Act:
    errors = [{"status": 422, "error_data": {"email": ["is invalid"]}} for _ in named]
    return ok({"customers": [item for _, item in named], "errors": errors})


def blueshift_strange(named: Named) -> Act:
    """Failures that cannot be laid to any row."""
    return ok({"customers": [{"uuid": "unknown"} for _ in named], "errors": [{"status": 422} for _ in named]})


@pytest.mark.parametrize("says", [blueshift_says, blueshift_strange])
def test_blueshifts_list_of_rows_that_were_not_stored(tmp_path: Path, says: Callable[[Named], Act]) -> None:
    shop = Shop(lambda body: body["customers"], lambda row: str(row["email"]), says, ok({}))
    counts, dead = refuse(tmp_path, "blueshift", "customers_bulk", shop, [person(n) for n in range(NUMBER)])
    check(shop, counts, dead, once=False)


def test_rows_that_blueshift_did_not_store_for_a_passing_reason_are_sent_again(tmp_path: Path) -> None:
    """A 200 that says 503 of some rows is no success of theirs."""
    stored: Counter[str] = Counter()
    calls = 0

    def act(seen: Seen) -> Act:
        nonlocal calls
        calls += 1
        rows = json.loads(seen.body)["customers"]
        failed = rows[::2] if calls == 1 else []
        stored.update(row["email"] for row in rows if row not in failed)
        return ok({"customers": failed[::-1], "errors": [{"status": 503} for _ in failed]})

    counts, dead = refuse(tmp_path, "blueshift", "customers_bulk", act, [person(n) for n in range(20)])
    assert (counts.delivered, dead) == (20, [])
    assert set(stored) == {address(n) for n in range(20)}


# --- yespo -----------------------------------------------------------------------------------------------


def yespo_says(inner: str, name: str) -> Callable[[Named], Act]:
    def says(named: Named) -> Act:
        rows = [{"error": "not valid", inner: item} for _, item in named]
        return ok({name: rows[0] if len(rows) == 1 else rows})

    return says


def test_yespos_failed_orders(tmp_path: Path) -> None:
    says = yespo_says("order", "failedOrders")
    shop = Shop(lambda body: body["orders"], lambda row: str(row["email"]), says, Act(status=200, body=b""))
    counts, dead = refuse(tmp_path, "yespo", "orders", shop, [order(n) for n in range(NUMBER)])
    check(shop, counts, dead, once=True)
    assert {letter.reason for letter in dead} == {"Yespo says: not valid"}


def test_yespos_failed_contacts(tmp_path: Path) -> None:
    shop = Shop(
        lambda body: body["contacts"],
        lambda row: str(row["channels"][0]["value"]),
        yespo_says("contact", "failedContacts"),
        ok({"asyncSessionId": "s-1"}),
    )
    counts, dead = refuse(tmp_path, "yespo", "contacts", shop, [person(n) for n in range(NUMBER)])
    check(shop, counts, dead, once=True)


YESPO_LIES = {
    "a status in the body": ok({"status": 400, "message": "no such type"}),
    "an error in the body": ok({"error": "no such type"}),
}


@pytest.mark.parametrize("lie", YESPO_LIES)
def test_a_200_whose_body_is_an_error_is_no_success(tmp_path: Path, lie: str) -> None:
    counts, dead = refuse(tmp_path, "yespo", "event_v2", YESPO_LIES[lie], [view(n) for n in range(3)])
    assert (counts.delivered, len(dead)) == (0, 3)
    assert {letter.status for letter in dead} == {200}


def test_a_200_that_is_a_web_page_holds_the_target(tmp_path: Path) -> None:
    adapter = with_windows(registry.adapter("yespo"), only=("event_v2",))
    page = Fault(refuses(200, b"<html>a shop</html>"), times=2)
    stand_in = FaultyVendor(adapter, [account(adapter)], faults=[page])

    async def story() -> None:
        async with serving(stand_in) as wire:
            target = spec(adapter, wire.url, concurrency=1)
            async with delivering(tmp_path, target, events=[view(n) for n in range(3)]) as made:
                await made.until(lambda: made.deliverer.states()[0].state == "held")
                assert (await made.status())["crm"].dead == 0
                assert (await made.settled())["crm"].delivered == 3

    asyncio.run(story())


# --- synerise --------------------------------------------------------------------------------------------


def synerise_places(named: Named) -> Act:
    errors = [
        {"code": 100, "field": f"[{at}].email", "message": "is invalid", "rejectedValue": None} for at, _ in named
    ]
    return ok(errors, 207)


def synerise_values(named: Named) -> Act:
    errors = [
        {"code": 100, "field": "email", "message": "is invalid", "rejectedValue": item["email"]} for _, item in named
    ]
    return ok(errors, 207)


def synerise_strange(named: Named) -> Act:
    return ok([{"code": 100, "message": "something is wrong"} for _ in named], 207)


@pytest.mark.parametrize("says", [synerise_places, synerise_values, synerise_strange])
def test_synerises_207(tmp_path: Path, says: Callable[[Named], Act]) -> None:
    shop = Shop(lambda body: list(body), lambda row: str(row["email"]), says, ok("", 202))
    counts, dead = refuse(tmp_path, "synerise", "clients_batch", shop, [person(n) for n in range(NUMBER)])
    check(shop, counts, dead, once=False)


def test_synerises_207_of_transactions(tmp_path: Path) -> None:
    shop = Shop(lambda body: list(body), lambda row: str(row["client"]["email"]), synerise_places, ok("", 202))
    counts, dead = refuse(tmp_path, "synerise", "transactions_batch", shop, [order(n) for n in range(NUMBER)])
    check(shop, counts, dead, once=False)


def test_an_empty_207_is_a_success(tmp_path: Path) -> None:
    counts, dead = refuse(tmp_path, "synerise", "clients_batch", ok([], 207), [person(n) for n in range(5)])
    assert (counts.delivered, dead) == (5, [])


# --- all -------------------------------------------------------------------------------------------------


def check(shop: Shop, counts: TargetStatus, dead: list[DeadLetter], *, once: bool) -> None:
    """Hold a run to its promise: just those that were refused are dead, and the others stored."""
    assert {letter.lane for letter in dead} == {address(number) for number in BAD}
    assert (counts.delivered, counts.dead) == (NUMBER - len(BAD), len(BAD))
    assert set(shop.stored) == GOOD
    if once:
        assert set(shop.stored.values()) == {1}, "what was stored was sent again"
