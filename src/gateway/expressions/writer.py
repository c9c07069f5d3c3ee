"""Plan to Python: one function for each expression, a single ``return`` of one expression.

Of ``event.commerce.total >= 10 && event.properties.store == "eu-1"``, as a condition::

    def run(event):
        try:
            return ((t1 := event.commerce) is not None and (t2 := t1.total) is not None and t2 >= c0
                and event.properties.get(c1, ERROR) == c2)
        except Exception:
            return False

What becomes text of the program: names of the event's fields, names made up here, and what stands in this module. What
a person wrote (numbers, texts, keys, patterns) never does: it is reached by names `c0`, `c1`, …. Nothing is built in.

An error is the value `ERROR`, not an exception. A condition is written in three ways: as its value (True, False or
`ERROR`), as whether it *holds* (is True) and as whether it *is refuted* (is False). ``a && b`` holds if both hold, and
is refuted if one is; in neither case does it matter whether the other is an error, as CEL has it. The ``except`` is for
what nobody has foreseen; tests write functions without it.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from gateway.expressions import conversions, loops, plan, values
from gateway.expressions.celtypes import DECIMAL
from gateway.expressions.plan import Const, Step
from gateway.expressions.values import ERROR, shortest

Run = Callable[[Any], Any]

_NAMES: Final[dict[str, Any]] = {
    "__builtins__": {},
    "Exception": Exception,
    "ERROR": ERROR,
    "NUMBERS": frozenset({int, float, Decimal}),
    "Work": loops.Work,
    "type": type,
    "len": len,
    "str": str,
    "dict": dict,
    "equal": values.equal,
    "less": values.less,
    "at_most": values.at_most,
    "member": values.member,
    "at": values.at,
    "has": values.has,
    "list_of": values.list_of,
    "map_of": values.map_of,
    "finished": conversions.finished,
    **{f"loop_{name}": loop for name, loop in loops.LOOPS.items()},
}
_GUARDED: Final = """\
def run(event):
    try:
        return {body}
    except Exception:
        return {otherwise}
"""
_BARE: Final = """\
def run(event):
    return {body}
