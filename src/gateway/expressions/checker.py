"""Tree to plan: names and types are resolved, and whatever can be known to be wrong is an error with its place."""

from collections.abc import Callable, Mapping
from math import isinf
from typing import Any, Final

from gateway.event import Event
from gateway.expressions import plan, tree
from gateway.expressions.automaton import matcher
from gateway.expressions.celtypes import (
    BOOL,
    DYN,
    NEVER,
    SIMPLE,
    STRING,
    PartField,
    Type,
    can_be_equal,
    can_be_ordered,
    fields,
    holds_part,
    join,
    list_of,
    map_of,
    words,
    words_of,
)
from gateway.expressions.errors import ExpressionError
from gateway.expressions.functions import FUNCTIONS, HAS, MACROS, MATCHES, Function, matching
from gateway.expressions.operators import arithmetic, negation
from gateway.expressions.pattern_syntax import PatternError
from gateway.expressions.plan import Const, Step
from gateway.expressions.times import zone
from gateway.expressions.values import ERROR, unsigned, whole
from gateway.shape_check import unknown

_EVENT: Final = Type("part", part=Event)
_COMPARISONS: Final = frozenset({"==", "!=", "<", "<=", ">", ">="})


def check(root: tree.Node, wants: str) -> Step:
    """Return the plan of an expression.

    Args:
        root: its tree.
        wants: ``bool`` for a condition, ``any`` for a value.

    Raises:
        ExpressionError: something in it cannot be right.
    """
    step = _Checker().step(root)
    if wants == "bool" and step.type.name not in ("bool", "dyn"):
        raise root.wrong(f"expected true or false, found {words(step.type)}")
    if holds_part(step.type):
        raise root.wrong("a part of the event is no value; name one of its fields")
    if step.type.name == "duration":
        raise root.wrong("an event has no durations; write string(…) or .getSeconds()")
    return step


