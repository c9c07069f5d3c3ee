"""Published and recorded requests: each means the recorded events and gets the recorded answer."""

import json
from pathlib import Path
from typing import Any

import pytest

from adapters.klaviyo import ADAPTER
from adapters.klaviyo.tests.equalities import normalise
from adapters.klaviyo.tests.world import ACCOUNT, ENDPOINTS, OUTBOUND, SETTINGS, ask, errors
from gateway import event as canonical
from gateway.adapter import Decoded, Inbound, Refusal, RefusalKind, Rejected, Reply
from gateway.event import Profile

FOLDER = Path(__file__).parent / "payloads"
CASES = sorted(path for path in FOLDER.glob("*.json") if path.suffixes == [".json"])
ACCEPTED = [path for path in CASES if path.with_suffix(".event.json").exists()]
KNOWN = "01JZ7A0C4D8E2F6G1H3J5KEXMP"


def _case(path: Path) -> dict[str, Any]:
    case: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return case


def _entry(request: dict[str, Any]) -> Inbound:
    path = request["path"].partition("?")[0].rstrip("/")
    return next(e for e in ENDPOINTS.values() if (e.method, e.path) == (request["method"], path))


def _play(case: dict[str, Any], people: dict[str, Profile] | None = None) -> Decoded | Reply:
    request = case["request"]
    entry = _entry(request)
    body = request.get("body")
    raw = body.encode() if isinstance(body, str) else b"" if body is None else json.dumps(body).encode()
    asked = ask(entry.name, raw, headers=request["headers"], query=request["path"].partition("?")[2], people=people)
    try:
        if entry.auth is not None:
            entry.auth.present(asked)
        return entry.decode(asked)
    except Rejected as rejected:
        return rejected.reply


@pytest.mark.parametrize("path", ACCEPTED, ids=lambda path: path.stem)
def test_events_are_as_recorded(path: Path) -> None:
    """Names, fields and residue are those of the reviewed file."""
    decoded = _play(_case(path))
    assert isinstance(decoded, Decoded)
    events = [json.loads(canonical.dump(event)) for event in decoded.events]
    assert events == json.loads(path.with_suffix(".event.json").read_text("utf-8"))


@pytest.mark.parametrize("path", ACCEPTED, ids=lambda path: path.stem)
def test_success_is_answered_as_recorded(path: Path) -> None:
    """Status, and the body where there is one to compare."""
    case = _case(path)
    decoded = _play(case)
    assert isinstance(decoded, Decoded)
    recorded = case["response"]
    assert decoded.reply.status == recorded["status"]
    if isinstance(recorded["body"], str):
        assert decoded.reply.body.decode() == recorded["body"]
    elif recorded["body"] is None:
        assert decoded.reply.body == b""


def test_created_profile_is_answered_with_all_its_members() -> None:
    """All but what only Klaviyo knows: its id and the times."""
    case = _case(FOLDER / "profile_import_201_created.json")
    decoded = _play(case)
    assert isinstance(decoded, Decoded)
    ours, theirs = json.loads(decoded.reply.body)["data"], case["response"]["body"]["data"]
    for name in ("created", "updated"):
        assert set(ours["attributes"]) == set(theirs["attributes"])
        del ours["attributes"][name], theirs["attributes"][name]
        ours["attributes"][name] = theirs["attributes"][name] = None
    assert ours["attributes"] == theirs["attributes"]
    assert ours["links"]["self"] == f"https://a.klaviyo.com/api/profiles/{ours['id']}/"


@pytest.mark.parametrize(
    "name",
    ["bulk_create_events_400_indexed_pointer", "create_event_400_shape_mismatch", "create_event_401_wrong_scheme"],
)
def test_refusals_are_answered_as_recorded(name: str) -> None:
    """Every recorded member of the error but its id."""
    case = _case(FOLDER / f"{name}.json")
    answer = _play(case)
    assert isinstance(answer, Reply)
    _same_error(answer, case["response"])


def test_duplicate_profile_is_answered_as_recorded() -> None:
    """The existing id stands in the member that connectors read to go on with a PATCH."""
    case = _case(FOLDER / "create_profile_409_duplicate.json")
    answer = _play(case, {KNOWN: Profile(email="omar.haddad@example.com")})
    assert isinstance(answer, Reply)
    _same_error(answer, case["response"])


def test_throttling_is_answered_as_recorded() -> None:
    """With Retry-After as an integer, and the link to the documentation."""
    case = _case(FOLDER / "create_event_429_throttled.json")
    asked = ask("events", case["request"]["body"], headers=case["request"]["headers"])
    answer = ADAPTER.refuse(Refusal(RefusalKind.THROTTLED, retry_after=1), asked)
    assert (b"Retry-After", b"1") in answer.headers
    _same_error(answer, case["response"])


def _same_error(answer: Reply, recorded: dict[str, Any]) -> None:
    assert answer.status == recorded["status"]
    (ours,), (theirs,) = errors(answer), recorded["body"]["errors"]
    assert {name: ours[name] for name in theirs if name != "id"} == {k: v for k, v in theirs.items() if k != "id"}


@pytest.mark.parametrize("path", [p for p in ACCEPTED if not p.stem.startswith("legacy")], ids=lambda path: path.stem)
def test_accepted_requests_come_back_the_same(path: Path) -> None:
    """Decoding and encoding again gives a body that means the same to Klaviyo."""
    case = _case(path)
    decoded = _play(case)
    assert isinstance(decoded, Decoded)
    kind = decoded.events[0].kind
    outbound = OUTBOUND["profile-import" if kind == "identify" else "event-bulk-create-jobs"]
    (encoded,) = outbound.encode(decoded.events, SETTINGS)
    back = normalise(outbound.name, json.loads(encoded.body))
    there = normalise(_entry(case["request"]).name, case["request"]["body"])
    assert back == there
    assert encoded.lost == ()


def test_every_credential_is_configured() -> None:
    """The account that tests present holds all that the adapter names."""
    assert set(ACCOUNT) == {entry.name for entry in ADAPTER.credentials}
