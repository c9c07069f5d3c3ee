"""The directory of people where several nodes share a log."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.decision import Decision
from gateway.event import Event, Origin, Profile, dump
from gateway.log.jetstream.log import JetStreamLog
from gateway.log.jetstream.view import Corrupt
from gateway.log.people import Directory
from gateway.log.port import Entry
from gateway.log.prune import Retention
from tests.contract.log_harness import JetStreamHarness, until

VENDORS = {"klaviyo": lambda seed: f"01-{seed}", "vibetrace": None}
SOURCES = {"shop": VENDORS["klaviyo"], "site": None}


def met(profile: Profile, source: str = "shop", vendor: str = "klaviyo") -> Entry:
    origin = Origin(name=source, vendor=vendor, endpoint="profiles")
    event = Event(
        id="e", kind="identify", name="", received_at=datetime(2026, 11, 21, tzinfo=UTC), source=origin, profile=profile
    )
    return Entry("e", dump(event), Decision())


ANN = Profile(user_id="ann", email="Ann@Example.com")


@pytest.fixture
def harness(tmp_path: Path) -> JetStreamHarness:
    return JetStreamHarness(tmp_path)


@asynccontextmanager
async def node(harness: JetStreamHarness, **settings: Any) -> AsyncIterator[tuple[JetStreamLog, Directory]]:
    async with harness.opened(minters=VENDORS, **settings) as log:
        assert isinstance(log, JetStreamLog)
        directory = await log.directory(SOURCES)
        try:
            yield log, directory
        finally:
            await directory.close()


def test_whom_another_node_has_met_is_known_at_once(harness: JetStreamHarness) -> None:
    """A client may create a person at one node and be answered by another that there is one."""

    async def run() -> None:
        async with node(harness) as (one, _), node(harness) as (_, directory):
            for number in range(20):
                profile = Profile(user_id=f"person-{number}")
                await one.append([met(profile)])
                await directory.catch_up()
                assert directory.people("shop").find(profile) is not None

    asyncio.run(run())


def test_every_node_gives_a_person_the_same_id_whenever_it_learns(harness: JetStreamHarness) -> None:
    async def run() -> None:
        async with node(harness) as (one, first), node(harness) as (two, second):
            await one.append([met(ANN)])
            await first.catch_up()
            await two.append([met(Profile(email="ann@example.com", phone="+15550001"))])
            await one.append([met(Profile(phone="+15550001", anonymous_id="a1")), met(ANN, "site", "vibetrace")])
            await one.append([met(ANN, "app", "yespo")])
            for directory in (first, second):
                await directory.catch_up()
            shop, again = first.people("shop"), second.people("shop")
            assert shop.find(Profile(anonymous_id="a1")) == again.find(Profile(anonymous_id="a1")) == shop.find(ANN)
            assert (shop.find(ANN) or "").startswith("01-")
            assert first.people("site").find(ANN) == second.people("site").find(ANN) is not None
            assert first.people("app").find(ANN) is None, "nobody asks about people of that vendor"

    asyncio.run(run())


def test_a_new_node_knows_people_of_events_that_are_gone(harness: JetStreamHarness) -> None:
    """They were pruned before anybody had asked, and the new node begins with a view that another one kept."""

    async def run() -> None:
        async with harness.opened(minters=VENDORS, retention=Retention(seconds=0)) as one:
            assert isinstance(one, JetStreamLog)
            for number in range(3):
                await one.append([met(Profile(user_id=f"person-{number}-{n}")) for n in range(700)])
                harness.clock.now += 3600
                await one.prune()
                await one.snapshot()
            assert (await one.status()).events == 0
            async with node(harness) as (two, directory):
                await directory.catch_up()
                people = directory.people("shop")
                for number in range(3):
                    for n in (0, 350, 699):
                        assert people.find(Profile(user_id=f"person-{number}-{n}")) is not None
                assert two.fault is None

    asyncio.run(run())


def test_a_view_without_a_directory_learns_it_from_the_events_it_has(harness: JetStreamHarness) -> None:
    async def run() -> None:
        async with harness.opened() as one:
            await one.append([met(ANN)])
            await one.register([])
        with closing(sqlite3.connect(harness.settings().view)) as older:
            older.executescript("DROP TABLE people; DROP TABLE identifiers; DROP TABLE place")
        async with node(harness) as (_, directory):
            await directory.catch_up()
            assert directory.people("shop").find(ANN) is not None

    asyncio.run(run())


def test_a_view_that_is_made_anew_is_learnt_and_read_anew(
    harness: JetStreamHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        async with node(harness) as (log, directory), node(harness) as (other, _):
            await other.append([met(ANN)])
            await directory.catch_up()
            people = directory.people("shop")
            known = people.find(ANN)
            apply = log._view.apply

            def garbage(*_: Any) -> Any:
                monkeypatch.setattr(log._view, "apply", apply)
                raise Corrupt("database disk image is malformed")

            monkeypatch.setattr(log._view, "apply", garbage)
            await other.append([met(Profile(user_id="bob"))])
            await directory.catch_up()
            assert people.find(Profile(user_id="bob")) is not None
            assert people.find(ANN) == known is not None

    asyncio.run(run())


def test_it_learns_by_itself_while_nobody_asks(harness: JetStreamHarness) -> None:
    async def run() -> None:
        async with node(harness) as (one, _), node(harness) as (_, directory):
            await one.append([met(ANN)])
            await until(lambda: directory.people("shop").find(ANN) is not None)

    asyncio.run(run())
