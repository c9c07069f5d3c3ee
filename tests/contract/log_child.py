"""Another process on the same log: ``python -m tests.contract.log_child HARNESS FOLDER COMMAND [WORDS]``."""

import asyncio
import itertools
import json
import sys
from pathlib import Path
from typing import Any

from gateway.errors import LogError
from gateway.log.port import Log, Settlement
from tests.contract.log_harness import HARNESSES, TO_BOTH, TO_NONE, Harness, bodies, entry, key, letter, parked


def say(value: Any) -> None:
    """Tell the parent."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


async def told() -> None:
    """Wait for the parent's word."""
    await asyncio.to_thread(sys.stdin.readline)


async def append(log: Log, per_append: str, senders: str) -> None:
    """Append without end, several at a time, and say each that is durable."""
    await log.register(["crm", "mail"])

    async def send(sender: int) -> None:
        for number in itertools.count():
            names = [f"{sender}.{number}.{part}" for part in range(int(per_append))]
            await log.append([entry(name, key=key(name)) for name in names])
            say(names)

    await asyncio.gather(*(send(sender) for sender in range(int(senders))))


async def live(log: Log) -> None:
    """Append, deliver, park, bury, retry, drop, each said when durable, without end."""
    await log.register(["crm", "mail"])
    for number in itertools.count():
        await log.append([entry(f"e{number}", TO_NONE if number % 5 == 0 else TO_BOTH, key(str(number // 2)))])
        place = await log.cursor("crm")
        records, _ = await log.read("crm", place, 10, 1 << 20)
        if len(records) == 4:
            await settle(log, [record.seq for record in records])
        say(number)


async def settle(log: Log, seqs: list[int]) -> None:
    """Let one event be delivered, one wait, two die; then end what waits, retry one letter and drop the other."""
    delivered, waiting, *dying = seqs
    await log.settle(
        "crm",
        Settlement(cursor=seqs[-1], delivered=1, park=[parked(waiting)], dead=[letter(seq) for seq in dying]),
    )
    await log.settle("crm", Settlement(delivered=1, unpark=[waiting]))
    ids = [found.id for found in await log.dead_letters(target="crm")]
    await log.retry_dead(ids[:1])
    await log.drop_dead(ids[1:2], "old")
    assert delivered


async def hold(log: Log) -> None:
    """Keep the log open."""
    say("open")
    await told()


async def append_when_told(log: Log, *names: str) -> None:
    """Append events, one at each word of the parent."""
    say("open")
    for name in names:
        await told()
        await log.append([entry(name, key=key(name))])
        say(name)
    await told()


async def read(log: Log, target: str) -> None:
    """Say all of a target's events."""
    say(await bodies(log, target))


async def retry(log: Log) -> None:
    """Retry all dead letters."""
    say(await log.retry_dead([found.id for found in await log.dead_letters()]))


COMMANDS = {
    "append": append,
    "live": live,
    "hold": hold,
    "append_when_told": append_when_told,
    "read": read,
    "retry": retry,
}


async def main(harness: Harness, command: str, role: str, *words: str) -> None:
    """Open the log in a role and obey; ``ingest+`` shares the ingest."""
    settings = {"shared_ingest": True} if role.endswith("+") else {}
    try:
        async with harness.opened(role.rstrip("+"), **settings) as log:  # type: ignore[arg-type]  # a word of ours
            await COMMANDS[command](log, *words)  # type: ignore[operator]  # each takes its own words
    except LogError as error:
        say({"error": type(error).__name__, "text": str(error)})


if __name__ == "__main__":
    asyncio.run(main(HARNESSES[sys.argv[1]](Path(sys.argv[2])), *sys.argv[3:]))
