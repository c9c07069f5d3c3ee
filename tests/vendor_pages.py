"""Writes ``docs/vendors/`` from the adapters: ``python -m tests.vendor_pages``."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from gateway import registry
from gateway.adapter import Adapter, Inbound, Outbound, Rule, Window
from gateway.fidelity import CAPABILITIES, Fidelity, Level, Pair, compare
from tests.struct_docs import docs

ROOT: Final = Path(__file__).parents[1]
PAGES: Final = ROOT / "docs" / "vendors"
NOTE: Final = "<!-- Written by `python -m tests.vendor_pages` from the adapter: change that, not this. -->"
MARKS: Final = {Level.FULLY: "yes", Level.PARTLY: "partly", Level.NONE: "no"}


def pages() -> dict[Path, str]:
    """Return every page and what stands in it."""
    adapters = {slug: one for slug, one in registry.adapters().items() if (ROOT / "adapters" / slug).is_dir()}
    pairs = {
        (one, other): compare(adapters[one], adapters[other]) for one in sorted(adapters) for other in sorted(adapters)
    }
    found = {PAGES / "README.md": _overview(adapters, pairs)}
    for slug, adapter in sorted(adapters.items()):
        found[PAGES / f"{slug}.md"] = _page(adapter, {goal: pairs[slug, goal] for goal in sorted(adapters)})
    return found


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


# --- the overview ----------------------------------------------------------------------------------------


def _overview(adapters: dict[str, Adapter], pairs: dict[tuple[str, str], Pair]) -> str:
    slugs = sorted(adapters)
    head = ["from, to", *(adapters[slug].title for slug in slugs)]
    rows = [[f"[{adapters[a].title}]({a}.md)", *(_counts(pairs[a, b]) for b in slugs)] for a in slugs]
    return f"""# Vendors
{NOTE}

What one platform's clients can say, and how much of it another platform is told. Each cell counts things that an
event can say (kinds of events, fields of a person, an order, a product line, permissions, circumstances): fully /
partly / not at all. A row counts only what that vendor's own requests can say. What each thing is stands on the
vendor's page; what your own routes can lose is told by `gateway check`, what became of one request by
`gateway translate`.

