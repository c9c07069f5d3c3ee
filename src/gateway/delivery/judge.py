"""What an answer means: the vendor's rules first, then the defaults every vendor shares."""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Final, NamedTuple

from gateway.adapter import Answer, Encoded, Outbound, Rule, Verdict
from gateway.delivery.login import NotLoggedIn

LONGEST_PAUSE: Final = 86_400.0
"""Seconds: a vendor that asks for more is asked again after this."""
_EPOCH: Final = 1_000_000_000
"""A reset beyond this is a moment (Unix seconds), not a duration."""
_DEFAULTS: Final[Mapping[int, Verdict]] = {
    401: Verdict.HOLD,
    403: Verdict.HOLD,
    408: Verdict.THROTTLE,
    413: Verdict.SPLIT,
    425: Verdict.THROTTLE,
    429: Verdict.THROTTLE,
}


class Judgement(NamedTuple):
    """A verdict and one line that says why."""

    verdict: Verdict
    why: str


class Judge:
    """The rules of one endpoint."""

    def __init__(self, endpoint: Outbound) -> None:
        self._endpoint = endpoint
        self._rules: dict[int, tuple[Rule, ...]] = {}

    def verdict(self, answer: Answer) -> Judgement:
        """Return what to do: the first rule that fits, else the default for the status."""
        rules = self._rules.get(answer.status)
        if rules is None:
            rules = self._rules[answer.status] = tuple(r for r in self._endpoint.rules if _fits(r, answer.status))
        code = self._code(answer) if rules and any(rule.code is not None for rule in rules) else None
        for rule in rules:
            if rule.code is None or rule.code == code:
                return Judgement(rule.verdict, _line(answer.status, code, rule.why))
        return Judgement(_default(answer.status), _line(answer.status, code, ""))

    def _code(self, answer: Answer) -> str | None:
        if self._endpoint.error_code is None:
            return None
        try:
            return self._endpoint.error_code(answer)
        except Exception:  # noqa: BLE001 - an answer in an unforeseen form has no code, whatever trips over it
            return None

    def guilty(self, answer: Answer, request: Encoded) -> dict[int, str]:
        """Return the positions within the request that the answer names, each with its reason."""
        if self._endpoint.guilty is None:
            return {}
        try:
            named = self._endpoint.guilty(answer, request)
        except Exception:  # noqa: BLE001 - an answer in an unforeseen form names nobody, whatever trips over it
            return {}
        return {position: reason for position, reason in named.items() if 0 <= position < len(request.events)}


def login_judgement(failed: NotLoggedIn) -> Judgement:
    """Return what a failed login means for the events that wait for it: no fault of theirs, so never their end."""
    if failed.answer is None:
        return Judgement(Verdict.RETRY, str(failed))
    verdict = _default(failed.answer.status)
    passing = verdict in (Verdict.RETRY, Verdict.THROTTLE)
    return Judgement(verdict if passing else Verdict.HOLD, str(failed))


def _fits(rule: Rule, status: int) -> bool:
    return rule.status == status if isinstance(rule.status, int) else status in rule.status


def _default(status: int) -> Verdict:
    if 200 <= status < 300:
        return Verdict.DONE
    if status >= 500:
        return Verdict.RETRY
    return _DEFAULTS.get(status, Verdict.REJECT)


def _line(status: int, code: str | None, why: str) -> str:
    head = f"HTTP {status}" if code is None else f"HTTP {status} {code}"
    return f"{head}: {why}" if why else head


def pause_of(answer: Answer, wall: float) -> float | None:
    """Return the seconds a vendor asks us to wait, at most `LONGEST_PAUSE`; None when it does not say.

    `Retry-After` is seconds or an HTTP date (RFC 9110, section 10.2.3).
    """
    text = answer.headers.get("retry-after")
    if text is None:
        return None
    seconds = _number(text)
    if seconds is None:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - wall
        except (ValueError, OverflowError):
            return None
    return _bounded(seconds)


def quota_pause(answer: Answer, wall: float) -> float | None:
    """Return the seconds until a used-up quota is filled again, None when something is left or nothing is said."""
    for prefix in ("ratelimit-", "x-ratelimit-"):
        left = answer.headers.get(f"{prefix}remaining")
        if left is None or _number(left) != 0:
            continue
        reset = _number(answer.headers.get(f"{prefix}reset", ""))
        if reset is not None:
            return _bounded(reset - wall if reset > _EPOCH else reset)
    return None


def _number(text: str) -> float | None:
    """Return the leading number: vendors append policies as in ``0;w=60`` or ``0, 0;w=1``."""
    head = text.replace(",", ";").split(";", 1)[0].strip()
    return float(head) if head.replace(".", "", 1).isascii() and head.replace(".", "", 1).isdigit() else None


def _bounded(seconds: float) -> float:
    return min(max(seconds, 0.0), LONGEST_PAUSE)
