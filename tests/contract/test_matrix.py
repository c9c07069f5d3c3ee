"""What becomes of every example at every vendor is what was reviewed."""

from pathlib import Path

import pytest

from tests.contract.matrix import FOLDER, files

FILES = files()


@pytest.mark.parametrize("path", sorted(FILES), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_an_example_becomes_what_was_reviewed(path: Path) -> None:
    assert path.read_text("utf-8") == FILES[path], (
        "look at the difference; if it is right: python -m tests.contract.matrix"
    )


def test_no_file_is_of_an_example_that_is_gone() -> None:
    assert set(FOLDER.rglob("*.md")) == set(FILES)
