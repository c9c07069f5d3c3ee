"""Lists of people whose events are withheld."""

from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest

from gateway.event import Event, Origin, Profile
from gateway.routing.suppression import read_suppressed

WHEN = datetime(2026, 11, 21, tzinfo=UTC)
SHOP = Origin(name="shop", vendor="klaviyo", endpoint="events")
ANN = Event(
    id="1", kind="track", name="Product Viewed", received_at=WHEN, source=SHOP, profile=Profile(email="Ann@example.com")
)
HASH = sha256(b"ann@example.com").hexdigest()


@pytest.mark.parametrize("line", ["ann@example.com", " ANN@Example.com ", HASH, HASH.upper()])
def test_somebody_is_found_however_they_are_written(line: str, tmp_path: Path) -> None:
    path = tmp_path / "gone.txt"
    path.write_text(f"# the gone\n\n{line}\n")
    assert ANN in read_suppressed([path])