{_table(head, rows)}
*Partly* means that it arrives changed (coerced, flattened, under a name of the client's own), or with some kinds of
events only.
"""


def _counts(pair: Pair) -> str:
    levels = [found.level for found in pair.values()]
    return " / ".join(str(levels.count(level)) for level in (Level.FULLY, Level.PARTLY, Level.NONE))


# --- one vendor ------------------------------------------------------------------------------------------


def _page(adapter: Adapter, to: dict[str, Pair]) -> str:
    links = "\n".join(f"- <{page}>" for page in adapter.docs)
    parts = [
        f"# {adapter.title}\n{NOTE}\n",
        f"Read {adapter.read} from:\n\n{links}\n",
        "More about it, and the exact sources, in `adapters/" + adapter.slug + "/README.md`.\n",
        "## Settings\n\n" + _settings(adapter),
        "## As a source\n\n" + _sources(adapter),
        "## As a target\n\n" + _targets(adapter),
        "## What an answer means\n\n" + _rules(adapter),
        "## Choices of ours\n\n" + choices(adapter.slug),
        "## What other vendors are told\n\n" + _told(to),
    ]
    return "\n".join(parts)


def _settings(adapter: Adapter) -> str:
    rows = [[f"`{c.name}`", c.about, "yes" if c.secret else "no"] for c in adapter.credentials]
    text = _table(["credential", "for", "secret"], rows)
    for words, options in (("source", adapter.source_options), ("target", adapter.target_options)):
        if options is not None:
            text += f"\nOptions of a {words}:\n\n" + _options(options)
    return text


def _options(options: type[Struct]) -> str:
    about = dict(docs(options))
    values = options()
    rows = []
    for field in msgspec.structs.fields(options):
        default = msgspec.json.encode(getattr(values, field.name)).decode()
        rows.append([f"`{field.encode_name}`", f"`{default}`", about.get(field.name, "")])
    return _table(["option", "default", "for"], rows)


def _sources(adapter: Adapter) -> str:
    return _table(["endpoint", "request", "bytes at most", "limits"], [_source(one) for one in adapter.inbound])


def _source(one: Inbound) -> list[str]:
    return [one.name, f"`{one.method} {one.path}`", f"{one.max_body:,}", _windows(one.windows)]


def _targets(adapter: Adapter) -> str:
    rows = [_target(one) for one in adapter.outbound]
    text = _table(["endpoint", "request", "carries", "needs", "events", "bytes", "limits"], rows)
    sources = dict.fromkeys(
        f"- {_window(window)}: {window.source} (read {window.read})"
        for one in adapter.outbound
        for window in one.windows
    )
    return text + ("\nWhere the limits stand:\n\n" + "\n".join(sources) + "\n" if sources else "")


def _target(one: Outbound) -> list[str]:
    carries = ", ".join(sorted(one.kinds)) or "nothing by itself: called before others"
    extra = f"; from {one.pays_from} waiting" if one.pays_from > 1 else ""
    needs = ", ".join(f"`{name}`" for name in one.needs)
    login = f"; after `{one.login.method} {one.login.path}`" if one.login else ""
    request = f"`{one.method} {one.path}`{login}"
    return [one.name, request, carries + extra, needs, str(one.max_events), f"{one.max_body:,}", _windows(one.windows)]


def _windows(windows: Sequence[Window]) -> str:
    return ", ".join(_window(window) for window in windows) or "none known"


def _window(window: Window) -> str:
    shared = " (shared)" if window.shared else ""
    return f"{window.count:,} {window.unit} in {window.seconds:g} s{shared}"


def _rules(adapter: Adapter) -> str:
    by_rules: dict[tuple[Rule, ...], list[str]] = {}
    for one in adapter.outbound:
        by_rules.setdefault(one.rules, []).append(one.name)
    text = ""
    for rules, names in by_rules.items():
        rows = [[_status(rule.status), rule.code or "any", rule.verdict.value, rule.why] for rule in rules]
        text += f"Of {', '.join(names)}:\n\n" + (_table(["status", "code", "then", "why"], rows) + "\n" if rows else "")
    return text + (
        "Where no row fits: 2xx done; 408, 425 and 429 throttle; 401 and 403 hold the target; 413 split; 5xx retry;\n"
        "anything else reject.\n"
    )


def _status(status: int | range) -> str:
    return str(status) if isinstance(status, int) else f"{status.start}-{status.stop - 1}"


def choices(slug: str) -> str:
    """Return what the vendor's README says of what is not confirmed."""
    text = (ROOT / "adapters" / slug / "README.md").read_text("utf-8")
    found = re.search(r"^## [^\n]*[Cc]hoices[^\n]*\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found is not None, f"adapters/{slug}/README.md has no section about choices"
    return found[1].strip() + "\n"


def _told(to: dict[str, Pair]) -> str:
    rows = []
    for capability in CAPABILITIES:
        if any(capability in pair for pair in to.values()):
            cells = [_mark(pair.get(capability)) for pair in to.values()]
            rows.append([capability.section, capability.name, f"`{capability.path}`", *cells])
    return _table(["what", "", "in an event", *to], rows) + "\n" + "".join(_reasons(to))


def _mark(found: Fidelity | None) -> str:
    return "" if found is None else MARKS[found.level]


def _reasons(to: dict[str, Pair]) -> Iterator[str]:
    for goal, pair in to.items():
        reasons: dict[str, list[str]] = {}
        for capability, found in pair.items():
            if found.level is not Level.FULLY:
                reasons.setdefault(found.reason, []).append(f"{capability.section.lower()}: {capability.name}")
        if reasons:
            lines = "\n".join(f"- {', '.join(names)}. {reason}" for reason, names in reasons.items())
            yield f"To {goal}, partly or not at all:\n\n{lines}\n\n"


def write() -> None:
    """Write all pages."""
    PAGES.mkdir(exist_ok=True)
    for path, text in pages().items():
        path.write_text(text.rstrip() + "\n", "utf-8")


if __name__ == "__main__":
    write()
