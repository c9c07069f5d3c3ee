"""``gateway check``: is this configuration right, and where would events go?"""

from collections.abc import Iterator
from pathlib import Path

import click

from gateway import registry
from gateway.cli.losses import show_losses
from gateway.cli.options import config_option, json_option
from gateway.cli.output import as_json, table
from gateway.cli.rehearse import coverage_of, example_facts, results_of, show_coverage, show_examples
from gateway.config import Checked, load_with_places, source_path
from gateway.errors import UsageError
from gateway.fidelity import Level, Route, routes
from gateway.parts import build_target
from gateway.rehearsal import junit
from gateway.routing import Rule


@click.command()
@config_option
@json_option
@click.option("--coverage", "with_coverage", is_flag=True, help="Tell what no example tries and what is never reached.")
@click.option(
    "--junit",
    "junit_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the results of the examples here, as JUnit XML.",
)
def check(config_path: Path, json_output: bool, with_coverage: bool, junit_file: Path | None) -> None:
    """Check a configuration whole, and show its sources, targets and routes, and what each route can lose.

    Every problem is reported at once, with file, line and column. Ends with code 2 when there is one.

    The examples beside the rules are run: each gives an event (or the file of a vendor's request, and a source) and
    tells what is sent to which target. A permission that a rule requires counts as given, unless the example's event
    takes it back under 'consent'. Ends with code 1 when an example differs.

    \b
    Examples:
      gateway check
      gateway check -c /etc/gateway/gateway.yaml
      gateway check --coverage
      gateway check --junit report.xml
      gateway check --json
    """
    config, places = load_with_places(config_path)
    results = results_of(config, places)
    found = coverage_of(config, results) if with_coverage else None
    if junit_file is not None:
        _write(junit_file, junit(results))
    ways = list(_ways(config))
    if json_output:
        more = {"coverage": found} if found is not None else {}
        examples = example_facts(results)
        losses = [_loss_facts(way) for way in ways]
        as_json({**_facts(config), "ok": not examples["differ"], "losses": losses, "examples": examples, **more})
    else:
        click.echo(f"{config_path}: right\n")
        _show(config)
        show_losses(ways)
        show_examples(results)
        if found is not None:
            show_coverage(found)
    if not all(result.right for result in results):
        raise SystemExit(1)


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None


def _facts(config: Checked) -> dict[str, object]:
    return {
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
    for name in config.targets:
        if name not in reached:
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
