"""``gateway explain``: what became of one event, or would become of one request, rule by rule and target by target."""

import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

import click
import msgspec

from gateway.adapter import Event
from gateway.cli import timeline
from gateway.cli.options import config_option, json_option
from gateway.cli.rehearse import columns, masked, world_of
from gateway.config import Checked, load
from gateway.config.examples import plain
from gateway.errors import GatewayError, UsageError
from gateway.receipts import reading, timelines
from gateway.rehearsal import Asked, Heard, Outcome, World, asked, hear, read_request, shown, source_of


@click.command()
@click.argument("wanted", metavar="[ID]", required=False)
@click.option("--file", "file", type=click.File("rb"), help="A request instead of an event; - reads standard input.")
@click.option("--source", "name", metavar="NAME", help="The source that takes it, where its path leaves that open.")
@click.option(
    "--since", type=timeline.Duration(), default="24h", show_default=True, help="How far back to look for a key."
)
@config_option
@json_option
def explain(
    wanted: str | None, file: BinaryIO | None, name: str | None, since: float, config_path: Path, json_output: bool
) -> None:
    """Explain what became of one event, or what would become of one request.

    With ID: when the event was accepted and from whom, where the rules sent it, and for each target every request that
    carried it, the answer, and how it stands now. ID is the gateway's own id of the event or the client's own key;
    keys are looked for among the events accepted within --since. It reads the log and the receipts beside it, whether
    the gateway runs or not. Ends with code 1 when there is no such event.

    With --file: each rule and why it held or not, each change, what would go out. The file holds {"method", "path",
    "headers", "body"} as JSON, or an object with that as its "request", as for translate. Nothing is sent, and a
    permission that a rule requires counts as given unless the request takes it back. Ends with code 1 when the source
    would refuse the request.

    Secrets are blotted out.

    \b
    Examples:
      gateway explain 019b2f3c-6d58-7000-9f3e-2b8a52c1d04e
      gateway explain order-1042 --since 7d --json
      gateway explain --file request.json
      gateway explain --file request.json --source shop -c gateway.yaml
      gateway explain --file - --json < request.json
    """
    if (wanted is None) == (file is None):
        raise UsageError("give the ID of an event, or a request with --file")
    config = load(config_path)
    if wanted is not None:
        _became(config, wanted, since, json_output)
    elif file is not None:
        _would_become(config, file, name, json_output)


def _became(config: Checked, wanted: str, since: float, json_output: bool) -> None:
    with reading(Path(config.log.file)) as files:
        found = timelines(files, wanted, int((time.time() - since) * 1000), list(config.targets))
        missing = None if found else timeline.not_found(files, wanted, since)
    if missing is not None:
        raise GatewayError(masked(missing, config.secrets()))
    if json_output:
        text = msgspec.json.format(msgspec.json.encode(found), indent=2).decode()
    else:
        text = "\n".join(timeline.lines(found, repeats_s=config.log.duplicates.hours * 3600))
    click.echo(masked(text, config.secrets()))


def _would_become(config: Checked, file: BinaryIO, name: str | None, json_output: bool) -> None:
    world = world_of(config)
    request = read_request(file.read(), file.name)
    source = source_of(request, world.sources, name)
    heard = hear(request, source)
    if json_output:
        text = msgspec.json.format(msgspec.json.encode(_facts(world, source.name, heard)), indent=2).decode()
    else:
        text = "\n".join(_lines(world, source.name, heard))
    click.echo(masked(text, config.secrets()))
    if not heard.accepted:
        raise SystemExit(1)


def _facts(world: World, source: str, heard: Heard) -> dict[str, Any]:
    events = [
        {
            "event": event,
            "rules": list(asked(world.router, event)),
            "targets": list(map(_target, world.outcomes(event))),
        }
        for event in heard.events
    ]
    reply = {"status": heard.reply.status, "body": heard.reply.body.decode("utf-8", "replace")}
    return {"source": source, "accepted": heard.accepted, "reply": reply, "events": events}


