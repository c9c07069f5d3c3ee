"""Every published example request through every encoder, as files that a person can read and review.

``python -m tests.contract.matrix`` writes ``tests/contract/matrix/<vendor>/<example>.md`` anew; a test compares. What
changes there on purpose is seen in the review of the change that did it.
"""

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from gateway import registry
from gateway.adapter import Adapter
from gateway.event import Event
from gateway.inbound.routes import Source
from gateway.ledger import LedgerRow
from gateway.offline import OutboundRequest
from gateway.translation import Translation, translate_request
from tests.contract.adapter_cases import ROOT, SOURCE, Case, cases, request

FOLDER: Final = Path(__file__).parent / "matrix"


def examples(slug: str) -> Iterator[Case]:
    """Yield a vendor's accepted examples that its documents, clients or users have published."""
    for case in cases(slug):
        source = json.loads(case.path.read_text("utf-8")).get("source", "")
        if case.expected.exists() and not source.startswith("ours"):
            yield case


def files() -> dict[Path, str]:
    """Return every file of the matrix and what stands in it; the vendors of a drop-in folder are not in it."""
    adapters = {slug: one for slug, one in registry.adapters().items() if (ROOT / "adapters" / slug).is_dir()}
    found: dict[Path, str] = {}
    totals: dict[tuple[str, str], Counter[str]] = {}
    for slug, origin in sorted(adapters.items()):
        for case in examples(slug):
            results = {goal: translated(case, origin, adapters[goal]) for goal in sorted(adapters)}
            if not any(result.events for result in results.values()):
                continue
            found[FOLDER / slug / f"{case.path.stem}.md"] = _file(case, results)
            for goal, result in results.items():
                outcomes: Counter[str] = Counter(row.outcome for row in result.ledger)
                totals.setdefault((slug, goal), Counter()).update({"examples": 1, **outcomes})
    found[FOLDER / "README.md"] = _summary(sorted(adapters), totals)
    return found


def translated(case: Case, origin: Adapter, goal: Adapter) -> Translation:
    """Return what becomes of an example; the same at every call."""
    asked = request(origin, case.request, options=case.options)
    source = Source(SOURCE, origin, [case.credentials] if case.credentials else [], options=asked.options)
    return translate_request(source, asked, goal)


def _summary(slugs: list[str], totals: dict[tuple[str, str], Counter[str]]) -> str:
    lines = ["# Every example to every vendor", "", "Leaves: carried / renamed / coerced / dropped.", ""]
    lines += ["| from, to | examples | " + " | ".join(slugs) + " |", "|" + " --- |" * (len(slugs) + 2)]
    for slug in slugs:
        counts = [totals.get((slug, goal), Counter()) for goal in slugs]
        cells = [" / ".join(str(one[k]) for k in ("carried", "renamed", "coerced", "dropped")) for one in counts]
        lines.append(f"| {slug} | {counts[0]['examples']} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _file(case: Case, results: dict[str, Translation]) -> str:
    first = next(iter(results.values()))
    path = case.request["path"].partition("?")[0]
    head = [f"# {case.vendor}: {case.path.stem}", "", f"`{case.request['method']} {path}` means"]
    head += [f"- {_about(event)}" for event in first.events]
    return "\n".join(head + [line for goal, result in results.items() for line in _section(goal, result)]) + "\n"


def _about(event: Event) -> str:
    return f"{event.kind} `{event.name}`"


def _section(goal: str, result: Translation) -> Iterator[str]:
    yield f"\n## To {goal}"
    for one in result.requests:
        yield from _request(one)
    yield ""
    yield from _ledger(result.ledger)


def _request(one: OutboundRequest) -> Iterator[str]:
    yield f"\n`{one.method} {one.path}`\n\n```json"
    yield _json(one.body)
    yield "```"


def _json(value: Any) -> str:
    """Return JSON with short objects on one line."""
    flat = json.dumps(value, ensure_ascii=False)
    if len(flat) <= 100 or not isinstance(value, (dict, list)):
        return flat
    if isinstance(value, list):
        inner = [_json(one) for one in value]
    else:
        inner = [f"{json.dumps(key, ensure_ascii=False)}: {_json(one)}" for key, one in value.items()]
    opening, closing = "[]" if isinstance(value, list) else "{}"
    body = ",\n".join(inner).replace("\n", "\n  ")
    return f"{opening}\n  {body}\n{closing}"


def _ledger(rows: list[LedgerRow]) -> Iterator[str]:
    carried = [row.path for row in rows if row.outcome == "carried"]
    if carried:
        yield f"- carried ({len(carried)}): " + ", ".join(f"`{path}`" for path in carried)
    for row in rows:
        if row.outcome in ("renamed", "coerced"):
            yield f"- {row.outcome}: `{row.path}` to `{row.to}`. {row.reason}"
    reasons: dict[str | None, list[str]] = {}
    for row in rows:
        if row.outcome == "dropped":
            reasons.setdefault(row.reason, []).append(row.path)
    for reason, paths in reasons.items():
        yield f"- dropped ({len(paths)}): " + ", ".join(f"`{path}`" for path in paths) + f". {reason}"


def write() -> None:
    """Write the whole matrix."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    for path, text in files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


if __name__ == "__main__":
    write()
