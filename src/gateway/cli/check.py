"""``gateway check``: is this configuration right, and where would events go?"""

from collections.abc import Iterator
from pathlib import Path

import click

from gateway import registry
from gateway.app import build_target
from gateway.cli.losses import show_losses
from gateway.cli.options import config_option, json_option
from gateway.cli.output import as_json, table
from gateway.config import Checked, load, source_path
from gateway.fidelity import Level, Route, routes
from gateway.routing import Rule


@click.command()
@config_option
@json_option
def check(config_path: Path, json_output: bool) -> None:
    """Check a configuration whole, and show its sources, targets and routes, and what each route can lose.

    Every problem is reported at once, with file, line and column. Ends with code 2 when there is one.

    \b
    Examples:
      gateway check
      gateway check -c /etc/gateway/gateway.yaml
      gateway check --json
    """
    config = load(config_path)
    ways = list(_ways(config))
    if json_output:
        as_json({**_facts(config), "losses": [_loss_facts(way) for way in ways]})
        return
    click.echo(f"{config_path}: right\n")
    _show(config)
    show_losses(ways)


def _facts(config: Checked) -> dict[str, object]:
    return {
        "ok": True,
        "listen": config.listen,
        "admin": {"host": config.admin.host, "port": config.admin.port},
        "log": config.log,
        "sources": {
            name: {"vendor": s.vendor, "path": source_path(name, s) or "/", "hosts": s.hosts}
            for name, s in config.sources.items()
        },
        "targets": {
            name: {"vendor": t.vendor, "base_url": t.base_url or registry.adapter(t.vendor).base_url}
            for name, t in config.targets.items()
        },
        "routes": [
            {"rule": rule.name, "match": rule.match, "to": [send.target for send in rule.sends], "drop": rule.drop}
            for rule in config.rules
        ],
    }


def _ways(config: Checked) -> Iterator[Route]:
    """Yield what gets across between the configured sources and targets."""
    sources = {name: registry.adapter(source.vendor) for name, source in config.sources.items()}
    specs = {name: build_target(name, target) for name, target in config.targets.items()}
    return routes(config.rules, sources, {name: (spec.adapter, spec.settings()) for name, spec in specs.items()})


def _loss_facts(way: Route) -> dict[str, object]:
    levels = {level: [one for one in way.pair.items() if one[1].level is level] for level in Level}
    told = {
        key: [{"what": f"{c.section}: {c.name}", "path": c.path, "reason": found.reason} for c, found in levels[level]]
        for key, level in (("partly", Level.PARTLY), ("not_at_all", Level.NONE))
    }
    return {"rule": way.rule, "source": way.source, "target": way.target, "fully": len(levels[Level.FULLY]), **told}


def _show(config: Checked) -> None:
    rows = [[n, s.vendor, source_path(n, s) or "/", ", ".join(s.hosts)] for n, s in config.sources.items()]
    table(["source", "vendor", "path", "hosts"], rows)
    click.echo()
    targets = [
        [
            name,
            target.vendor,
            target.base_url or registry.adapter(target.vendor).base_url,
            _calls(target.vendor, target.credentials),
        ]
        for name, target in config.targets.items()
    ]
    table(["target", "vendor", "base url", "calls"], targets)
    click.echo()
    table(["rule", "events", "goes to"], [[rule.name, _events(rule), _goal(rule)] for rule in config.rules])
    reached = {send.target for rule in config.rules for send in rule.sends}
    for name in config.targets.keys() - reached:
        click.echo(f"\nnote: no rule sends to the target {name!r}")


def _calls(vendor: str, credentials: dict[str, str]) -> str:
    usable = [out.name for out in registry.adapter(vendor).outbound if set(out.needs) <= credentials.keys()]
    return ", ".join(usable)


def _events(rule: Rule) -> str:
    match = rule.match
    parts = [("source", match.source), ("kind", match.kind), ("name", match.name)]
    said = [f"{key} {value if isinstance(value, str) else ' or '.join(value)}" for key, value in parts if value]
    return ", ".join(said) or "all"


def _goal(rule: Rule) -> str:
    if rule.drop is not None:
        return f"nowhere: {rule.drop}"
    return ", ".join(f"{send.target} as {send.name!r}" if send.name else send.target for send in rule.sends)
