"""``gateway translate``: one request, offline."""

from collections import Counter
from typing import Any, BinaryIO

import click
import msgspec

from gateway import registry
from gateway.cli.options import json_option
from gateway.cli.output import as_json, table
from gateway.errors import UsageError
from gateway.translation import Translation
from gateway.translation import translate as run


@click.command()
@click.option("--from", "origin", required=True, metavar="VENDOR", help="Whose dialect the request is in.")
@click.option("--to", "goal", required=True, metavar="VENDOR", help="Whose requests to make of it.")
@json_option
@click.argument("file", type=click.File("rb"))
def translate(origin: str, goal: str, json_output: bool, file: BinaryIO) -> None:
    """Translate one request offline: events, outbound requests, ledger, and the answer the client would get.

    FILE holds {"method", "path", "headers", "body"} as JSON, or an object with that as its "request"; - reads
    standard input. Nothing is sent. Ends with code 1 when the request would be refused.

    \b
    Examples:
      gateway translate --from klaviyo --to blueshift request.json
      gateway translate --from klaviyo --to blueshift --json - < request.json
    """
    result = run(_read(file), registry.adapter(origin), registry.adapter(goal))
    if json_output:
        as_json(result)
    else:
        _show(result)
    if not 200 <= result.reply["status"] < 300:
        raise SystemExit(1)


def _read(file: BinaryIO) -> dict[str, Any]:
    try:
        return msgspec.json.decode(file.read(), type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError) as error:
        raise UsageError(f"{file.name}: not a JSON object: {error}") from None


def _show(result: Translation) -> None:
    click.echo(f"The client gets {result.reply['status']}")
    if result.reply["body"] is not None:
        as_json(result.reply["body"])
    for event in result.events:
        click.echo(f"\nEvent {event.id}: {event.kind} {event.name!r}")
        as_json({k: v for k, v in msgspec.to_builtins(event).items() if k not in ("id", "kind", "name")})
    for request in result.requests:
        click.echo(f"\nRequest to {request.target_vendor}: {request.method} {request.path}")
        for name, value in request.headers.items():
            click.echo(f"  {name}: {value}")
        as_json(request.body)
    if result.ledger:
        _show_ledger(result)


def _show_ledger(result: Translation) -> None:
    counts = Counter(row.outcome for row in result.ledger)
    click.echo("\nLedger: " + ", ".join(f"{count} {outcome}" for outcome, count in counts.most_common()))
    rows = [[row.path, row.outcome, row.to, row.reason] for row in result.ledger if row.outcome != "carried"]
    if rows:
        table(["path", "outcome", "to", "reason"], rows)
