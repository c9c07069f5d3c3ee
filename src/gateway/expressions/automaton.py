"""Patterns of `matches`, run as a finite automaton: one step for each character of the text, whatever the pattern.

The whole automaton is made when an expression is compiled, so a pattern that needs too large a one is refused then.
Thompson's construction makes steps, the subset construction makes states of them.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable
from typing import Any, Final, assert_never

from gateway.expressions.pattern_syntax import Chars, Edge, Either, Pattern, PatternError, Ranges, Repeat, Row, read
from gateway.expressions.values import ERROR

LONGEST_TEXT: Final = 10_000
"""Characters of a text that is searched; a longer one is an error."""
_MOST_STEPS: Final = 2_000
_MOST_STATES: Final = 500
_MOST_MOVES: Final = 20_000
"""States times sets of characters that the pattern tells apart."""
_REMEMBERED: Final = 256
"""Characters whose move a state remembers."""


def matcher(pattern: str) -> Callable[[Any], Any]:
    """Return the function that tells whether a pattern fits some part of a text.

    Raises:
        PatternError: it is no pattern, or needs too large an automaton.
    """
    steps = _Steps()
    goal = steps.add()
    first = steps.of(read(pattern), goal)
    begin = _States(steps, first, goal).made()

    def matches(text: Any) -> Any:
        if type(text) is not str or len(text) > LONGEST_TEXT:
            return ERROR
        state = begin
        for char in text:
            if state.decided is not None:
                return state.decided
            state = state[char]
        return state.at_end

    return matches


class _Steps:
    """What can follow what: a step leads on for a character of its set, or freely."""

    def __init__(self) -> None:
        self.sets: list[Ranges | None] = []
        self.edges: list[Edge | None] = []
        self.next: list[list[int]] = []

    def add(self, chars: Ranges | None = None, edge: Edge | None = None, then: Iterable[int] = ()) -> int:
        """Return the number of a new step."""
        if len(self.next) >= _MOST_STEPS:
            raise PatternError("the pattern is too large")
        self.sets.append(chars)
        self.edges.append(edge)
        self.next.append(list(then))
        return len(self.next) - 1

    def of(self, pattern: Pattern, then: int) -> int:
        """Return the first step of a pattern after which `then` follows."""
        match pattern:
            case Chars(ranges):
                return self.add(chars=ranges, then=[then])
            case Edge():
                return self.add(edge=pattern, then=[then])
            case Row(members):
                for member in reversed(members):
                    then = self.of(member, then)
                return then
            case Either(options):
                return self.add(then=[self.of(option, then) for option in options])
            case Repeat():
                return self._repeated(pattern, then)
            case _:
                assert_never(pattern)

    def _repeated(self, repeat: Repeat, then: int) -> int:
        if repeat.most is None:
            again = self.add(then=[then])
            self.next[again].append(self.of(repeat.of, again))
            then = again
        else:
            end = then
            for _ in range(repeat.most - repeat.least):
                then = self.add(then=[self.of(repeat.of, then), end])
        for _ in range(repeat.least):
            then = self.of(repeat.of, then)
        return then

    def reached(self, begun: Iterable[int], *, at_start: bool, at_end: bool = False) -> frozenset[int]:
        """Return all steps that are reached freely from some."""
        found: set[int] = set()
        waiting = list(begun)
        while waiting:
            step = waiting.pop()
            if step in found:
                continue
            found.add(step)
            edge = self.edges[step]
            free = self.sets[step] is None and (edge is None or (at_end if edge.end else at_start))
            waiting += self.next[step] if free else ()
        return frozenset(found)


class _State(dict[str, "_State"]):
    """What is known after some characters; maps the next one to the state after it."""

    __slots__ = ("at_end", "decided", "lows", "moves")

    decided: bool | None
    """Whether the pattern fits, once no further character changes that."""
    at_end: bool
    """Whether it fits if the text ends here."""
    lows: list[int]
    """Code of the first character of each set that the pattern tells apart."""
    moves: list["_State"]

    def __missing__(self, char: str) -> "_State":
        state = self.moves[bisect_right(self.lows, ord(char)) - 1]
        if len(self) < _REMEMBERED:
            self[char] = state
        return state


class _States:
    """Makes the states of an automaton."""

    def __init__(self, steps: _Steps, first: int, goal: int) -> None:
        self._steps = steps
        self._first = first
        self._goal = goal
        self._lows = sorted({0} | {low for ranges in steps.sets for pair in ranges or () for low in _bounds(*pair)})
        self._known: dict[tuple[frozenset[int], bool], _State] = {}
        self._waiting: list[tuple[frozenset[int], _State]] = []

    def made(self) -> _State:
        """Return the state before the first character, with all that follow it."""
        begin = self._state(self._steps.reached([self._first], at_start=True), at_start=True)
        while self._waiting:
            held, state = self._waiting.pop()
            state.moves = [self._after(held, low) for low in self._lows]
            if state.decided is None and all(move is state for move in state.moves) and not state.at_end:
                state.decided = False
        return begin

    def _after(self, held: frozenset[int], code: int) -> _State:
        begun = [self._first]
        for step in held:
            ranges = self._steps.sets[step]
            if ranges is not None and any(low <= code <= high for low, high in ranges):
                begun += self._steps.next[step]
        return self._state(self._steps.reached(begun, at_start=False), at_start=False)

    def _state(self, held: frozenset[int], *, at_start: bool) -> _State:
        known = self._known.get((held, at_start))
        if known is not None:
            return known
        if len(self._known) >= _MOST_STATES or len(self._known) * len(self._lows) > _MOST_MOVES:
            raise PatternError("the pattern is too large")
        state = _State()
        state.lows = self._lows
        state.at_end = self._goal in self._steps.reached(held, at_start=at_start, at_end=True)
        state.decided = True if self._goal in held else None
        self._known[held, at_start] = state
        if state.decided is None:
            self._waiting.append((held, state))
        return state


def _bounds(low: int, high: int) -> tuple[int, int]:
    return low, high + 1
