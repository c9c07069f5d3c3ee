"""``gateway dead list`` and ``gateway dead show``."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from gateway.adapter import Event, Loss
from gateway.cli.dead.choosing import PAGE, name_of, reason_glob_option, target_option, with_log
from gateway.cli.options import config_option, json_option
from gateway.cli.output import as_json, table
from gateway.cli.rehearse import masked
from gateway.config import Checked, load
from gateway.delivery.losses import policy_of
from gateway.errors import EncodeError, UsageError
from gateway.event import load as load_event
from gateway.log.exceptions import Wanted
from gateway.log.port import DeadLetter
from gateway.migration import moment
from gateway.offline import OutboundRequest
from gateway.parts import build_target
from gateway.rehearsal.sending import Stage
from gateway.routing import Router


@click.command("list")
@config_option
@target_option
@click.option("--since", metavar="TIME", help="Only those that died since: 2h, 2026-11-21, 2026-11-21T09:30+02:00.")
@reason_glob_option
@click.option("--name", metavar="GLOB", help="Only events of such names, as 'Order *'.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, PAGE))
@click.option("--before", type=int, metavar="ID", help="Go on from here: only older ones.")
@json_option
def list_dead(
    config_path: Path,
    target: str | None,
    since: str | None,
    reason_glob: str | None,
    name: str | None,
    limit: int,
    before: int | None,
    json_output: bool,
) -> None:
    """List dead letters, newest first. In globs, case counts; * and ? stand for any characters.

    \b
    Examples:
      gateway dead list
      gateway dead list --target crm --since 2h --reason '*currency*'
      gateway dead list --name 'Order *' --limit 10 --json
    """
    died = None if since is None else moment(since, datetime.now(UTC))
    wanted = Wanted(target=target, before=before, since=died, reason=reason_glob, name=name)
    config = load(config_path)
    letters: list[DeadLetter] = with_log(config, lambda log: log.find_dead(wanted, limit))
    if json_output:
        as_json([facts(letter, config) for letter in letters])
        return
    rows = [[x.id, x.target, x.died_at.isoformat(timespec="seconds"), name_of(x), x.status, x.reason] for x in letters]
    table(["id", "target", "died", "event", "status", "reason"], rows, right=(0,))


@click.command("show")
@config_option
@click.argument("letter_id", type=int, metavar="ID")
@json_option
def show_dead(config_path: Path, letter_id: int, json_output: bool) -> None:
    """Show one dead letter whole: the event, the last request and answer, and what a retry would send and lose now.

    \b
    Examples:
      gateway dead show 12
      gateway dead show 12 --json
    """
    config = load(config_path)
    letters: list[DeadLetter] = with_log(config, lambda log: log.find_dead(Wanted(ids=[letter_id]), 1))
    if not letters:
        raise UsageError(f"there is no dead letter {letter_id}")
    again = Again(letters[0], config)
    if json_output:
        as_json({**facts(letters[0], config), "again": again.facts()})
    else:
        click.echo(masked("\n".join(_lines(letters[0], again)), config.secrets()))


class Again:
    """What would come of a letter if it were retried now."""

    def __init__(self, letter: DeadLetter, config: Checked) -> None:
        self.rule = letter.rule
        self.trouble = ""
        self.requests: list[OutboundRequest] = []
        self.losses: list[Loss] = []
        try:
            self._send(letter.target, load_event(letter.body), config)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            self.trouble = "the log held no event"
        except EncodeError as error:
            self.trouble = str(error)

    def _send(self, target: str, event: Event, config: Checked) -> None:
        if target not in config.targets:
            raise EncodeError(f"there is no target {target!r} any more")
        router = Router(config.rules, config.targets)
        self.rule = Rules(config).now(self.rule, target, event) or self.rule
        changed = router.transform(event, self.rule, target)
        sent = Stage(build_target(target, config.targets[target])).send(changed)
        policies = router.policies(self.rule, target)
        refused = [loss.path or "the event" for loss in sent.losses if policy_of(policies, loss) == "refuse"]
        self.trouble = sent.trouble or (f"the rule refuses to lose {', '.join(refused)}" if refused else "")
        self.requests, self.losses = list(sent.requests), list(sent.losses)

    def facts(self) -> dict[str, Any]:
        """Return it as JSON shows it."""
        return {"rule": self.rule, "trouble": self.trouble, "requests": self.requests, "ledger": self.losses}


class Rules:
    """By which rules letters would go now."""

    def __init__(self, config: Checked) -> None:
        self._router = Router(config.rules, config.targets)
        self._pairs = {(rule.name, send.target) for rule in config.rules for send in rule.sends}

    def now(self, rule: str, target: str, event: Event) -> str | None:
        """Return the rule by which an event would go to a target now: its own, or, where that is gone, another."""
        if (rule, target) in self._pairs:
            return rule
        return dict(self._router.decide(event).deliver).get(target)


def facts(letter: DeadLetter, config: Checked) -> dict[str, Any]:
    """Return a letter as JSON shows it, without secrets."""
    try:
        body: Any = load_event(letter.body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        body = letter.body.decode("utf-8", "replace")
    return {
        **msgspec.to_builtins(letter),
        "body": body,
        "request": _clean(letter.request, config),
        "answer": _clean(letter.answer, config),
    }


def _clean(data: bytes | None, config: Checked) -> str | None:
    return None if data is None else masked(data.decode("utf-8", "replace"), config.secrets())


def _lines(letter: DeadLetter, again: Again) -> Iterator[str]:
    yield f"Dead letter {letter.id}: event {letter.event_id} for {letter.target}, by rule {letter.rule}"
    yield f"Died {letter.died_at.isoformat()} after {letter.attempts} attempts: {letter.reason}"
    yield "\nEvent"
    yield _formatted(letter.body)
    yield f"\nLast request ({letter.endpoint or 'never sent'})"
    yield _formatted(letter.request)
    yield f"\nAnswer {letter.status or ''}".rstrip()
    yield _formatted(letter.answer)
    yield f"\nSent again now, by rule {again.rule}"
    yield from _again(again)


def _again(again: Again) -> Iterator[str]:
    if again.trouble:
        yield f"It would die again: {again.trouble}"
    for request in again.requests:
        yield f"{request.method} {request.path}"
        yield msgspec.json.format(msgspec.json.encode(request.body), indent=2).decode()
    if not again.losses:
        yield "Nothing would be lost." if again.requests else ""
    for loss in again.losses:
        yield f"  {loss.outcome}: {loss.path or 'the event'}{f' as {loss.to}' if loss.to else ''}: {loss.reason}"


def _formatted(data: bytes | None) -> str:
    if data is None:
        return "(none)"
    try:
        return msgspec.json.format(data, indent=2).decode()
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return data.decode("utf-8", "replace") or "(empty)"