"""
_WITH_WORK: Final = "(work := Work()) and {body}"

Judged = tuple[list[str], str]
"""Conditions on which a condition has a value, and the value; both in Python."""


def write(step: Step, wants: str, *, guarded: bool = True) -> Run:
    """Return the function of a plan.

    Args:
        step: the plan.
        wants: ``bool`` for a condition, ``any`` for a value.
        guarded: whether it catches what nobody has foreseen.
    """
    writer = _Writer()
    body = writer.holds(step) if wants == "bool" else writer.result(step)
    names = {**_NAMES, **writer.names}
    text = (_GUARDED if guarded else _BARE).format(
        body=_WITH_WORK.format(body=body) if writer.works else body, otherwise="False" if wants == "bool" else "None"
    )
    exec(compile(text, "<expression>", "exec"), names)  # noqa: S102  the text of this module, see above
    run: Run = names["run"]
    return run


class _Writer:
    """Writes steps as Python expressions; every one that is returned can be an operand as it is."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {}
        self.works = False
        self._within = 0
        self._made = 0

    # --- names

    def _const(self, value: Any) -> str:
        if value is None or value is True or value is False:
            return str(value)
        name = f"c{len(self.names)}"
        self.names[name] = value
        return name

    def _temporary(self) -> str:
        self._made += 1
        return f"t{self._made}"

    # --- whole expressions

    def result(self, step: Step) -> str:
        """Write a step whose value leaves the expression: None where it has none."""
        if step.type.name in ("dyn", "double", "list", "map"):
            return f"finished({self.value(step)})"
        if not step.fails:
            return self.value(step)
        held = self._temporary()
        return f"(None if ({held} := {self.value(step)}) is ERROR else {held})"

    def holds(self, step: Step) -> str:
        """Write whether a condition is True."""
        match step:
            case plan.Logic():
                return _joined("and" if step.sign == "&&" else "or", map(self.holds, step.args))
            case plan.Not():
                return self.refuted(step.of)
            case plan.Choice():
                return self._choice(step, self.holds)
            case plan.Compare(sign="==") if not (step.left.fails and step.right.fails) and self._is_direct(step):
                return self._equal(step)
        judged = self._judged(step)
        if judged is None:
            return f"({self.value(step)} is True)"
        return _joined("and", [*judged[0], judged[1]])

    def refuted(self, step: Step) -> str:
        """Write whether a condition is False."""
        match step:
            case plan.Logic():
                return _joined("or" if step.sign == "&&" else "and", map(self.refuted, step.args))
            case plan.Not():
                return self.holds(step.of)
            case plan.Choice():
                return self._choice(step, self.refuted)
        judged = self._judged(step)
        if judged is None:
            return f"({self.value(step)} is False)"
        return f"({' and '.join([*judged[0], f'not {judged[1]}'])})"

    def value(self, step: Step) -> str:
        """Write the value of a step, `ERROR` where it has none."""
        judged = self._judged(step)
        if judged is not None:
            conditions, body = judged
            return f"({body} if {' and '.join(conditions)} else ERROR)" if conditions else body
        return _VALUES[type(step)](self, step)

    # --- conditions

    def _judged(self, step: Step) -> Judged | None:
        """Write a condition as one that has a value on conditions, if it can be written so."""
        match step:
            case plan.Compare(sign="=="):
                return self._judged_equality(step) if self._is_direct(step) else None
            case plan.Compare(sign="in"):
                return self._judged_in(step)
            case plan.Compare():
                return self._judged_order(step)
            case plan.Has():
                return self._judged_has(step)
            case plan.Apply() if step.function.form is not None and not (self._within and step.function.reads_all):
                return self._judged_apply(step, step.function.form)
        return None

    def _is_direct(self, step: plan.Compare) -> bool:
        """Tell whether Python's ``==`` is CEL's for values of these types."""
        left, right = step.left.type.name, step.right.type.name
        if "string" in (left, right) or "null_type" in (left, right):
            return True
        if "dyn" in (left, right):
            known = plan.value_of(step.right if left == "dyn" else step.left)
            return type(known) is int and known not in (0, 1)  # True == 1
        if {left, right} == {"decimal", "double"}:
            return isinstance(step.left, Const) or isinstance(step.right, Const)
        return left not in ("list", "map")

    def _equal(self, step: plan.Compare) -> str:
        left, right = _decimals(step.left, step.right)
        sign = "is" if "null_type" in (left.type.name, right.type.name) else "=="
        return f"({self.value(left)} {sign} {self.value(right)})"

    def _judged_equality(self, step: plan.Compare) -> Judged:
        left, right = _decimals(step.left, step.right)
        conditions: list[str] = []
        written = [self._unfailing(one, conditions) for one in (left, right)]
        sign = "is" if "null_type" in (left.type.name, right.type.name) else "=="
        return conditions, f"({written[0]} {sign} {written[1]})"

    def _unfailing(self, step: Step, conditions: list[str]) -> str:
        """Write a value, and add the condition on which it is no error."""
        if not step.fails:
            return self.value(step)
        held = self._temporary()
        conditions.append(f"({held} := {self.value(step)}) is not ERROR")
        return held

    def _judged_order(self, step: plan.Compare) -> Judged | None:
        left, right = _decimals(step.left, step.right)
        names = {left.type.name, right.type.name}
        if (
            names == {"dyn"}
            or names == {"decimal", "double"}
            or ("dyn" in names and not names <= {"dyn", "int", "uint", "string"})
        ):
            return None
        conditions: list[str] = []
        written = [self._present(one, "string" if "string" in names else "number", conditions) for one in (left, right)]
        return conditions, f"({written[0]} {step.sign} {written[1]})"

    def _present(self, step: Step, kind: str, conditions: list[str]) -> str:
        """Write a value, and add the conditions on which it is there and of its kind."""
        if step.sure:
            return self.value(step)
        held = self._temporary()
        if step.type.name == "dyn":
            test = f"type({held} := {self.value(step)}) "
            conditions.append(test + ("is str" if kind == "string" else "in NUMBERS"))
        elif isinstance(step, plan.Field) and step.type.nullable and not step.fails:
            of = self._present(step.of, "part", conditions)
            conditions.append(f"({held} := {of}.{step.name}) is not None")
        else:
            conditions.append(f"({held} := {self.value(step)}) is not {'ERROR' if step.fails else 'None'}")
            if step.fails and step.type.nullable:
                conditions.append(f"{held} is not None")
        return held

    def _judged_in(self, step: plan.Compare) -> Judged | None:
        left, right = step.left, step.right
        if right.type.name == "map" and left.type.name == "string":
            conditions: list[str] = []
            written = self._present(left, "string", conditions)
            return conditions, f"({written} in {self._unfailing(right, conditions)})"
        texts = _texts(right)
        if texts is None or left.type.name not in ("string", "dyn"):
            return None
        conditions = []
        written = self._unfailing(left, conditions)
        test = f"{written} in {self._const(texts)}"
        return conditions, f"(type({written}) is str and {test})" if left.type.name == "dyn" else f"({test})"

    def _judged_has(self, step: plan.Has) -> Judged | None:
        if step.of.type.name != "part":
            if step.of.fails or step.of.type.name == "dyn":
                return None
            return [], f"({self.value(step.of)}.get({self._const(step.name)}) is not None)"
        conditions: list[str] = []
        of = step.of
        written = self._unfailing(of, conditions)
        field, tests = f"{written}.{step.name}", []
        if of.type.nullable:
            held = self._temporary()
            tests, field = [f"({held} := {written}) is not None"], f"{held}.{step.name}"
        if step.default is None:
            tests.append(f"{field} is not None")
        elif step.default is not ...:
            tests.append(f"{field} != {self._const(step.default)}")
        return conditions, f"({' and '.join(tests)})" if tests else "True"

    def _judged_apply(self, step: plan.Apply, form: str) -> Judged | None:
        if step.function.takes[0] != frozenset({"string"}) and not all(arg.sure for arg in step.args):
            return None
        conditions: list[str] = []
        written = [self._present(arg, "string", conditions) for arg in step.args]
        return conditions, form.format(*written)

    # --- values

    def _of_const(self, step: Const) -> str:
        return self._const(step.value)

    def _of_variable(self, step: plan.Variable) -> str:
        return step.name

    def _of_field(self, step: plan.Field) -> str:
        of = self.value(step.of)
        if step.of.sure:
            return f"{of}.{step.name}"
        held = self._temporary()
        if not step.of.type.nullable:
            return f"(ERROR if ({held} := {of}) is ERROR else {held}.{step.name})"
        found = f"({self._const(step.default)} if ({held} := {of}) is None else {held}.{step.name}"
        return f"{found} if {held} is not ERROR else ERROR)" if step.of.fails else f"{found})"

    def _of_member(self, step: plan.Member) -> str:
        of, key = step.of, step.key
        if isinstance(key, Const) and isinstance(key.value, str):
            get = f"get({self._const(key.value)}, ERROR)"
            if of.type.name == "map" and of.sure:
                return f"{self.value(of)}.{get}"
            held = self._temporary()
            return f"({held}.{get} if type({held} := {self.value(of)}) is dict else ERROR)"
        return f"at({self.value(of)}, {self.value(key)})"

    def _of_has(self, step: plan.Has) -> str:
        return f"has({self.value(step.of)}, {self._const(step.name)})"

    def _of_apply(self, step: plan.Apply) -> str:
        function = step.function
        args = [self.value(arg) for arg in step.args]
        if self._within and function.reads_all:
            args[0] = self._counted(args[0])
        made = f"{self._const(function.run)}({', '.join([*args, *map(self._const, step.more)])})"
        return self._counted(made) if self._within and function.makes else made

    def _counted(self, text: str) -> str:
        return f"work.counted({text})"

    def _of_logic(self, step: plan.Logic) -> str:
        """Write False (of ``||``, True) if one operand is that, else the other if all are, else `ERROR`."""
        if not step.fails:
            return self.holds(step)
        decides = step.sign == "||"
        names = [self._temporary() for _ in step.args]
        first = _joined("or", [f"({n} := {self.value(a)}) is {decides}" for n, a in zip(names, step.args, strict=True)])
        rest = _joined("and", [f"{name} is {not decides}" for name in names])
        return f"({decides} if {first} else {not decides} if {rest} else ERROR)"

    def _of_not(self, step: plan.Not) -> str:
        if not step.fails:
            return self.refuted(step.of)
        held = self._temporary()
        return f"(False if ({held} := {self.value(step.of)}) is True else True if {held} is False else ERROR)"

    def _of_choice(self, step: plan.Choice) -> str:
        return self._choice(step, self.value, otherwise="ERROR")

    def _choice(self, step: plan.Choice, write: Callable[[Step], str], otherwise: str = "False") -> str:
        yes, no = write(step.yes), write(step.no)
        if step.test.sure:
            return f"({yes} if {self.holds(step.test)} else {no})"
        held = self._temporary()
        return f"({yes} if ({held} := {self.value(step.test)}) is True else {no} if {held} is False else {otherwise})"

    def _of_compare(self, step: plan.Compare) -> str:
        left, right = self.value(step.left), self.value(step.right)
        if step.sign == "in":
            return f"member({left}, {self._counted(right) if self._within else right})"
        if step.sign in (">", ">="):
            left, right = right, left
        name = {"==": "equal", "<": "less", ">": "less"}.get(step.sign, "at_most")
        return f"{name}({left}, {right})"

    def _of_gather(self, step: plan.Gather) -> str:
        members = [self.value(member) for member in step.members]
        if step.keys is None:
            return f"list_of({', '.join(members)})" if step.fails else f"[{', '.join(members)}]"
        return f"map_of({', '.join([self._const(step.keys), *members])})"

    def _of_loop(self, step: plan.Loop) -> str:
        self.works = True
        of = self.value(step.of)
        self._within += 1
        parts = [step.body] if step.test is None else [step.body, step.test]
        written = [f"lambda {step.variable}: {self.value(part)}" for part in parts]
        self._within -= 1
        return f"loop_{step.macro}(work, {of}, {', '.join(written)})"


