"""Requests of ``<case>.request.json``: accepted ones that leave us through another endpoint, without time or key.

They are played like the other recorded requests. Those go back and forth unchanged; these cannot, since every event
that is sent to Synerise gets a time and a key.
"""

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters.synerise import ADAPTER
from adapters.synerise.options import SourceOptions
from adapters.synerise.tests.support import authenticate, outbound, request, settings
from adapters.synerise.tests.support import endpoint as endpoint_of
from gateway import event as canonical
from gateway.adapter import Inbound
from gateway.event import Event, Profile

PAYLOADS = Path(__file__).parent / "payloads"
CASES = sorted(PAYLOADS.glob("*.request.json"))
KNOWN = {"5092150001": Profile(user_id="4471")}


def decoded(path: Path) -> tuple[dict[str, Any], Any]:
    case = json.loads(path.read_text("utf-8"))
    given = case["request"]
    options = SourceOptions(**case.get("options", {}))
    asked = request(
        given["method"], given["path"], given["body"], headers=given["headers"], options=options, known=KNOWN
    )
    entry = endpoint_of(asked)
    assert authenticate(asked, case["credentials"]) is None
    return case, (entry.decode(asked), entry.name)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.name.partition(".")[0])
def test_a_call_means_what_is_recorded(path: Path) -> None:
    case, (found, name) = decoded(path)
    assert found.reply.status == case["response"]["status"]
    if case["response"]["body"] is None:
        assert found.reply.body == b""
    else:
        assert set(json.loads(found.reply.body)) == set(case["response"]["body"])
    expected = json.loads(path.with_name(path.name.replace(".request.json", ".call.event.json")).read_text("utf-8"))
    assert [json.loads(canonical.dump(event)) for event in found.events] == expected
    assert {event.source.endpoint for event in found.events} <= {name}


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.name.partition(".")[0])
def test_a_call_means_the_same_when_it_comes_back_from_synerise(path: Path) -> None:
    for event in decoded(path)[1][0].events:
        if "line" in event.residue.get("synerise", {}) or event.name == "Order Completed":
            continue
        (sent,) = outbound("events_batch").encode([event], settings())
        back = request("POST", "/v4/events/batch", sent.body)
        (again,) = endpoint_of(back).decode(back).events
        assert comparable(again, event) == comparable(event, event)
        assert sent.lost == ()


def comparable(event: Event, original: Event) -> Event:
    """Return an event without what differs from call to call, and what the original does not say."""
    told: dict[str, Any] = {"id": "", "source": original.source, "dedupe_key": original.dedupe_key}
    if original.occurred_at is None:
        told |= {"occurred_at": None, "residue": original.residue}
    return msgspec.structs.replace(event, **told)


def test_every_endpoint_has_a_recorded_request() -> None:
    asked = [json.loads(path.read_text("utf-8")) for path in PAYLOADS.glob("*.json") if ".event" not in path.name]
    paths = {(one["request"]["method"], one["request"]["path"].partition("?")[0]) for one in asked}
    missing = [entry.path for entry in ADAPTER.inbound if not any(answers(entry, *one) for one in paths)]
    assert missing == []


def answers(entry: Inbound, method: str, path: str) -> bool:
    return method == entry.method and re.fullmatch(re.sub(r"{\w+}", "[^/]+", entry.path), path) is not None
