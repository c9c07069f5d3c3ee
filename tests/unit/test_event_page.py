"""The page about the canonical event tells the truth about the code."""

import re
from typing import Final

import yaml

from gateway.event import KINDS
from tests.contract.adapter_cases import ROOT
from tests.event_page import PAGE, SEGMENT, renewed, rows

TEXT: Final = PAGE.read_text("utf-8")


def _first_cells(heading: str) -> list[str]:
    section = TEXT.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)


def test_the_table_of_fields_is_that_of_the_structs() -> None:
    assert renewed(TEXT) == TEXT, "run: python -m tests.event_page"


def test_every_counterpart_is_of_a_field_that_is_there() -> None:
    assert set(SEGMENT) <= {path for path, _, _, _ in rows()}


def test_every_kind_stands_there() -> None:
    assert _first_cells("Kinds") == list(KINDS)


def test_every_canonical_name_in_use_stands_there() -> None:
    """A name that is the vendor's own, verbatim, need not."""
    documented = {*_first_cells("Names of `track`"), "Identify", "Page", "Screen", "Group", "Alias"}
    for path in sorted((ROOT / "mappings" / "vocabulary").glob("*.yaml")):
        events = yaml.safe_load(path.read_text("utf-8")).get("events", {})
        names = {name for name, row in events.items() if name != (row if isinstance(row, str) else row["as"])}
        assert names <= documented, path.name


def test_no_name_stands_there_twice() -> None:
    names = _first_cells("Names of `track`")
    assert len(set(names)) == len(names) > 50
