"""Requests that need a token, and requests that something else has to come before; in a world whose time jumps."""

import asyncio
from collections.abc import Callable

import httpx
import msgspec
import pytest

from gateway.adapter import Adapter, Answer, Login, Outbound, Rule, Verdict
from gateway.event import Commerce
from tests.unit.delivery.vendor_adapter import adapter, outbound
from tests.unit.delivery.world import Arrival, Vendor, World, event, play

SPENT = Rule(401, None, Verdict.RENEW, "the token is spent")
UNKNOWN = Rule(404, None, Verdict.PREPARE, "nobody has met this person")


def token_of(answer: Answer) -> str | None:
    return msgspec.json.decode(answer.body, type=dict[str, str]).get("token")


LOGIN = Login(
    method="POST",
    path="/login",
    headers=lambda credentials: {"Content-Type": "application/json"},
    body=lambda credentials: b"[]",
    token=token_of,
)


def with_login(name: str = "events", **more: object) -> Outbound:
    """Return an endpoint that carries the token of a login."""
    return msgspec.structs.replace(
        outbound(name, **more),  # type: ignore[arg-type]  # what tests pass on
        login=LOGIN,
        headers=lambda credentials: {"Authorization": f"Bearer {credentials['token']}"},
        rules=(SPENT,),
    )


class Guarded:
    """A vendor that gives tokens and takes back those it is told to."""

    def __init__(self, at_login: Callable[[int], httpx.Response] | None = None) -> None:
        self.logins = 0
        self.valid: set[str] = set()
        self.refuse_all = False
        self._at_login = at_login
        self.vendor = Vendor(self.answer)

    def answer(self, arrival: Arrival) -> httpx.Response:
        if arrival.path == "/base/login":
            self.logins += 1
            if self._at_login is not None:
                return self._at_login(self.logins)
            token = f"t{self.logins}"
            self.valid.add(token)
            return httpx.Response(200, json={"token": token})
        given = arrival.request.headers["authorization"].removeprefix("Bearer ")
        return httpx.Response(202 if given in self.valid and not self.refuse_all else 401)


def test_one_login_serves_all_requests_of_all_endpoints() -> None:
    async def story() -> None:
        guarded = Guarded()
        guarded.vendor.latency = 0.5
        ends = (with_login("people", kinds=("identify",)), with_login("events", kinds=("track",)))
        world = World(guarded.vendor, adapter=adapter(*ends))
        kinds = ("track", "identify")
        await world.deliver([event(n, who=f"p{n}", kind=kinds[n % 2]) for n in range(40)])  # type: ignore[arg-type]
        assert guarded.logins == 1
        assert len(guarded.vendor.accepted) == 40

    play(story())


def test_the_token_is_a_secret() -> None:
    async def story() -> None:
        def script(arrival: Arrival) -> httpx.Response:
            if arrival.path == "/base/login":
                return httpx.Response(200, json={"token": "very-secret"})
            return httpx.Response(400, text="not for very-secret")

        world = World(Vendor(script), adapter=adapter(with_login()))
        await world.deliver([event(1)])
        (letter,) = await world.log.dead_letters()
        assert letter.answer == b"not for ***"

    play(story())


def test_a_spent_token_is_renewed_once_for_all_in_flight_and_nothing_is_lost() -> None:
    async def story() -> None:
        guarded = Guarded()
        guarded.vendor.latency = 0.1
        world = World(guarded.vendor, adapter=adapter(with_login()))
        events = [event(n, who=f"p{n % 30}") for n in range(200)]
        await world.append(*events)
        await world.deliverer.start()
        for number in (40, 120):
            await world.until(lambda number=number: len(guarded.vendor.accepted) > number)  # type: ignore[misc]
            guarded.valid.clear()
        await world.settled()
        await world.deliverer.stop()
        assert guarded.logins == 3
        assert sorted(guarded.vendor.accepted) == sorted(one.id for one in events)
        assert {attempt.verdict for attempt in world.attempts} == {Verdict.DONE, Verdict.RENEW}

    play(story())


def test_a_fresh_token_that_is_refused_holds_the_target() -> None:
    async def story() -> None:
        guarded = Guarded()
        guarded.refuse_all = True
        world = World(guarded.vendor, adapter=adapter(with_login()), concurrency=1)
        await world.append(event(1))
        await world.deliverer.start()
        await world.until(lambda: world.deliverer.states()[0].state == "held")
        assert "again with a fresh token" in world.deliverer.states()[0].reason
        guarded.refuse_all = False
        await world.settled()
        await world.deliverer.stop()
        assert guarded.vendor.accepted == ["e1"]

    play(story())


@pytest.mark.parametrize(
    ("failure", "state"),
    [
        (httpx.Response(401), "held"),
        (httpx.Response(400), "held"),
        (httpx.Response(200, json={"other": "x"}), "held"),
        (httpx.Response(200, json={"token": "no\nheader"}), "held"),
        (httpx.Response(200, text="no JSON"), "held"),
    ],
)
def test_a_login_that_is_refused_holds_the_target_and_costs_no_event(failure: httpx.Response, state: str) -> None:
    async def story() -> None:
        fails = 3
        guarded = Guarded()

        def at_login(number: int) -> httpx.Response:
            if number <= fails:
                return httpx.Response(failure.status_code, content=failure.content)
            guarded.valid.add("good")
            return httpx.Response(200, json={"token": "good"})

        guarded._at_login = at_login
        world = World(guarded.vendor, adapter=adapter(with_login()), concurrency=1)
        await world.append(event(1), event(2))
        await world.deliverer.start()
        await world.until(lambda: world.deliverer.states()[0].state == state)
        await world.settled()
        await world.deliverer.stop()
        assert guarded.vendor.accepted == ["e1", "e2"]
        assert guarded.logins == fails + 1

    play(story())


