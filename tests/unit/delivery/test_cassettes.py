"""Recorded and published exchanges with real vendors, replayed by vcrpy under the whole delivery side.

vcrpy patches aiohttp's session, which our transport uses, and httpx's own transport; both stand at the same seam.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import vcr

from gateway import registry
from gateway.adapter import Event, Verdict
from gateway.delivery.proxied import AiohttpTransport
from tests.unit.delivery.world import World, event, play

CASSETTES = Path(__file__).parents[2] / "cassettes"
CREDENTIALS = {
    "private_key": "pk_0123456789abcdef0123456789abcdef01",
    "event_api_key": "0123456789abcdef0123456789abcdef",
}
SEAMS: list[Callable[[], httpx.AsyncBaseTransport]] = [AiohttpTransport, httpx.AsyncHTTPTransport]


@contextmanager
def cassette(name: str) -> Iterator[list[Any]]:
    """Replay a cassette, all of it; gives the requests that were sent."""
    sent: list[Any] = []

    def keep(request: Any) -> Any:
        sent.append(request)
        return request

    player = vcr.VCR(record_mode="none", match_on=["method", "scheme", "host", "port", "path", "query"])
    with player.use_cassette(str(CASSETTES / f"{name}.yaml"), before_record_request=keep) as tape:
        sent.clear()
        yield sent
        assert tape.all_played


def world(vendor: str, seam: Callable[[], httpx.AsyncBaseTransport]) -> World:
    """Return a world in which one target is a real vendor's account."""
    return World(seam(), adapter=registry.adapter(vendor), credentials=CREDENTIALS)  # type: ignore[arg-type]  # a real one


def people(number: int) -> list[Event]:
    """Return an event of each of some people."""
    return [event(n, who=f"person-{n}") for n in range(number)]


@pytest.mark.parametrize("seam", SEAMS)
def test_klaviyo_is_obeyed_when_it_throttles(seam: Callable[[], httpx.AsyncBaseTransport]) -> None:
    async def story() -> None:
        with cassette("klaviyo_throttled_then_accepted") as sent:
            here = world("klaviyo", seam)
            await here.deliver(people(1))
        assert [attempt.verdict for attempt in here.attempts] == [Verdict.THROTTLE, Verdict.DONE]
        assert [attempt.attempt for attempt in here.attempts] == [1, 1]
        first, second = sent[:1], sent[-1:]
        assert first[0].body == second[0].body
        assert first[0].headers["Authorization"] == f"Klaviyo-API-Key {CREDENTIALS['private_key']}"
        body = json.loads(first[0].body)
        assert body["data"]["attributes"]["profile"]["data"]["attributes"]["external_id"] == "person-0"

    play(story())


@pytest.mark.parametrize("seam", SEAMS)
def test_klaviyo_names_one_event_of_a_bulk_job(seam: Callable[[], httpx.AsyncBaseTransport]) -> None:
    async def story() -> None:
        with cassette("klaviyo_bulk_names_one_event") as sent:
            here = world("klaviyo", seam)
            await here.deliver(people(30))
        (letter,) = await here.log.dead_letters()
        assert letter.event_id == "e1"
        assert "Invalid email address" in letter.reason
        assert letter.request == sent[0].body
        assert letter.status == 400
        again = json.loads(sent[-1].body)["data"]["attributes"]["events-bulk-create"]["data"]
        assert len(again) == 29
        assert [len(attempt.events) for attempt in here.attempts] == [30, 29]

    play(story())


@pytest.mark.parametrize("seam", SEAMS)
def test_blueshift_throttles_without_saying_for_how_long(seam: Callable[[], httpx.AsyncBaseTransport]) -> None:
    async def story() -> None:
        with cassette("blueshift_bulk_throttled_then_accepted"):
            here = world("blueshift", seam)
            await here.deliver(people(12))
        assert [(attempt.endpoint, len(attempt.events), attempt.verdict) for attempt in here.attempts] == [
            ("bulkevents", 12, Verdict.THROTTLE),
            ("bulkevents", 12, Verdict.DONE),
        ]

    play(story())