class _Checker:
    def __init__(self) -> None:
        self._variables: dict[str, Step] = {"event": plan.Variable(name="event", type=_EVENT, path="")}
        self._made = 0

    def step(self, node: tree.Node) -> Step:
        """Return the plan of a node."""
        return _BY_NODE[type(node)](self, node)

    def _no_part(self, node: tree.Node, what: str) -> Step:
        step = self.step(node)
        if holds_part(step.type):
            raise node.wrong(f"{what} takes no part of the event; name one of its fields, or ask has(…)")
        return step

    def _condition(self, node: tree.Node, what: str) -> Step:
        step = self.step(node)
        if step.type.name not in ("bool", "dyn"):
            raise node.wrong(f"{what} expects true or false, found {words(step.type)}")
        return step

    # --- names and members

    def literal(self, node: tree.Literal) -> Step:
        if node.kind == "int" and whole(node.value) is ERROR:
            raise node.wrong("a whole number has at most 64 bits")
        if node.kind == "uint" and unsigned(node.value) is ERROR:
            raise node.wrong("an unsigned number has at most 64 bits")
        if node.kind == "double" and isinf(node.value):
            raise node.wrong("this number is too large")
        return Const(node.value, type=SIMPLE[node.kind])

    def name(self, node: tree.Name) -> Step:
        found = self._variables.get(node.name)
        if found is not None:
            return found
        if node.name in fields(Event):
            raise node.wrong(f"unknown name {node.name!r}; did you mean 'event.{node.name}'?")
        raise node.wrong(f"unknown name {node.name!r}; {unknown(node.name, list(self._variables))}")

    def select(self, node: tree.Select) -> Step:
        of = self.step(node.of)
        if of.type.name != "part":
            key = Const(node.field, type=STRING)
            return self._member(of, key, lambda: _no_field(node, of))
        found = _field_of(node, of)
        path = None if of.path is None else f"{of.path}.{node.field}".lstrip(".")
        kind = found.type.absent() if of.type.nullable else found.type
        return plan.Field(of, node.field, found.default, type=kind, fails=of.fails, path=path)

    def index(self, node: tree.Index) -> Step:
        of, key = self.step(node.of), self.step(node.key)
        wanted = {"map": "string", "list": "int"}.get(of.type.name)
        if of.type.name == "part":
            raise node.key.wrong("a part of the event has no keys; write .name")
        if wanted is not None and key.type.name not in (wanted, "dyn"):
            noun = "a mapping's key is text" if wanted == "string" else "a list's member is named by a whole number"
            raise node.key.wrong(f"{noun}, found {words(key.type)}")
        return self._member(of, key, lambda: node.of.wrong(f"{words(of.type)} has no members"))

    def _member(self, of: Step, key: Step, wrong: Callable[[], Exception]) -> Step:
        if of.type.name not in ("map", "list", "dyn") or (of.type.name == "list" and key.type.name == "string"):
            raise wrong()
        kind = of.type.args[-1] if of.type.args else DYN
        return plan.Member(of, key, type=DYN if kind == NEVER else kind, fails=True, path=_path_of_member(of, key))

    # --- operators

    def operation(self, node: tree.Operation) -> Step:
        if node.sign == "!":
            of = self._condition(node.args[0], "'!'")
            return plan.Not(of, type=BOOL, fails=not of.sure)
        if len(node.args) == 1:
            return self._negative(node)
        left, right = (self._no_part(arg, f"'{node.sign}'") for arg in node.args)
        if node.sign == "in":
            return self._in(node, left, right)
        if node.sign in _COMPARISONS:
            return self._comparison(node, left, right)
        return self._applied(node, arithmetic(node, left, right), (left, right))

    def _negative(self, node: tree.Operation) -> Step:
        (arg,) = node.args
        if isinstance(arg, tree.Literal) and arg.kind == "int" and arg.start == node.sign_start + 1:
            return self.literal(tree.Literal("int", -arg.value, start=node.start, end=node.end))
        of = self._no_part(arg, "'-'")
        return self._applied(node, negation(node, of), (of,))

    def _applied(self, node: tree.Node, function: Function, args: tuple[Step, ...], *more: Any) -> Step:
        """Return the step that applies a function; if its arguments are known, its value."""
        if all(isinstance(arg, Const) for arg in args):
            value = function.run(*map(plan.value_of, args), *more)
            if value is ERROR:
                raise node.wrong("this has no value, whatever the event")
            return Const(value, type=function.result)
        fails = not function.total or not all(arg.sure for arg in args)
        return plan.Apply(function, args, more, type=function.result, fails=fails)

    def _comparison(self, node: tree.Operation, left: Step, right: Step) -> Step:
        equality = node.sign in ("==", "!=")
        if equality and not can_be_equal(left.type, right.type):
            raise node.wrong(_never_equal(left.type, right.type))
        if not equality and not can_be_ordered(left.type, right.type):
            message = f"'{node.sign}' cannot order {words(left.type)} and {words(right.type)}"
            raise node.wrong(message)
        sign = "==" if equality else node.sign
        fails = left.fails or right.fails if equality else not (left.sure and right.sure)
        step = plan.Compare(sign, left, right, type=BOOL, fails=fails)
        return plan.Not(step, type=BOOL, fails=fails) if node.sign == "!=" else step

    def _in(self, node: tree.Operation, left: Step, right: Step) -> Step:
        if right.type.name not in ("list", "map", "dyn"):
            raise node.args[1].wrong(f"'in' expects a list or a mapping, found {words(right.type)}")
        if right.type.args and not can_be_equal(left.type, right.type.args[0]):
            held = "a member of this list" if right.type.name == "list" else "a key of this mapping"
            raise node.args[0].wrong(f"{held} is {words(right.type.args[0])}, never {words(left.type)}")
        fails = left.fails or right.fails or right.type.name == "dyn" or (right.type.name == "map" and not left.sure)
        return plan.Compare("in", left, right, type=BOOL, fails=fails)

    def logic(self, node: tree.Logic) -> Step:
        args = tuple(self._condition(arg, f"'{node.sign}'") for arg in node.args)
        return plan.Logic(node.sign, args, type=BOOL, fails=not all(arg.sure for arg in args))

    def conditional(self, node: tree.Conditional) -> Step:
        test = self._condition(node.test, "'?'")
        yes, no = self.step(node.yes), self.step(node.no)
        kind = join(yes.type, no.type)
        if kind is None:
            raise node.no.wrong(f"both sides of ':' are of one type, found {words(yes.type)} and {words(no.type)}")
        return plan.Choice(test, yes, no, type=kind, fails=not test.sure or yes.fails or no.fails)

    def sequence(self, node: tree.ListOf) -> Step:
        members = [self._no_part(member, "a list") for member in node.members]
        return _gathered(members, list_of(_common(members)), None)

    def mapping(self, node: tree.MapOf) -> Step:
        keys: list[str] = []
        for key in node.keys:
            if not isinstance(key, tree.Literal) or key.kind != "string":
                raise key.wrong("a key is written as text in quotes")
            if key.value in keys:
                raise key.wrong(f"the key {key.value!r} stands twice")
            keys.append(key.value)
        members = [self._no_part(value, "a mapping") for value in node.values]
        return _gathered(members, map_of(_common(members)), tuple(keys))

    # --- functions and macros

    def call(self, node: tree.Call) -> Step:
        if node.of is None and node.name == HAS:
            return self._has(node)
        if node.of is not None and node.name in MACROS:
            return self._macro(node, node.of)
        if node.of is not None and node.name == MATCHES:
            return self._matches(node, node.of)
        function = _function(node)
        nodes = node.args if node.of is None else (node.of, *node.args)
        at_most = len(function.takes) + function.zoned
        if not len(function.takes) <= len(nodes) <= at_most:
            raise _wrong_count(node, len(function.takes) - (node.of is not None), at_most - (node.of is not None))
        more = [self._zone(node, zoned) for zoned in nodes[len(function.takes) :]]
        return self._applied(node, function, self._arguments(function, nodes), *more)

    def _arguments(self, function: Function, nodes: tuple[tree.Node, ...]) -> tuple[Step, ...]:
        args = tuple(self.step(arg) for arg in nodes[: len(function.takes)])
        for arg, step, takes in zip(nodes, args, function.takes, strict=False):
            if step.type.name not in takes and step.type.name != "dyn":
                raise arg.wrong(f"{function.name}() expects {words_of(takes)}, found {words(step.type)}")
        return args

    def _zone(self, node: tree.Call, arg: tree.Node) -> Any:
        if not isinstance(arg, tree.Literal) or arg.kind != "string":
            raise arg.wrong(f"{node.name}() expects the name of a time zone in quotes")
        found = zone(arg.value)
        if found is None:
            raise arg.wrong(f"unknown time zone {arg.value!r}")
        return found

    def _matches(self, node: tree.Call, of: tree.Node) -> Step:
        if len(node.args) != 1:
            raise _wrong_count(node, 1, 1)
        (pattern,) = node.args
        if not isinstance(pattern, tree.Literal) or pattern.kind != "string":
            raise pattern.wrong("matches() expects a pattern in quotes")
        try:
            function = matching(matcher(pattern.value))
        except PatternError as error:
            raise pattern.wrong(str(error)) from None
        return self._applied(node, function, self._arguments(function, (of,)))

    def _has(self, node: tree.Call) -> Step:
        if len(node.args) != 1:
            raise _wrong_count(node, 1, 1)
        (arg,) = node.args
        if not isinstance(arg, tree.Select):
            raise arg.wrong("has() expects a field, as in has(event.profile.email)")
        found = self.step(arg)
        if isinstance(found, plan.Field):
            held = fields(found.of.type.part)[found.name]
            default = ... if held.required else held.default
            return plan.Has(found.of, found.name, default, type=BOOL, fails=found.of.fails, path=found.path)
        of = self.step(arg.of)
        if of.type.name == "list":
            raise _no_field(arg, of)
        return plan.Has(of, arg.field, type=BOOL, fails=of.fails or of.type.name == "dyn", path=found.path)

    def _macro(self, node: tree.Call, over: tree.Node) -> Step:
        of = self.step(over)
        if of.type.name not in ("list", "dyn"):
            raise over.wrong(f"{node.name}() goes over lists, found {words(of.type)}")
        if not 2 <= len(node.args) <= MACROS[node.name]:
            raise _wrong_count(node, 2, MACROS[node.name])
        variable, *bodies = node.args
        if not isinstance(variable, tree.Name):
            raise variable.wrong(f"{node.name}() expects a name for the member, then what is asked of it")
        if variable.name == "event":
            raise variable.wrong("the name 'event' is taken")
        return self._loop(node, of, variable.name, bodies)

    def _loop(self, node: tree.Call, of: Step, name: str, bodies: list[tree.Node]) -> Step:
        self._made += 1
        kind = of.type.args[0] if of.type.args else DYN
        kind = DYN if kind == NEVER else kind
        path = None if of.path is None else f"{of.path}[]"
        variable = plan.Variable(f"v{self._made}", type=kind, path=path)
        outside = self._variables
        self._variables = {**outside, name: variable}
        try:
            test = self._condition(bodies[0], f"{node.name}()") if node.name != "map" or len(bodies) > 1 else None
            made = self.step(bodies[-1]) if node.name == "map" else test
        finally:
            self._variables = outside
        assert made is not None  # noqa: S101  for mypy: every macro has a test or makes something
        if node.name == "map":
            if made.type.name == "part":
                raise bodies[-1].wrong("map() makes no parts of the event; name one of its fields")
            return plan.Loop("map", of, variable.name, made, test, type=list_of(made.type), fails=True)
        result = list_of(kind) if node.name == "filter" else BOOL
        return plan.Loop(node.name, of, variable.name, made, type=result, fails=True)


