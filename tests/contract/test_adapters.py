"""What the port promises of every adapter's inbound half, whoever the vendor is."""

import base64
import json
import re
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.adapter import Adapter, Auth, Inbound, Quota, Refusal, RefusalKind, Rejected, Reply, Request
from tests import strategies
from tests.contract import promises
from tests.contract.adapter_cases import (
    Case,
    Outcome,
    account_of,
    cases,
    dumped,
    everyone,
    play,
    replay,
    request,
)

ADAPTERS: Final = everyone()
CASES: Final = [case for slug in ADAPTERS for case in cases(slug)]
INBOUND: Final = [(adapter, entry) for adapter in ADAPTERS.values() for entry in adapter.inbound]
CANARY: Final = "canary-5ecre7"

every_adapter = pytest.mark.parametrize("adapter", ADAPTERS.values(), ids=list(ADAPTERS))
every_case = pytest.mark.parametrize("case", CASES, ids=[f"{case.vendor}-{case.path.stem}" for case in CASES])
every_inbound = pytest.mark.parametrize(("adapter", "entry"), INBOUND, ids=[f"{a.slug}-{e.name}" for a, e in INBOUND])

often = settings(deadline=None, max_examples=25)


# --- recorded requests -----------------------------------------------------------------------------------


@every_adapter
def test_there_are_recorded_requests(adapter: Adapter) -> None:
    played = [replay(adapter, case) for case in cases(adapter.slug)]
    assert any(outcome.events for outcome in played)
    assert any(not outcome.accepted for outcome in played)


@every_case
def test_a_recorded_request_means_what_is_recorded(case: Case) -> None:
    outcome = replay(ADAPTERS[case.vendor], case)
    assert outcome.accepted == case.expected.exists(), "write the .event.json files anew and review them"
    if outcome.accepted:
        assert json.loads(case.expected.read_text("utf-8")) == dumped(outcome.events)


@every_case
def test_a_recorded_request_gets_the_recorded_answer(case: Case) -> None:
    outcome = replay(ADAPTERS[case.vendor], case)
    _check(ADAPTERS[case.vendor], outcome)
    if case.response is None:
        return
    assert outcome.reply.status == case.response["status"]
    body = case.response.get("body")
    if isinstance(body, (dict, list)):
        assert promises.same_shape(body, json.loads(outcome.reply.body)), outcome.reply.body
    elif body is not None:
        assert outcome.reply.body == str(body).encode()


@every_case
def test_decoding_depends_on_the_request_alone(case: Case) -> None:
    assert replay(ADAPTERS[case.vendor], case) == replay(ADAPTERS[case.vendor], case)


@every_case
def test_every_case_names_its_source(case: Case) -> None:
    source = json.loads(case.path.read_text("utf-8"))["source"]
    assert len(source) > 10


# --- garbage ---------------------------------------------------------------------------------------------

_types = st.sampled_from(
    ["application/json", "application/vnd.api+json", "application/x-www-form-urlencoded", "text/plain", "é", ""]
)
_deep = st.sampled_from(
    [b"[" * 5000, b'{"a":' * 5000, b"[" * 500 + b"]" * 500, b"9" * 5000, b"1e999", b'"\\ud800"', b"\xef\xbb\xbf{}"]
)
_bodies = st.one_of(
    st.binary(max_size=60),
    strategies.json_values.map(json.dumps).map(str.encode),
    _deep,
    st.just(b"data=%7B%22a%22%3A1%7D"),
)
_queries = st.one_of(
    st.text(max_size=30), st.sampled_from(["data=e30", "data=%ff", "a=1&a=2", "x=" + "y" * 50, "data=eyJhIjogMX0="])
)


@st.composite
def garbage(draw: st.DrawFn, adapter: Adapter, entry: Inbound) -> dict[str, Any]:
    """Draw a request to an endpoint that no honest client would send."""
    path = entry.path.replace("{", "").replace("}", "")
    names = st.sampled_from(["Authorization", "Content-Type", "Revision", "X-Api-Key", "Accept", "Cookie"])
    headers = draw(st.dictionaries(names, st.text(st.characters(codec="latin-1"), max_size=20), max_size=4))
    return {
        "method": entry.method,
        "path": f"{path}?{draw(_queries)}",
        "headers": {**headers, "Content-Type": draw(_types)},
        "body": draw(_bodies).decode("utf-8", "surrogateescape"),
    }


@every_inbound
@often
@given(data=st.data())
def test_garbage_gives_only_the_vendors_answers(adapter: Adapter, entry: Inbound, data: st.DataObject) -> None:
    asked = request(adapter, {**data.draw(garbage(adapter, entry)), "body": None})
    asked.body = data.draw(_bodies)
    asked.account = account_of(adapter, "key")
    asked.params = {name: data.draw(strategies.texts) for name in re.findall(r"{(\w+)}", entry.path)}
    try:
        decoded = entry.decode(asked)
        outcome = Outcome(True, decoded.reply, tuple(decoded.events), entry)
    except Rejected as rejected:
        outcome = Outcome(False, rejected.reply, endpoint=entry)
    _check(adapter, outcome)


@every_inbound
@often
@given(data=st.data())
def test_garbage_presents_no_credential_that_breaks(adapter: Adapter, entry: Inbound, data: st.DataObject) -> None:
    asked = request(adapter, {**data.draw(garbage(adapter, entry)), "body": None})
    asked.body = data.draw(_bodies)
    _check(adapter, play(adapter, asked))


ACCEPTED: Final = [case for case in CASES if case.expected.exists()]


