"""Writes the Python that a table is: one function for each canonical part, without a loop over its fields.

A table's rows never change, and every event meets all of them; a function that was written from them does in one line
what a loop decides anew for each field. Of a table with ``commerce.order_id: OrderId``, ``item.categories: Tags`` and
no key for ``commerce.tax``, the function of ``commerce`` is::

    def write(value, out, lost, at):
        if value.order_id is not None:
            out['OrderId'] = value.order_id
        if value.tax is not None:
            lost.append(at + '.tax')

and that of ``item``::

    def write(value, out, lost, at):
        if value.categories:
            out['Tags'] = lower_0(value.categories)

What becomes text of a program: names of fields of the canonical Structs, and `repr` of keys. Nothing else.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

Writer = Callable[[Any, dict[str, Any], list[str], str], None]
"""Takes the Struct, the object to write into, the list of what is lost, and the canonical path of the part."""

_HEAD: Final = "def write(value, out, lost, at):"


class Row(NamedTuple):
    """How one field of a closed part is written."""

    field: str
    key: str | None
    """None: it is lost."""
    lower: Callable[[Any], Any] | None = None
    """Makes JSON of the value; None: it is JSON."""
    many: bool = False
    """Whether it is a tuple, which is absent when it is empty."""


def writer(rows: Sequence[Row]) -> Writer:
    """Return the function that writes the fields of one part, in the order of `rows`."""
    names: dict[str, Any] = {f"lower_{index}": row.lower for index, row in enumerate(rows) if row.lower}
    exec(source(rows), names)  # noqa: S102 - of field names and literals, see above
    write: Writer = names["write"]
    return write


def source(rows: Sequence[Row]) -> str:
    """Return the text of that function."""
    body = [line for index, row in enumerate(rows) for line in _lines(index, row)]
    return "\n".join([_HEAD, *(body or ["    pass"])])


def _lines(index: int, row: Row) -> Iterator[str]:
    if not row.field.isidentifier():
        raise ValueError(f"{row.field!r} is no name of a field")
    held = f"value.{row.field}"
    yield f"    if {held}:" if row.many else f"    if {held} is not None:"
    if row.key is None:
        yield f"        lost.append(at + {'.' + row.field!r})"
    else:
        yield f"        out[{row.key!r}] = " + (f"lower_{index}({held})" if row.lower else held)
