"""The published schemas are those of the Structs, and every shipped file is right by them."""

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from gateway import yamlfile
from tests.schemas import FOLDER, ROOT, schemas, text

SCHEMAS = schemas()
SHIPPED = [
    *(
        (path, "routes")
        for path in sorted((ROOT / "mappings" / "examples").rglob("*.yaml"))
        if path.name != "gateway.yaml"
    ),
    *((path, "gateway") for path in sorted((ROOT / "mappings" / "examples").rglob("gateway.yaml"))),
    *((path, "vocabulary") for path in sorted((ROOT / "mappings" / "vocabulary").glob("*.yaml"))),
]


def wrong(kind: str, value: Any) -> list[str]:
    checker = jsonschema.Draft202012Validator(SCHEMAS[FOLDER / f"{kind}.json"])
    return [f"{error.json_path}: {error.message}" for error in checker.iter_errors(value)]


@pytest.mark.parametrize("path", sorted(SCHEMAS), ids=lambda path: path.name)
def test_a_schema_is_that_of_the_structs(path: Path) -> None:
    assert path.read_text("utf-8") == text(SCHEMAS[path]), "run: python -m tests.schemas"
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[path])


@pytest.mark.parametrize(("path", "kind"), SHIPPED, ids=[path.name for path, _ in SHIPPED])
def test_a_shipped_file_names_its_schema_and_is_right_by_it(path: Path, kind: str) -> None:
    first = path.read_text("utf-8").split("\n", 1)[0]
    marker, _, given = first.partition("$schema=")
    assert marker == "# yaml-language-server: "
    assert (path.parent / given).resolve() == FOLDER / f"{kind}.json"
    assert wrong(kind, yamlfile.read(path).value) == []


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        ("routes", [{"name": "a", "too": "crm"}], "'too' was unexpected"),
        ("routes", [{"to": "crm"}], "'name' is a required property"),
        ("routes", [{"name": "a", "to": [{"target": "crm", "on_loss": "cry"}]}], "is not valid under any"),
        ("gateway", {"log": {"sqlite": "x"}, "sources": {"s": {"vendor": "klavyio", "credentials": []}}}, "'klavyio'"),
        (
            "gateway",
            {"log": {"sqlite": "x"}, "sources": {"s": {"vendor": "klaviyo", "credentials": [{"privat_key": "x"}]}}},
            "'privat_key' was unexpected",
        ),
        (
            "gateway",
            {
                "log": {"sqlite": "x"},
                "sources": {"s": {"vendor": "vibetrace", "credentials": [], "options": {"strikt": 1}}},
            },
            "'strikt' was unexpected",
        ),
        ("vocabulary", {"vendor": "x", "events": {"A": {"also": ["b"]}}}, "is not valid under any"),
    ],
)
def test_a_wrong_file_is_wrong_by_its_schema(kind: str, value: Any, said: str) -> None:
    assert any(said in one for one in wrong(kind, value)), wrong(kind, value)
