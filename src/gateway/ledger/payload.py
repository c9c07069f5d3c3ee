"""A request as one tree of values: its leaves, and the request anew with one of them changed.

A text that holds a JSON object or array, plainly or in base64, is a part of the tree: legacy clients send their events
so in a query or a form, and some vendors want JSON within JSON. Paths are those of a reader: ``data.items[0].sku`` in
the body, ``?data.event`` in the query, ``{email}`` for a part of the path.
"""

import base64
import binascii
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, urlencode

_NAME_AND_VALUE: Final = 2
_DEEPEST: Final = 60
"""Levels of nesting that are looked into; what is deeper is one leaf."""


class Codec(NamedTuple):
    """How a text holds a value."""

    name: str
    load: Callable[[str], Any]
    dump: Callable[[Any], str]


def _json_load(text: str) -> Any:
    return json.loads(text)


def _json_dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _base64_load(text: str) -> Any:
    return json.loads(base64.b64decode(text, validate=True))


def _base64_dump(value: Any) -> str:
    return base64.b64encode(_json_dump(value).encode("utf-8", "surrogatepass")).decode()


JSON_TEXT: Final = Codec("json", _json_load, _json_dump)
BASE64_JSON: Final = Codec("base64", _base64_load, _base64_dump)

Step = str | int | Codec


class Leaf(NamedTuple):
    """One value of a request."""

    path: str
    steps: tuple[Step, ...]
    value: Any
    name: str
    """What it is called: the last key of its path, or what stands under ``name`` beside a ``value``."""


class Payload:
    """What a request says.

    Args:
        body: its bytes.
        query: raw, without the question mark.
        params: what the path pattern captured.
    """

    def __init__(self, body: bytes, query: str = "", params: Mapping[str, str] | None = None) -> None:
        self._write, said = _read(body)
        self.tree: dict[str, Any] = {
            "body": said,
            "query": dict(parse_qsl(query, keep_blank_values=True)),
            "path": dict(params or {}),
        }

    def leaves(self) -> list[Leaf]:
        """Return all leaves, in the order of the request."""
        found = [] if self.tree["body"] is None else list(_leaves(self.tree["body"], ("body",), ""))
        found += _leaves(self.tree["query"], ("query",), "?") if self.tree["query"] else ()
        return found + [Leaf(f"{{{name}}}", ("path", name), value, name) for name, value in self.tree["path"].items()]

    def changed(self, steps: tuple[Step, ...], value: Any) -> "Payload":
        """Return the request with another value at one place."""
        other = object.__new__(Payload)
        other._write = self._write
        other.tree = changed(self.tree, steps, value)
        return other

    @property
    def body(self) -> bytes:
        """The body's bytes."""
        value = self.tree["body"]
        return b"" if value is None else self._write(value).encode("utf-8", "surrogatepass")

    @property
    def query(self) -> str:
        """The query, without the question mark."""
        return urlencode(self.tree["query"])

    @property
    def params(self) -> dict[str, str]:
        """What the path pattern captured."""
        return {name: str(value) for name, value in self.tree["path"].items()}


def _read(body: bytes) -> tuple[Callable[[Any], str], Any]:
    """Return how a body is written, and what it says: JSON, a form, or else a text."""
    text = body.decode("utf-8", "replace")
    if not text.strip():
        return str, None
    try:
        return _json_dump, json.loads(text)
    except (ValueError, RecursionError):
        fields = dict(parse_qsl(text, keep_blank_values=True)) if "=" in text else {}
        return (urlencode, fields) if fields else (str, text)


def leaves(value: Any) -> list[Leaf]:
    """Return all leaves of a JSON value."""
    return list(_leaves(value, (), ""))


def changed(value: Any, steps: tuple[Step, ...], new: Any) -> Any:
    """Return a value with another one at a place in it; what is not on the way there is shared."""
    if not steps:
        return new
    step, rest = steps[0], steps[1:]
    if isinstance(step, Codec):
        return step.dump(changed(step.load(value), rest, new))
    copy = value.copy()
    copy[step] = changed(value[step], rest, new)
    return copy


def _leaves(value: Any, steps: tuple[Step, ...], path: str, name: str = "") -> Iterator[Leaf]:
    if isinstance(value, str) and (codec := codec_of(value)):
        yield from _leaves(codec.load(value), (*steps, codec), path, name)
    elif isinstance(value, dict) and value and len(steps) < _DEEPEST:
        for key, inner in value.items():
            below = f"{path}.{key}" if path.strip("?") else f"{path}{key}"
            yield from _leaves(inner, (*steps, key), below, _name(value, key))
    elif isinstance(value, list) and value and len(steps) < _DEEPEST:
        for index, inner in enumerate(value):
            yield from _leaves(inner, (*steps, index), f"{path}[{index}]", name)
    else:
        yield Leaf(path, steps, value, name)


def _name(holder: dict[str, Any], key: str) -> str:
    named = holder.get("name")
    return named if key == "value" and isinstance(named, str) and len(holder) == _NAME_AND_VALUE else key


def codec_of(text: str) -> Codec | None:
    """Return how a text holds an object or an array that is not empty, if it does."""
    if text[:1] in _OPENING and _holds(JSON_TEXT, text):
        return JSON_TEXT
    return BASE64_JSON if text[:2] in _ENCODED_OPENING and _holds(BASE64_JSON, text) else None


_OPENING: Final = ("{", "[")
_ENCODED_OPENING: Final = ("ey", "ew", "W3", "Wy")
"""How base64 of a text begins that begins so."""


def _holds(codec: Codec, text: str) -> bool:
    try:
        value = codec.load(text)
    except (ValueError, binascii.Error, RecursionError):
        return False
    return isinstance(value, (dict, list)) and bool(value)
