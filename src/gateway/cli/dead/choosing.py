"""Which dead letters a command is about."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import click
import msgspec

from gateway.config import Checked
from gateway.errors import GatewayError, UsageError
from gateway.event import load
from gateway.log.exceptions import Wanted
from gateway.log.port import DeadLetter
from gateway.log.sqlite import SqliteLog
from gateway.opening import open_log, run

PAGE = 500

ids_argument = click.argument("ids", type=int, nargs=-1, metavar="[ID]...")
all_option = click.option("--all", "everything", is_flag=True, help="All of them, or all that fit.")
target_option = click.option("--target", metavar="NAME", help="Only this target's.")
reason_glob_option = click.option(
    "--reason", "reason_glob", metavar="GLOB", help="Only those whose whole reason fits, such as '*no permission*'."
)


def with_log(config: Checked, work: Callable[[SqliteLog], Awaitable[Any]]) -> Any:
    """Return what `work` returns, with the log open beside a running gateway."""
    result: list[Any] = []

    async def main() -> None:
        log = await open_log(config, "inspect")
        try:
            result.append(await work(log))
        finally:
            await log.close()

    run(main())
    return result[0]


async def all_that_fit(log: SqliteLog, wanted: Wanted) -> AsyncIterator[DeadLetter]:
    """Yield dead letters, newest first."""
    while page := await log.find_dead(wanted, PAGE):
        for letter in page:
            yield letter
        wanted = msgspec.structs.replace(wanted, before=page[-1].id)


async def chosen(log: SqliteLog, ids: Sequence[int], everything: bool, wanted: Wanted) -> list[DeadLetter]:
    """Return the letters that were named one by one, or all that fit.

    Raises:
        UsageError: both or neither.
        GatewayError: one that was named is not there.
    """
    if bool(ids) == everything:
        raise UsageError("name dead letters by their ids, or say --all")
    if everything:
        return [letter async for letter in all_that_fit(log, wanted)]
    if wanted != Wanted():
        raise UsageError("ids name dead letters already; --target and --reason GLOB are for --all")
    letters = await log.find_dead(Wanted(ids=ids), len(ids))
    known = {letter.id for letter in letters}
    if missing := [str(number) for number in ids if number not in known]:
        raise GatewayError(f"there is no dead letter {', '.join(missing)}; nothing was changed")
    return letters


def name_of(letter: DeadLetter) -> str:
    """Return the name of a letter's event, nothing where the log held none."""
    try:
        return load(letter.body).name
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""
