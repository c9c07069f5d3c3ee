"""What becomes of every example at every vendor is what was reviewed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract.adapter_cases import ROOT
from tests.contract.matrix import FOLDER, files

FILES = files()


@pytest.mark.parametrize("path", sorted(FILES), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_an_example_becomes_what_was_reviewed(path: Path) -> None:
    assert path.read_text("utf-8") == FILES[path], (
        "look at the difference; if it is right: python -m tests.contract.matrix"
    )


def test_no_file_is_of_an_example_that_is_gone() -> None:
    assert set(FOLDER.rglob("*.md")) == set(FILES)


DIGEST = """
import hashlib
from tests.contract.matrix import files

print(hashlib.sha256(repr(sorted(files().items())).encode()).hexdigest())
"""


def test_it_is_the_same_in_every_process() -> None:
    """Whatever the order of sets: a retry after a restart must send the same bytes."""
    said = {
        subprocess.run(
            [sys.executable, "-c", DIGEST],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(said) == 1
