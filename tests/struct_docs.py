"""What the source says of each field of a Struct."""

import ast
import inspect
from collections.abc import Iterator
from textwrap import dedent

from msgspec import Struct


def docs(struct: type[Struct]) -> Iterator[tuple[str, str]]:
    """Yield each field that has a docstring, and the docstring on one line."""
    (definition,) = ast.parse(dedent(inspect.getsource(struct))).body
    assert isinstance(definition, ast.ClassDef)
    for before, after in zip(definition.body, definition.body[1:], strict=False):
        if isinstance(before, ast.AnnAssign) and isinstance(before.target, ast.Name) and isinstance(after, ast.Expr):
            value = after.value.value if isinstance(after.value, ast.Constant) else None
            yield before.target.id, " ".join(str(value).split())