# --- details ---------------------------------------------------------------------------------------------


def _field_of(node: tree.Select, of: Step) -> PartField:
    known = fields(of.type.part) if of.type.part else {}
    found = known.get(node.field)
    if found is None:
        message = f"unknown field {node.field!r}; {unknown(node.field, list(known))}"
        raise ExpressionError(message, node.field_start, len(node.field))
    return found


def _no_field(node: tree.Select, of: Step) -> ExpressionError:
    hint = "; name a member, as in [0], or ask with exists()" if of.type.name == "list" else ""
    return ExpressionError(f"{words(of.type)} has no fields{hint}", node.field_start, len(node.field))


def _path_of_member(of: Step, key: Step) -> str | None:
    if of.path is None:
        return None
    if of.type.name == "list":
        return f"{of.path}[]"
    if isinstance(key, Const):
        return f"{of.path}.{key.value}" if isinstance(key.value, str) else f"{of.path}[]"
    return None


def _never_equal(left: Type, right: Type) -> str:
    if "null_type" in (left.name, right.name):
        return f"{words(right if left.name == 'null_type' else left)} is never null here"
    return f"{words(left)} is never equal to {words(right)}"


def _common(members: list[Step]) -> Type:
    """Return the type of what a list or mapping holds."""
    kind: Type | None = NEVER
    for member in members:
        kind = join(kind, member.type) if kind else None
    return kind or DYN


