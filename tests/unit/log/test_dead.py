"""Dead letters by filter, and brought from elsewhere."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import LogError
from gateway.log.exceptions import Wanted
from gateway.log.port import Settlement
from gateway.log.sqlite import SqliteLog
from tests.contract.log_harness import balance, entry, letter

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def play(path: Path, story: Callable[[SqliteLog], Awaitable[None]]) -> None:
    async def run() -> None:
        log = await SqliteLog.open(path / "log.db", role="all")
        try:
            await log.register(["crm", "mail"])
            await story(log)
            await balance(log)
        finally:
            await log.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("wanted", "seqs"),
    [
        ({}, [4, 3, 2, 1]),
        ({"target": "crm"}, [3, 2, 1]),
        ({"reason": "*currency*"}, [3, 1]),
        ({"reason": "currency"}, []),
        ({"reason": "no currenc?", "target": "crm", "name": "Order *"}, [1]),
        ({"name": "Order *"}, [2, 1]),
        ({"name": "order *"}, []),
        ({"since": NOON + timedelta(seconds=2)}, [4, 3, 2]),
        ({"since": (NOON + timedelta(seconds=2.5)).astimezone(timezone(timedelta(hours=2)))}, [4, 3]),
    ],
)
def test_letters_are_found_by_what_fits(tmp_path: Path, wanted: dict[str, Any], seqs: list[int]) -> None:
    async def story(log: SqliteLog) -> None:
        await log.append([entry(f"e{number}") for number in range(1, 5)])
        letters = [
            letter(1, reason="no currency", body=b'{"name": "Order Completed"}', died_at=NOON),
            letter(2, reason="refused", body=b'{"name": "Order Refunded"}', died_at=NOON + timedelta(seconds=2)),
            letter(3, reason="a currency [x] of its own", body=b"\xff", died_at=NOON + timedelta(seconds=2.6)),
        ]
        await log.settle("crm", Settlement(cursor=4, delivered=1, dead=letters))
        other = letter(4, target="mail", reason="refused", body=b"{", died_at=NOON + timedelta(seconds=9))
        await log.settle("mail", Settlement(cursor=4, delivered=3, dead=[other]))
        found = await log.find_dead(Wanted(**wanted), 10)
        assert [one.seq for one in found] == seqs

    play(tmp_path, story)


def test_letters_come_back_once_at_their_events_places(tmp_path: Path) -> None:
    async def story(log: SqliteLog) -> None:
        await log.append([entry("e1"), entry("e2"), entry("e3")])
        await log.settle("crm", Settlement(cursor=3, delivered=1, dead=[letter(1), letter(2)]))
        kept = await log.dead_letters()
        assert await log.import_dead(kept) == []
        await log.drop_dead([one.id for one in kept], "by mistake")
        ids = await log.import_dead(kept)
        assert [one.seq for one in await log.find_dead(Wanted(ids=ids), 9)] == [2, 1]
        assert await log.import_dead(kept) == []
        await log.retry_dead(ids)
        assert await log.import_dead(kept) == []
        await log.settle("crm", Settlement(delivered=2, unpark=[1, 2]))
        assert await log.import_dead(kept) == []
        counts = (await balance(log))["crm"]
        assert (counts["accepted"], counts["delivered"], counts["dropped"], counts["dead"]) == (5, 3, 2, 0)

    play(tmp_path, story)


def test_letters_of_another_log_keep_their_order_before_all_others(tmp_path: Path) -> None:
    async def story(log: SqliteLog) -> None:
        await log.append([entry("e1"), entry("e2")])
        foreign = [letter(seq, event_id=f"f{seq}", body=f"f{seq}".encode()) for seq in (8, 1, 5)]
        ids = await log.import_dead([*foreign, letter(9, event_id="", body=b"x"), letter(7, event_id="", body=b"x")])
        assert len(ids) == 4
        assert await log.retry_dead(ids) == 4
        rows = await log.parked("crm", "ann", 10)
        assert [record.body for _, record in rows] == [b"f1", b"f5", b"x", b"f8"]
        assert max(row.seq for row, _ in rows) < 0
        await log.settle("crm", Settlement(delivered=4, unpark=[row.seq for row, _ in rows]))
        assert (await balance(log))["crm"]["delivered"] == 4

    play(tmp_path, story)


def test_letters_for_a_target_that_is_not_known_change_nothing(tmp_path: Path) -> None:
    async def story(log: SqliteLog) -> None:
        with pytest.raises(LogError, match="no target 'web'"):
            await log.import_dead([letter(1), letter(2, target="web")])
        assert await log.dead_letters() == []
        assert len(await log.import_dead([letter(1)])) == 1

    play(tmp_path, story)
