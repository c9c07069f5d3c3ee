"""A world for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.harness import World, world


@pytest.fixture
def here(tmp_path: Path) -> Iterator[World]:
    """Yield a world in a folder of its own; show its logs when the test fails."""
    with world(tmp_path) as made:
        yield made