_VALUES: Final[dict[type[Step], Callable[[_Writer, Any], str]]] = {
    Const: _Writer._of_const,
    plan.Variable: _Writer._of_variable,
    plan.Field: _Writer._of_field,
    plan.Member: _Writer._of_member,
    plan.Has: _Writer._of_has,
    plan.Apply: _Writer._of_apply,
    plan.Logic: _Writer._of_logic,
    plan.Not: _Writer._of_not,
    plan.Choice: _Writer._of_choice,
    plan.Compare: _Writer._of_compare,
    plan.Gather: _Writer._of_gather,
    plan.Loop: _Writer._of_loop,
}


def _joined(word: str, parts: Any) -> str:
    written = list(parts)
    return written[0] if len(written) == 1 else f"({f' {word} '.join(written)})"


def _decimals(left: Step, right: Step) -> tuple[Step, Step]:
    """Return two steps that are compared; a literal that meets a decimal is made one when it is compiled."""
    if left.type.name == "decimal":
        return left, _as_decimal(right)
    if right.type.name == "decimal":
        return _as_decimal(left), right
    return left, right


def _as_decimal(step: Step) -> Step:
    value = plan.value_of(step)
    if type(value) is float:
        return Const(shortest(value), type=DECIMAL)
    return Const(Decimal(value), type=DECIMAL) if type(value) is int else step


def _texts(step: Step) -> frozenset[str] | None:
    """Return the members of a list that is written out and has only texts."""
    if not isinstance(step, plan.Gather) or step.keys is not None:
        return None
    found = [plan.value_of(member) for member in step.members]
    return frozenset(found) if found and all(type(text) is str for text in found) else None
