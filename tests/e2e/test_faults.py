"""Whatever a vendor does to a request, delivery loses nothing, keeps the order, and goes nowhere else."""

import asyncio
import json
from collections import Counter
from pathlib import Path

import httpx
import pytest

from gateway import registry
from gateway.testing.certificates import authority, server_context
from gateway.testing.faults import (
    Fault,
    FaultyVendor,
    drips,
    garbage,
    giant,
    hangs,
    redirects,
    refuses,
    resets,
    served,
    serving,
    throttles,
)
from gateway.testing.wire import Act
from tests.e2e.delivering import account, delivering, event, number_of, spec, with_windows

NUMBER = 60
MAIL = with_windows(registry.adapter("klaviyo"), only=("events",))
"""One request for each event."""
BULK = with_windows(registry.adapter("klaviyo"), only=("event-bulk-create-jobs",))


def vendor(*faults: Fault) -> FaultyVendor:
    return FaultyVendor(MAIL, [account(MAIL)], faults=faults, key=number_of)


PASSING = {
    "a fault of its own": refuses(503),
    "a fault with a page": refuses(502, b"<html>Bad Gateway</html>", **{"Content-Type": "text/html"}),
    "a status nobody knows": refuses(599),
    "too fast": throttles(0),
    "too fast, and no word for how long": throttles(),
    "no answer": hangs(),
    "no answer, but it was stored": hangs(takes=True),
    "reset before the answer": resets(),
    "reset before the answer, but it was stored": resets(takes=True),
    "reset within the head": resets(20, takes=True),
    "reset within the body": Act(body=b"x" * 500, cut=300, takes=True),
    "an answer that comes too slowly": drips(0.05),
    "no HTTP": garbage(),
    "half a status line": garbage(b"HTTP/1.1 20"),
    "two lengths": garbage(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
    "a header without an end": garbage(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000),
    "a switch to another protocol": garbage(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
    "a giant fault": giant(8 << 20, status=500),
}


@pytest.mark.parametrize("name", PASSING)
def test_what_passes_costs_nothing(tmp_path: Path, name: str) -> None:
    """A third of the requests meets it; everything arrives, and is sent again only where no success was told."""
    mail = vendor(Fault(PASSING[name], share=0.3, times=6))

    async def story() -> None:
        async with serving(mail) as wire:
            target = spec(MAIL, wire.url)
            async with delivering(tmp_path, target, events=[event(n) for n in range(NUMBER)]) as made:
                status = (await made.settled())["crm"]
        assert (status.delivered, status.dead) == (NUMBER, 0)

    asyncio.run(story())
    assert mail.lost(map(str, range(NUMBER))) == set()
    assert mail.out_of_order() == []
    told = Counter(arrival.key for arrival in mail.arrivals if arrival.answered)
    assert set(told.values()) == {1}, "what was answered with success was sent again"


WELL_ENOUGH = {
    "a body of another type": Act(body=b"<html>thank you</html>", headers={"Content-Type": "text/html"}),
    "a body that is no text": Act(body=b"\xff\xfe\x00"),
    "a giant answer": giant(8 << 20),
    "an answer without a length": Act(length="end"),
    "an answer in chunks": Act(length="chunked", body=b"{}"),
    "HTTP/1.0": Act(version="1.0"),
    "100 first": Act(interim=True),
    "a close that nobody announced": Act(closes=True),
    "an answer that takes its time": Act(wait_s=0.1),
    "a body where there should be none": Act(status=202, body=b"[1]", headers={"Content-Encoding": "gzip"}),
}


@pytest.mark.parametrize("name", WELL_ENOUGH)
def test_what_is_a_success_after_all_is_one(tmp_path: Path, name: str) -> None:
    mail = vendor(Fault(WELL_ENOUGH[name], share=0.5))

    async def story() -> None:
        events = [event(n) for n in range(NUMBER)]
        async with serving(mail) as wire, delivering(tmp_path, spec(MAIL, wire.url), events=events) as made:
            await made.settled()

    asyncio.run(story())
    assert set(mail.keys().values()) == {1}
    assert mail.lost(map(str, range(NUMBER))) == set()
    assert mail.out_of_order() == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_leads_nowhere_and_a_person_hears_of_it(tmp_path: Path, status: int) -> None:
    """Keys and people's data must not follow an answer to another host."""
    elsewhere = vendor()

    async def story() -> None:
        async with serving(elsewhere) as other:
            mail = vendor(Fault(redirects(f"{other.url}/api/events", status), times=3))
            async with serving(mail) as wire:
                target = spec(MAIL, wire.url)
                async with delivering(tmp_path, target, events=[event(n, f"p{n}") for n in range(20)]) as made:
                    counts = (await made.settled())["crm"]
                    letters = await made.dead()
        assert (counts.delivered, counts.dead) == (17, 3)
        assert {letter.status for letter in letters} == {status}

    asyncio.run(story())
    assert elsewhere.requests == []


@pytest.mark.parametrize("certificate", ["self_signed", "expired", "other_host"])
def test_a_certificate_that_is_not_right_gets_nothing(tmp_path: Path, certificate: str) -> None:
    """Neither one of nobody, nor one that is trusted and past its end, nor one that is trusted and another's."""
    mail = vendor()

    async def story(ca_file: str | None) -> None:
        async with serving(mail, server_context(certificate)) as wire:  # type: ignore[arg-type]  # one of them
            target = spec(MAIL, wire.url, ca_file=ca_file)
            async with delivering(tmp_path, target, events=[event(1)]) as made:
                await made.until(lambda: bool(made.attempts))
                assert "certificate" in made.attempts[0].why.lower()
                assert (await made.status())["crm"].queued == 1

    with authority(certificate) as path:  # type: ignore[arg-type]  # one of them
        asyncio.run(story(None if certificate == "self_signed" else path))
    assert mail.requests == []


def test_a_certificate_that_is_trusted_is_one(tmp_path: Path) -> None:
    mail = vendor()

    async def story(ca_file: str) -> None:
        async with (
            serving(mail, server_context("self_signed")) as wire,
            delivering(tmp_path, spec(MAIL, wire.url, ca_file=ca_file), events=[event(1)]) as made,
        ):
            await made.settled()

    with authority("self_signed") as path:
        asyncio.run(story(path))
    assert mail.keys() == {"1": 1}


def test_a_vendor_that_is_down_gets_all_when_it_is_back(tmp_path: Path) -> None:
    mail = vendor()

    async def story() -> None:
        events = [event(n) for n in range(NUMBER)]
        async with serving(mail) as wire, delivering(tmp_path, spec(MAIL, wire.url), events=events) as made:
            for _ in range(2):
                await wire.close()
                await asyncio.sleep(0.3)
                await wire.open()
                await asyncio.sleep(0.1)
            await made.settled()

    asyncio.run(story())
    assert mail.lost(map(str, range(NUMBER))) == set()
    assert mail.out_of_order() == []


def test_many_faults_at_once_in_bulk(tmp_path: Path) -> None:
    acts = [*PASSING.values(), *WELL_ENOUGH.values()]
    mail = FaultyVendor(
        BULK, [account(BULK)], key=number_of, seed=7, faults=[Fault(act, share=0.05, times=1) for act in acts]
    )
    people = 40

    async def story() -> None:
        async with serving(mail) as wire:
            target = spec(BULK, wire.url, concurrency=8)
            async with delivering(tmp_path, target) as made:
                for start in range(0, 2_000, 100):
                    await made.accept([event(n, f"p{n % people}") for n in range(start, start + 100)])
                    await asyncio.sleep(0.02)
                assert (await made.settled())["crm"].delivered == 2_000

    asyncio.run(story())
    assert mail.lost(map(str, range(2_000))) == set()
    assert mail.out_of_order() == []
    assert mail.requests[-1].status == 202


def test_the_stand_in_writes_down_what_it_took() -> None:
    """What authors of adapters lean on: faults in order, how often, by chance, by function."""
    mail = FaultyVendor(
        faults=[
            Fault(refuses(500), where=lambda seen: seen.path == "/bad", times=2, after=1),
            Fault(lambda seen: refuses(200, seen.body[::-1]), where=lambda seen: seen.path == "/echo"),
            Fault(refuses(418), share=0.5, where=lambda seen: seen.path == "/chance"),
        ]
    )
    with served(mail) as url, httpx.Client(base_url=url, trust_env=False) as client:
        assert [client.post("/bad").status_code for _ in range(4)] == [202, 500, 500, 202]
        assert client.post("/echo", content=b"abc").content == b"cba"
        chances = Counter(client.post("/chance").status_code for _ in range(200))
        assert set(chances) == {202, 418}
        assert 60 < chances[418] < 140
        mail.faults = []
        assert client.post("/bad", content=json.dumps({"a": 1}), headers={"X-Key": "k"}).status_code == 202
    last = mail.requests[-1].seen
    assert (last.method, last.path, last.headers["x-key"], last.body) == ("POST", "/bad", "k", b'{"a": 1}')
    assert mail.statuses[500] == 2
