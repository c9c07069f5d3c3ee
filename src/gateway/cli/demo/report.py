"""What the demo tells: who sent what, what became of it, and what arrived."""

from typing import Any, Final

import click

from gateway.cli.demo.sent import Sent
from gateway.cli.output import table

MADE_FIRST: Final = ("user",)
"""Endpoints of stand-ins whose events are users that had to be there before an event."""


def show(
    sent: list[Sent], status: dict[str, Any], received: dict[str, Any], accepted_s: float, arrived_s: float
) -> None:
    """Print what was sent and what arrived."""
    click.echo("\nSent, and answered by the gateway as the vendor would:")
    table(
        ["dialect", "client", "what", "requests", "events", "answers", "ms"],
        [[s.dialect, s.client, s.what, s.requests, s.events, s.answers, f"{s.seconds * 1000:.0f}"] for s in sent],
        right=(3, 4, 6),
    )
    click.echo(f"\nAll accepted after {accepted_s:.2f} s, all settled after {arrived_s:.2f} s. At the targets:")
    rows = []
    for target in status["log"]["targets"]:
        vendor = target["target"].removeprefix("to-")
        total = target["delivered"] + target["queued"] + target["dropped"] + target["duplicate"] + target["dead"]
        rows.append(
            [
                target["target"],
                *(target[key] for key in ("accepted", "delivered", "queued", "dropped", "duplicate", "dead")),
                f"{target['accepted']} = {total}",
                _arrived(received[vendor]),
                sum(r["requests"] for r in received[vendor]["requests"]),
            ]
        )
    states = ["accepted", "delivered", "queued", "dropped", "duplicate", "dead"]
    head = ["target", *states, "sum", "arrived", "in requests"]
    table(head, rows, right=range(1, 10))
    click.echo("\nArrived, by the name the vendor's stand-in understood:")
    names = sorted({name for r in received.values() for name in r["by_name"]})
    table(
        ["event", *received],
        [[n, *(r["by_name"].get(n, 0) for r in received.values())] for n in names],
        right=range(1, 1 + len(received)),
    )


def _arrived(received: dict[str, Any]) -> int:
    """Return how many events came, but for the users that were made because events needed them."""
    return sum(count for endpoint, count in received["events_by_endpoint"].items() if endpoint not in MADE_FIRST)


def complete(sent: list[Sent], status: dict[str, Any], received: dict[str, Any]) -> bool:
    """Tell whether every event arrived at every target."""
    events = sum(s.events for s in sent)
    duplicates = sum(s.duplicates for s in sent)
    targets = status["log"]["targets"]
    return (
        bool(events)
        and all(s.ok for s in sent)
        and len(targets) == len(received)
        and all(t["accepted"] == events and t["duplicate"] == duplicates for t in targets)
        and all(t["delivered"] == events - duplicates for t in targets)
        and all(_arrived(r) == events - duplicates for r in received.values())
    )
