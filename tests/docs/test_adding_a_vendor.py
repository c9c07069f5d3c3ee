"""The guide's vendor is built by the guide's own blocks, and is what the guide says it is."""

import json
from pathlib import Path

import pytest

from gateway import registry
from gateway.adapter import Adapter, Answer, Verdict
from gateway.delivery.judge import Judge
from tests.docs.test_blocks import ROOT, blocks, free_ports, run_shell

GUIDE = ROOT / "docs" / "adding-a-vendor.md"


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return the folder in which all shell blocks were run, in order, and what they printed."""
    folder = tmp_path_factory.mktemp("guide")
    before = f"unset {registry.DROP_IN}\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\nexport PROJECT='{ROOT}'\n"
    script = before + "".join(text for kind, text in blocks(GUIDE) if kind == "sh")
    done = run_shell(script.replace("9002", free_ports()["9001"]), folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "tour", done.stdout


@pytest.fixture
def beacon(tour: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> Adapter:
    monkeypatch.setenv(registry.DROP_IN, str(tour[0] / "adapters"))
    return registry.adapters.__wrapped__()["beacon"]


def test_what_the_blocks_print_is_what_the_guide_tells(tour: tuple[Path, str]) -> None:
    _, printed = tour
    assert '"name": "Product Added to Wishlist"' in printed
    assert "Request to beacon: POST /ingest" in printed
    assert "dropped" in printed
    assert '{"accepted":1}' in printed
    assert printed.count(" passed") == 2


def test_the_vendor_is_what_its_pages_say(beacon: Adapter) -> None:
    (out,) = beacon.outbound
    assert (out.path, out.max_events, out.max_body) == ("/ingest", 50, 65_536)
    assert [(window.count, window.seconds) for window in out.windows] == [(10, 1), (300, 60)]
    closed = Answer(410, {}, b'{"error":"account_closed"}')
    assert Judge(out).verdict(closed).verdict is Verdict.HOLD
    assert beacon.vocabulary.decode("wish").name == "Product Added to Wishlist"


def test_the_recorded_request_means_a_wish(tour: tuple[Path, str]) -> None:
    (event,) = json.loads((tour[0] / "adapters/beacon/tests/payloads/wish.event.json").read_text())
    assert (event["kind"], event["name"], event["profile"]) == ("track", "Product Added to Wishlist", {"user_id": "7"})
    assert event["commerce"]["items"] == [{"sku": "TEA", "price": "24.95"}]
