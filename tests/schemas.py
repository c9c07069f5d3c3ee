"""Writes ``mappings/schema/`` from the Structs: ``python -m tests.schemas``.

Editors that know the YAML language server complete and check files by them; `gateway check` knows more.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from gateway import registry
from gateway.adapter import Adapter
from gateway.config.model import Config
from gateway.routing.entries import RuleEntry
from gateway.vocabulary import File
from tests.struct_docs import docs

ROOT: Final = Path(__file__).parents[1]
FOLDER: Final = ROOT / "mappings" / "schema"
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def schemas() -> dict[Path, Any]:
    """Return every schema by its file."""
    gateway = _schema(Config, "The gateway's configuration: gateway.yaml")
    _by_vendor(gateway, list(registry.adapters().values()))
    return {
        FOLDER / "gateway.json": gateway,
        FOLDER / "routes.json": _schema(list[RuleEntry], "A route file: rules in order"),
        FOLDER / "vocabulary.json": _schema(File, "A vendor's names for canonical names and fields"),
    }


def _schema(kind: Any, title: str) -> dict[str, Any]:
    (found,), parts = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
    for struct in _structs(kind):
        part = parts.get(struct.__name__)
        if part is not None:
            _describe(part, struct)
    for part in parts.values():
        _forget_parts(part)
    return {"$schema": DIALECT, "title": title, **found, "$defs": parts}


def _forget_parts(part: dict[str, Any]) -> None:
    """Leave out defaults that only repeat those of another part."""
    for entry in part.get("properties", {}).values():
        if isinstance(entry.get("default"), dict):
            del entry["default"]


def _structs(kind: Any) -> Iterator[type[Struct]]:
    """Yield every Struct that a type is made of."""
    seen: set[type[Struct]] = set()
    waiting = [msgspec.inspect.type_info(kind)]
    while waiting:
        info = waiting.pop()
        if isinstance(info, msgspec.inspect.StructType):
            if info.cls in seen:
                continue
            seen.add(info.cls)
            yield info.cls
            waiting += [field.type for field in info.fields]
        for name in ("item_type", "value_type", "key_type"):
            if isinstance(inner := getattr(info, name, None), msgspec.inspect.Type):
                waiting.append(inner)
        waiting += getattr(info, "types", ())


def _describe(part: dict[str, Any], struct: type[Struct]) -> None:
    names = {field.name: field.encode_name for field in msgspec.structs.fields(struct)}
    for name, text in docs(struct):
        part["properties"][names[name]]["description"] = text


def _by_vendor(schema: dict[str, Any], adapters: list[Adapter]) -> None:
    """Say which credentials and options each vendor has."""
    for name in ("SourceConfig", "TargetConfig"):
        part = schema["$defs"][name]
        part["properties"]["vendor"]["enum"] = [adapter.slug for adapter in adapters]
        part["allOf"] = [_vendor(adapter, source=name == "SourceConfig") for adapter in adapters]


def _vendor(adapter: Adapter, *, source: bool) -> dict[str, Any]:
    known = {one.name: {"type": "string", "description": one.about} for one in adapter.credentials}
    account = {"properties": known, "additionalProperties": False}
    options = adapter.source_options if source else adapter.target_options
    then = {
        "credentials": {"items": account} if source else account,
        "options": _options(options) if options else {"maxProperties": 0},
    }
    return {"if": {"properties": {"vendor": {"const": adapter.slug}}}, "then": {"properties": then}}


def _options(options: type[Struct]) -> dict[str, Any]:
    (_,), parts = msgspec.json.schema_components([options])
    part: dict[str, Any] = parts[options.__name__]
    _describe(part, options)
    part.pop("title", None)
    return {**part, "additionalProperties": False}


def text(schema: Any) -> str:
    """Return a schema as it is written."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for path, schema in schemas().items():
        path.write_text(text(schema), "utf-8")