def _target(outcome: Outcome) -> dict[str, Any]:
    found = {name: getattr(outcome, name) for name in outcome.__struct_fields__}
    found["changes"] = [{"path": path, "before": old, "after": new} for path, old, new in outcome.changes]
    return {**found, "goes": outcome.goes}


# --- for people ------------------------------------------------------------------------------------------


def _lines(world: World, source: str, heard: Heard) -> Iterator[str]:
    vendor = world.sources[source].adapter.title
    events = "1 event" if len(heard.events) == 1 else f"{len(heard.events)} events"
    if heard.accepted:
        yield f"The source {source!r} ({vendor}) answers {heard.reply.status} and makes {events} of it."
    else:
        yield f"The source {source!r} ({vendor}) refuses it with {heard.reply.status}."
        yield from _indented(heard.reply.body.decode("utf-8", "replace"))
    for number, event in enumerate(heard.events, start=1):
        yield ""
        yield f"Event {number}: {event.kind} {event.name!r}"
        yield from _indented_json({k: v for k, v in plain(event).items() if k not in ("id", "kind", "name", "source")})
        yield ""
        yield from _rules(world, event)
        for outcome in world.outcomes(event):
            yield ""
            yield from _outcome(outcome)


def _rules(world: World, event: Event) -> Iterator[str]:
    yield "Rules, in the order in which they are asked"
    steps = list(asked(world.router, event))
    width = max((len(step.rule) for step in steps), default=0)
    for step in steps:
        first, *others = _step(step)
        yield f"  {step.rule.ljust(width)}  {first}".rstrip()
        yield from (f"  {'':{width}}  {line}" for line in others)


def _step(step: Asked) -> Iterator[str]:
    if step.outcome == "passes":
        yield f"no: {step.why}"
    elif step.outcome == "drops":
        yield f"drops it: {step.why}"
    else:
        yield f"sends it to {', '.join(step.sends)}" if step.sends else "sends it nowhere"
    yield from (f"not to {target}: {why}" for target, why in step.held.items())
    yield from (f"not to {target}: the rule {rule!r} holds there" for target, rule in step.taken.items())
    if step.where is not None:
        yield f"where {' '.join(step.where.text.split())}: {'true' if step.where.true else 'not true'}"
        yield from (f"  {path} is {shown(value)}" for path, value in step.where.reads.items())


def _outcome(outcome: Outcome) -> Iterator[str]:
    by = f", by the rule {outcome.rule!r}" if outcome.rule else ""
    if not outcome.goes:
        yield f"To {outcome.target}{by}: nothing, because {outcome.why or outcome.untold}"
    else:
        yield f"To {outcome.target}{by}"
    yield from _changes(outcome)
    if outcome.goes:
        for request in outcome.requests:
            yield f"  {request.method} {request.path}"
            yield from (f"    {name}: {value}" for name, value in request.headers.items())
            if request.body is not None:
                yield from (f"  {line}" for line in _indented_json(request.body))
    yield from _losses(outcome)
    yield from (f"  note: {note}" for note in outcome.notes)


def _changes(outcome: Outcome) -> Iterator[str]:
    if outcome.changes:
        yield "  changes:"
        rows = [[path, f"{shown(old)}", f"-> {shown(new)}"] for path, old, new in outcome.changes]
        yield from (f"    {line}" for line in columns(rows))
    elif outcome.event is not None:
        yield "  unchanged"


def _losses(outcome: Outcome) -> Iterator[str]:
    by_reason: dict[tuple[str, str], list[str]] = {}
    for loss in sorted(outcome.losses, key=lambda loss: _WORST_FIRST.index(loss.outcome)):
        path = loss.path or "the event"
        by_reason.setdefault((loss.outcome, loss.reason), []).append(f"{path} as {loss.to}" if loss.to else path)
    for (what, reason), paths in by_reason.items():
        yield f"  {what}: {reason}"
        yield from (f"    {path}" for path in paths)


_WORST_FIRST: Final = ("dropped", "coerced", "renamed")


def _indented_json(value: Any) -> Iterator[str]:
    return _indented(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def _indented(text: str) -> Iterator[str]:
    return iter(textwrap.indent(text, "  ").splitlines())
