"""Functions that were written for objects with the same keys in the same order, once such had come often enough."""

from collections.abc import Callable
from typing import Any, Final

Keys = tuple[Any, ...]
"""The keys of an object; after a None, those of what came along with it."""

_OFTEN: Final = 32
"""So many objects with the same keys are taken apart key by key, before a function is written for their like."""
_SELDOM: Final = 1_000
"""So many more, which the function gave up or none could be written for, before it is tried again."""
_KEYS: Final = 64
"""Of objects with more keys, none is written: a client's keys must not fill the memory."""
_FUNCTIONS: Final = 32
_COUNTED: Final = 1_024
"""So many functions and counts are held at most; then they are forgotten."""


class Precedents(dict[Keys, Callable[..., Any]]):
    """The functions, by the keys of the objects that they are for."""

    __slots__ = ("met",)

    def __init__(self) -> None:
        super().__init__()
        self.met: dict[int, int] = {}
        """How often objects came that no function could take apart, by the hash of their keys."""

    def due(self, keys: Keys) -> bool:
        """Count such an object; tell whether it is one of so many that a function is to be written for its like."""
        if not 0 < len(keys) <= _KEYS:
            return False
        mark = hash(keys)
        times = self.met[mark] = self.met.get(mark, 0) + 1
        if times == _OFTEN:
            self.met[mark] = -_SELDOM
        if len(self.met) > _COUNTED:
            self.met.clear()
        return times == _OFTEN

    def keep(self, keys: Keys, function: Callable[..., Any]) -> None:
        """Use a function for all objects with these keys."""
        if len(self) >= _FUNCTIONS:
            self.clear()
            self.met.clear()
        self[keys] = function