def _gathered(members: list[Step], kind: Type, keys: tuple[str, ...] | None) -> Step:
    return plan.Gather(tuple(members), keys, type=kind, fails=any(member.fails for member in members))


def _function(node: tree.Call) -> Function:
    found = FUNCTIONS.get(node.name)
    if found is not None and (found.call if node.of is None else found.method):
        return found
    if found is not None or node.name in {HAS, MATCHES, *MACROS}:
        form = f"{node.name}(x)" if node.of is not None else f"x.{node.name}()"
        raise node.wrong_name(f"{node.name}() is written {form}")
    if node.of is None:
        known = [HAS, *(one.name for one in FUNCTIONS.values() if one.call)]
    else:
        known = [*MACROS, MATCHES, *(one.name for one in FUNCTIONS.values() if one.method)]
    raise node.wrong_name(f"unknown function {node.name!r}; {unknown(node.name, known)}")


def _wrong_count(node: tree.Call, least: int, most: int) -> ExpressionError:
    wanted = str(least) if least == most else f"{least} or {most}"
    noun = "argument" if wanted == "1" else "arguments"
    return node.wrong_name(f"{node.name}() takes {wanted if most else 'no'} {noun}, found {len(node.args)}")


_BY_NODE: Final[Mapping[type[tree.Node], Callable[[_Checker, Any], Step]]] = {
    tree.Literal: _Checker.literal,
    tree.Name: _Checker.name,
    tree.Select: _Checker.select,
    tree.Index: _Checker.index,
    tree.Call: _Checker.call,
    tree.Operation: _Checker.operation,
    tree.Logic: _Checker.logic,
    tree.Conditional: _Checker.conditional,
    tree.ListOf: _Checker.sequence,
    tree.MapOf: _Checker.mapping,
}
