"""``gateway adapters``: which vendors this gateway speaks."""

from typing import Any

import click
import msgspec
from msgspec import Struct

from gateway import registry
from gateway.adapter import Adapter
from gateway.cli.options import json_option
from gateway.cli.output import as_json, table


@click.command()
@click.argument("vendor", required=False)
@json_option
def adapters(vendor: str | None, json_output: bool) -> None:
    """List the vendors, or everything about one: its endpoints, credentials and limits.

    \b
    Examples:
      gateway adapters
      gateway adapters klaviyo
      gateway adapters --json
    """
    chosen = [registry.adapter(vendor)] if vendor else list(registry.adapters().values())
    if json_output:
        as_json([_facts(adapter) for adapter in chosen])
    elif vendor:
        _show(chosen[0])
    else:
        rows = [[a.slug, a.title, a.revision, len(a.inbound), len(a.outbound), a.base_url] for a in chosen]
        table(["vendor", "title", "revision", "inbound", "outbound", "base url"], rows, right=(3, 4))


def _facts(adapter: Adapter) -> dict[str, object]:
    return {
        "vendor": adapter.slug,
        "title": adapter.title,
        "revision": adapter.revision,
        "base_url": adapter.base_url,
        "docs": adapter.docs,
        "read": adapter.read,
        "credentials": [{"name": c.name, "about": c.about, "secret": c.secret} for c in adapter.credentials],
        "source_options": _options(adapter.source_options),
        "target_options": _options(adapter.target_options),
        "inbound": [{"name": e.name, "method": e.method, "path": e.path} for e in adapter.inbound],
        "outbound": [
            {
                "name": e.name,
                "method": e.method,
                "path": e.path,
                "kinds": sorted(e.kinds),
                "needs": e.needs,
                "max_events": e.max_events,
                "max_body": e.max_body,
                "windows": e.windows,
            }
            for e in adapter.outbound
        ],
    }


def _options(options: type[Struct] | None) -> dict[str, Any]:
    """Return each option with its default."""
    return {} if options is None else msgspec.to_builtins(options())


def _show(adapter: Adapter) -> None:
    click.echo(f"{adapter.title}: {adapter.base_url}" + (f", revision {adapter.revision}" if adapter.revision else ""))
    click.echo("\nCredentials")
    table(["name", "about"], [[c.name, c.about] for c in adapter.credentials])
    for words, options in (("source", adapter.source_options), ("target", adapter.target_options)):
        if options is not None:
            click.echo(f"\nOptions of a {words}, with their defaults")
            for name, value in _options(options).items():
                click.echo(f"  {name}: {msgspec.json.encode(value).decode()}")
    click.echo("\nAs a source it answers")
    table(["endpoint", "method", "path"], [[e.name, e.method, e.path] for e in adapter.inbound])
    click.echo("\nAs a target it is called at")
    rows = [
        [e.name, e.method, e.path, e.max_events, " and ".join(f"{w.count} {w.unit}/{w.seconds:g}s" for w in e.windows)]
        for e in adapter.outbound
    ]
    table(["endpoint", "method", "path", "events", "limits"], rows, right=(3,))
    click.echo(f"\nRead {adapter.read} from:")
    for page in adapter.docs:
        click.echo(f"  {page}")
