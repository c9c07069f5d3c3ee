"""What rules want done about what a target cannot be told."""

from collections.abc import Mapping, Sequence
from typing import Final

from gateway.adapter import Encoded, Loss
from gateway.delivery.lanes import Item
from gateway.delivery.spec import Hooks, LossPolicy

_STRICTEST: Final = ("refuse", "warn", "allow")


def policy_of(policies: Mapping[str, LossPolicy], loss: Loss) -> LossPolicy:
    """Return what to do about one loss: what is said of its path, of a part of it, or of what it is a part of.

    Of several the strictest holds; ``*`` is for what nothing is said of. Only what is dropped is a loss here.
    """
    if not policies or loss.outcome != "dropped":
        return "allow"
    said = {policy for path, policy in policies.items() if path != "*" and _touch(path, loss.path)}
    return next((policy for policy in _STRICTEST if policy in said), policies.get("*", "allow"))


def _touch(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    return not short or short == long or (long.startswith(short) and long[len(short)] in ".[")


def refused(hooks: Hooks, target: str, requests: Sequence[Encoded], items: Sequence[Item]) -> dict[int, str]:
    """Return the events whose rules refuse what would be lost, each with the ledger of it."""
    if hooks.policies is None or not any(request.lost for request in requests):
        return {}
    found: dict[int, list[Loss]] = {}
    for request in requests:
        for loss in request.lost:
            policies = hooks.policies(items[loss.event].rule, target)
            if policy_of(policies, loss) == "refuse":
                found.setdefault(loss.event, []).append(loss)
    return {at: _reason(items[at].rule, losses) for at, losses in found.items()}


def _reason(rule: str, losses: Sequence[Loss]) -> str:
    told = "; ".join(f"{loss.path or 'the event'}: {loss.reason}" for loss in losses)
    return f"the rule {rule!r} refuses to lose {told}"