@pytest.mark.parametrize("case", ACCEPTED, ids=[f"{case.vendor}-{case.path.stem}" for case in ACCEPTED])
@often
@given(data=st.data())
def test_a_damaged_request_gives_only_the_vendors_answers(case: Case, data: st.DataObject) -> None:
    adapter = ADAPTERS[case.vendor]
    recorded = dict(case.request)
    if isinstance(recorded.get("body"), (dict, list)):
        recorded["body"] = data.draw(mutated(recorded["body"]))
    if data.draw(st.booleans()):
        recorded["path"] = data.draw(bent(recorded["path"]))
    asked = request(adapter, recorded)
    if data.draw(st.booleans()):
        asked.body = data.draw(bitten(asked.body))
    _check(adapter, play(adapter, asked, credentials=case.credentials))


@st.composite
def mutated(draw: st.DrawFn, tree: Any) -> Any:
    """Draw a JSON value in which one place holds something else, or nothing."""
    if not isinstance(tree, (dict, list)) or not tree or draw(st.integers(0, 5)) == 0:
        return draw(strategies.json_values)
    copy: Any = tree.copy()
    key = draw(st.sampled_from(sorted(tree) if isinstance(tree, dict) else range(len(tree))))
    match draw(st.sampled_from(["deeper", "deeper", "deeper", "remove", "double", "replace"])):
        case "remove":
            del copy[key]
        case "double":
            copy[key] = [tree[key], tree[key]]
        case "replace":
            copy[key] = draw(strategies.json_values)
        case _:
            copy[key] = draw(mutated(tree[key]))
    return copy


@st.composite
def bitten(draw: st.DrawFn, body: bytes) -> bytes:
    """Draw bytes with a part cut out and others put in."""
    start = draw(st.integers(0, len(body)))
    return body[:start] + draw(st.binary(max_size=3)) + body[start + draw(st.integers(0, 9)) :]


@st.composite
def bent(draw: st.DrawFn, path: str) -> str:
    """Draw a path with something put into its query."""
    at = draw(st.integers(path.find("?") + 1 or len(path), len(path)))
    return f"{path[:at]}{draw(_queries)}{path[at:]}"


def _check(adapter: Adapter, outcome: Outcome) -> None:
    promises.check_reply(outcome.reply)
    assert outcome.reply.status < 500 or outcome.endpoint is None
    assert outcome.accepted == (outcome.reply.status < 400) or not outcome.events
    promises.check_events(adapter, outcome)


# --- refusals --------------------------------------------------------------------------------------------


def _refusals() -> list[Refusal]:
    waits = [Refusal(kind, wait) for kind in (RefusalKind.THROTTLED, RefusalKind.UNAVAILABLE) for wait in (1, 30)]
    others = [Refusal(kind) for kind in RefusalKind if kind not in (RefusalKind.THROTTLED, RefusalKind.UNAVAILABLE)]
    return [*waits, *others, Refusal(RefusalKind.METHOD_NOT_ALLOWED, allowed=("GET", "POST"))]


@every_adapter
@pytest.mark.parametrize("refusal", _refusals(), ids=lambda refusal: f"{refusal.kind.value}-{refusal.retry_after}")
def test_every_refusal_has_an_answer_that_tells_no_secret(adapter: Adapter, refusal: Refusal) -> None:
    hidden = base64.b64encode(f"{CANARY}:".encode()).decode()
    headers = dict.fromkeys(("Authorization", "X-Api-Key", "Cookie", "Content-Type"), f"Basic {hidden} {CANARY}")
    paths = {entry.path for entry in adapter.inbound} | {"/nowhere", "/"}
    for path in paths:
        recorded = {"path": f"{path}?key={CANARY}", "headers": headers, "body": {"token": CANARY}}
        for method in ("GET", "POST", "OPTIONS", "BREW"):
            reply = adapter.refuse(refusal, request(adapter, {"method": method, **recorded}))
            promises.check_reply(reply)
            text = repr(reply)
            assert CANARY not in text
            assert hidden not in text


@every_adapter
@pytest.mark.parametrize("wait", [1, 30])
def test_a_wait_that_is_told_is_whole_seconds(adapter: Adapter, wait: int) -> None:
    for kind in (RefusalKind.THROTTLED, RefusalKind.UNAVAILABLE):
        reply = adapter.refuse(Refusal(kind, wait), request(adapter, {"method": "POST", "path": "/"}))
        told = [value for name, value in reply.headers if name.lower() == b"retry-after"]
        assert told in ([], [str(wait).encode()])


@every_case
def test_no_answer_repeats_the_credential(case: Case) -> None:
    """A stranger's key, and a known one whose request fails, stay out of answers and so out of clients' logs."""
    adapter = ADAPTERS[case.vendor]
    asked = request(adapter, case.request)
    outcome = play(adapter, asked, credentials=case.credentials, stranger=True)
    entry = outcome.endpoint
    if outcome.accepted or entry is None or entry.auth is None:
        return
    for secret in _secrets(entry.auth, asked):
        assert secret not in repr(outcome.reply)


def _secrets(auth: Auth, asked: Request) -> list[str]:
    """Return what a client presented: the credential, or what it gave in its place."""
    try:
        return [auth.present(asked)]
    except Rejected:
        return [value.decode() for name, value in asked.raw_headers if name == b"authorization"]


@every_adapter
def test_quota_headers_are_http(adapter: Adapter) -> None:
    headers = adapter.quota_headers(Quota(3500, 0, 1)) if adapter.quota_headers else ()
    promises.check_reply(Reply(200, headers))


@every_inbound
@given(presented=strategies.texts, other=strategies.texts)
@settings(max_examples=10, deadline=None)
def test_a_credential_matches_no_account_but_its_own(
    adapter: Adapter, entry: Inbound, presented: str, other: str
) -> None:
    if entry.auth is None:
        return
    assert not entry.auth.matches(presented, {})
    if presented != other:
        assert not entry.auth.matches(presented, account_of(adapter, other))