@pytest.mark.parametrize("failure", [500, 429, None])
def test_a_login_that_fails_for_a_while_is_tried_again(failure: int | None) -> None:
    async def story() -> None:
        guarded = Guarded()

        def at_login(number: int) -> httpx.Response:
            if number <= 4 and failure is None:
                raise httpx.ConnectError("nobody there")
            if number <= 4:
                return httpx.Response(failure or 500)
            guarded.valid.add("good")
            return httpx.Response(200, json={"token": "good"})

        guarded._at_login = at_login
        world = World(guarded.vendor, adapter=adapter(with_login()), concurrency=3)
        await world.deliver([event(n, who=f"p{n}") for n in range(6)])
        assert sorted(guarded.vendor.accepted) == [f"e{n}" for n in range(6)]
        assert await world.log.dead_letters() == []

    play(story())


def test_a_token_is_in_no_dead_letter() -> None:
    async def story() -> None:
        vendor = Vendor(lambda arrival: httpx.Response(200, json={"token": "t0ken"}))
        end = msgspec.structs.replace(with_login(), rules=(Rule(200, None, Verdict.REJECT, "never"),))
        world = World(vendor, adapter=adapter(end))
        await world.deliver([event(1)])
        (letter,) = await world.log.dead_letters()
        assert b"t0ken" not in (letter.request or b"") + letter.body

    play(story())


# --- something that has to be there first ----------------------------------------------------------------


def preparing(**first: object) -> Adapter:
    """Return a vendor that wants a person created before an event."""
    events = msgspec.structs.replace(outbound("events"), rules=(UNKNOWN,), prepare="people")
    return adapter(events, outbound("people", kinds=(), **first))  # type: ignore[arg-type]  # what tests pass on


class Reluctant:
    """A vendor that knows nobody at first."""

    def __init__(self, at_people: int | Exception = 201, *, forgets: bool = False) -> None:
        self.known: set[str] = set()
        self.at_people: int | Exception = at_people
        self.forgets = forgets
        self.went: list[tuple[str, str]] = []
        self.vendor = Vendor(self.answer)

    def answer(self, arrival: Arrival) -> httpx.Response:
        (one,) = arrival.ids
        path = arrival.path.removeprefix("/base/")
        self.went.append((path, one))
        if path == "people":
            if isinstance(self.at_people, Exception):
                raise self.at_people
            if self.at_people < 300 and not self.forgets:
                self.known.add(one)
            return httpx.Response(self.at_people)
        return httpx.Response(200 if one in self.known else 404)


def test_what_is_missing_is_made_and_the_event_sent_again() -> None:
    async def story() -> None:
        reluctant = Reluctant()
        world = World(reluctant.vendor, adapter=preparing())
        await world.deliver([event(1), event(2)])
        calls = [("events", "e1"), ("people", "e1"), ("events", "e1"), ("events", "e2"), ("people", "e2")]
        assert reluctant.went == [*calls, ("events", "e2")]
        assert await world.log.dead_letters() == []

    play(story())


def test_what_stays_missing_is_rejected() -> None:
    async def story() -> None:
        reluctant = Reluctant(forgets=True)
        world = World(reluctant.vendor, adapter=preparing())
        await world.deliver([event(1)])
        (letter,) = await world.log.dead_letters()
        assert letter.reason == "HTTP 404: nobody has met this person, also after people"
        assert len(reluctant.went) == 3

    play(story())


def test_a_preparation_that_is_refused_rejects_the_event() -> None:
    async def story() -> None:
        reluctant = Reluctant(at_people=400)
        world = World(reluctant.vendor, adapter=preparing())
        await world.deliver([event(1)])
        (letter,) = await world.log.dead_letters()
        assert (letter.status, letter.reason) == (400, "HTTP 400")

    play(story())


@pytest.mark.parametrize("failure", [500, 429, httpx.ConnectError("gone")])
def test_a_preparation_that_fails_for_a_while_is_tried_again(failure: int | Exception) -> None:
    async def story() -> None:
        reluctant = Reluctant(at_people=failure)
        world = World(reluctant.vendor, adapter=preparing())
        await world.append(event(1), event(2))
        await world.deliverer.start()
        await asyncio.sleep(5)
        reluctant.at_people = 201
        await world.settled()
        await world.deliverer.stop()
        assert [one for path, one in reluctant.went if path == "people"][-2:] == ["e1", "e2"]
        assert await world.log.dead_letters() == []

    play(story())


def test_without_a_way_to_prepare_the_event_is_rejected_with_the_reason() -> None:
    async def story() -> None:
        world = World(Reluctant().vendor, adapter=preparing(needs=("user_key",)))
        await world.deliver([event(1)])
        (letter,) = await world.log.dead_letters()
        assert letter.reason == "the call that has to come first cannot be made for this target"

    play(story())


def test_what_a_preparation_does_not_carry_is_no_loss() -> None:
    async def story() -> None:
        world = World(Reluctant().vendor, adapter=preparing())
        await world.deliver([msgspec.structs.replace(event(1), commerce=Commerce(order_id="1"))])
        assert world.losses == [("shop", "crm", "commerce.tax")] * 2

    play(story())
