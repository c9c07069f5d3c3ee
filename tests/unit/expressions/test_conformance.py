"""Cases of the specification's own tests (github.com/google/cel-spec, tests/simple/testdata, read 2026-11-21).

A few of ours are among them. Those that need bytes, messages, types as values or keys that are no texts are left out.
Where the specification has an error, an expression is refused when it is compiled, or it has no value.
"""

from datetime import UTC, datetime
from typing import Any, Final

import pytest

from gateway import expressions
from gateway.expressions import ExpressionError
from tests.unit.expressions.events import BARE

ERROR: Final = object()

INTEGERS: Final = [
    ("42 + 2", 44), ("42 + (-2)", 40), ("-42 + (-2)", -44), ("42 - 2", 40), ("-42 - (-2)", -40), ("42 * 2", 84),
    ("42 * (-2)", -84), ("42 / 2", 21), ("-42 / 2", -21), ("-42 / (-2)", 21), ("42 % 5", 2), ("42 % (-5)", 2),
    ("-42 % (-5)", -2), ("-(42)", -42), ("42 % 0", ERROR), ("-(-42)", 42), ("15 / 0", ERROR), ("15 * 0", 0),
    ("42u + 2u", 44), ("42u - 2u", 40), ("42u / 2u", 21), ("42u % 5u", 2), ("-(5u)", ERROR), ("42u % 0u", ERROR),
    ("9223372036854775807 + 1", ERROR), ("-9223372036854775808 - 1", ERROR), ("5000000000 * 5000000000", ERROR),
    ("-(-9223372036854775808)", ERROR), ("0u - 1u", ERROR), ("18446744073709551615u + 1u", ERROR),
    ("-9223372036854775808 / -1", ERROR), ("0x55555555", 0x55555555), ("-0x55555555", -0x55555555),
    ("9223372036854775808", ERROR), ("18446744073709551616u", ERROR),
]  # fmt: skip
DOUBLES: Final = [
    ("4.25 + 15.25", 19.5), ("17.75 + (-7.75)", 10.0), ("42.0 - 12.0", 30.0), ("42.5 * 0.2", 8.5),
    ("40.75 * (-2.25)", -91.6875), ("0.0625 / 0.002", 31.25), ("-8.875 / (-0.0625)", 142.0), ("47.5 % 5.5", ERROR),
    ("-(4.5)", -4.5), ("-(-1.25)", 1.25), ("15.36 * 0.0", 0.0), ("7.5 + 1.5 == 1.5 + 7.5", True),
    ("5.75 * (1.5 + 2.5)  == 5.75 * 1.5 + 5.75 * 2.5", True), ("1e-324  / 2.0", 0.0), ("1 + 1u", ERROR),
    ("1.0 / 0.0 > 1e308", True), ("double('NaN') == double('NaN')", False), ("1.0 / 0.0 == -1.0 / -0.0", True),
]  # fmt: skip
COMPARISONS: Final = [
    ("1 == 1", True), ("-1 == 1", False), ("1 == 1.0", True), ("1u == 1", True), ("1.5 == 1", False),
    ("9223372036854775807 == 9223372036854775807.0", False), ("1 < 1.5", True), ("1u < -1", False), ("2 > 1u", True),
    ("'' == \"\"", True), ("'abc' == 'ABC'", False), ("'a' < 'b'", True), ("'ÿ' > 'z'", True), ("false < true", True),
    ("true <= true", True), ("null == null", True), ("[] == []", True), ("[1, 2, 3] == [1, 2, 3]", True),
    ("[1, 3, 2] == [1, 2, 3]", False), ("[1.0, 2u, 3] == [1, 2, 3]", True), ("[1, '2'] == [1, 2]", False),
    ("{'k': 'v'} == {'k': 'v'}", True), ("{'k': 1} == {'k': 1.0}", True), ("{'k': 1} == {'j': 1}", False),
    ("{'k': 1, 'j': 2} == {'j': 2, 'k': 1}", True), ("1 == '1'", ERROR), ("true == 1", ERROR), ("[] == {}", ERROR),
    ("null < 1", ERROR), ("[1] < [2]", ERROR), ("2 in [1, 2.0, 'x']", True), ("'x' in []", False),
    ("1 in [1.0]", True), ("'k' in {'k': 1}", True), ("'j' in {'k': 1}", False), ("1 in 2", ERROR),
    ("1 != 1", False), ("1 != 2.0", True), ("'a' >= 'a'", True), ("!(1 < 2)", False),
]  # fmt: skip
LOGIC: Final = [
    ("true ? 1 : 2", 1), ("false ? 'foo' : 'bar'", "bar"), ("2 / 0 > 4 ? 'baz' : 'quux'", ERROR),
    ("true ? 'cows' : 17", ERROR), ("'cows' ? false : 17", ERROR), ("true && false", False), ("false || true", True),
    ("'horses' && false", ERROR), ("!true", False), ("!false", True), ("!(!true)", True),
    ("'less filling' || 'tastes great'", ERROR), ("!0", ERROR),
    ("false && event.properties.x > 3", False), ("event.properties.x > 3 && false", False),
    ("event.properties.x > 3 && true", ERROR), ("true || event.properties.x > 3", True),
    ("event.properties.x > 3 || true", True), ("event.properties.x > 3 || false", ERROR),
    ("(event.properties.x > 3 ? false : true) && false", False),
    ("(event.properties.x > 3 ? false : true) || true", True),
]  # fmt: skip
MACROS: Final = [
    ("[1, 2, 3].exists(e, e > 0)", True), ("[1, 2, 3].exists(e, e == 2)", True), ("[1, 2, 3].exists(e, e > 3)", False),
    ("[1, 'foo', 3].exists(e, e != '1')", True), ("[1, 'foo', 3].exists(e, e == '10')", False),
    ("[1, 2, 3].exists(e, e / 0 == 17)", ERROR), ("[].exists(e, e == 2)", False),
    ("[1, 2, 3].all(e, e > 0)", True), ("[1, 2, 3].all(e, e == 17)", False), ("[1, 'foo', 3].all(e, e == 1)", False),
    ("[1, 'foo', 3].all(e, e % 2 == 1)", ERROR), ("[1, 2, 3].all(e, 6 / (2 - e) == 6)", False),
    ("[1, 2, 3].all(e, e / 0 != 17)", ERROR), ("[].all(e, e > 0)", True),
    ("[].exists_one(a, a == 7)", False), ("[7].exists_one(a, a == 7)", True),
    ("[1, 2, 3].exists_one(x, x > 20)", False),
    ("[6, 7, 8].exists_one(foo, foo % 5 == 2)", True), ("[0, 1, 2, 3, 4].exists_one(n, n % 2 == 1)", False),
    ("['foal', 'foo', 'four'].exists_one(n, n.startsWith('fo'))", False),
    ("[3, 2, 1, 0].exists_one(n, 12 / n > 1)", ERROR),
    ("[].map(n, n / 2)", []), ("[3].map(n, n * n)", [9]), ("[2, 4, 6].map(n, n / 2)", [1, 2, 3]),
    ("[2, 1, 0].map(n, 4 / n)", ERROR), ("[].filter(n, n % 2 == 0)", []), ("[2].filter(n, n == 2)", [2]),
    ("[1].filter(n, n > 3)", []), ("[0, 1, 2, 3, 4].filter(x, x % 2 == 1)", [1, 3]),
    ("[3, 2, 1, 0].filter(n, 12 / n > 4)", ERROR),
    ("['a', 'b'].map(x, ['c', 'd'].map(y, x + y))", [["ac", "ad"], ["bc", "bd"]]),
    ("has({'a': 1}.a)", True), ("has({'a': 1}.b)", False), ("has({'a': {'b': 1}}.a.c)", False),
    ("[1, 2].exists(x, [3, 4].exists(x, x == 4) && x == 2)", True),
]  # fmt: skip
STRINGS: Final = [
    ("size('')", 0), ("size('ÿ')", 1), ("size('πέντε')", 5), ("'four'.size()", 4), ("size([1, 2, 3])", 3),
    ("size({'a': 1})", 1), ("size(1)", ERROR), ("'foobar'.startsWith('foo')", True),
    ("'foobar'.startsWith('bar')", False),
    ("''.startsWith('')", True), ("'завтра'.startsWith('за')", True), ("'foobar'.endsWith('bar')", True),
    ("'forté'.endsWith('té')", True), ("'hubba'.matches('ubb')", True), ("''.matches('foo|bar')", False),
    ("'cows'.matches('')", True), ("'grey'.matches('gr(a|e)y')", True), ("'banana'.matches('ba(na)*')", True),
    ("'mañana'.matches('a+ñ+a+')", True), ("'he' + 'llo'", "hello"), ("'hello' + ' ' == 'hello'", False),
    ("'¢' + 'ÿ' + 'Ȁ'", "¢ÿȀ"), ("'hello'.contains('he')", True), ("'hello'.contains('')", True),
    ("'abababc'.contains('ababc')", True), ("'Straße'.contains('aß')", True), ("'TacoCat'.lowerAscii()", "tacocat"),
    ("'TacoCÆt'.lowerAscii()", "tacocÆt"), ("'tacoCat'.upperAscii()", "TACOCAT"), ("'tacoCπt'.upperAscii()", "TACOCπT"),
    (r"' \f\n\r\t\vtext  '.trim()", "text"), (r"'\u0085\u00a0\u1680text'.trim()", "text"),
    (r"'\u180etext\u200b\u200c\u200d\u2060\ufeff'.trim()", "\u180etext\u200b\u200c\u200d\u2060\ufeff"),
]  # fmt: skip
LITERALS: Final = [
    ("'hello'", "hello"), ('"hello"', "hello"), ("'''hello'''", "hello"), ('"""hello"""', "hello"),
    (r"' \\ \? \" \' \` '", " \\ ? \" ' ` "), (r"' \a \b \f \t \v '", " \a \b \f \t \v "), (r"' \n \r '", " \n \r "),
    ("''' \n \r\n '''", " \n \r\n "), (r"' \x01 \X7F \000 \012 \177 \377 '", " \x01 \x7f \x00 \n \x7f ÿ "),
    (r"' \u270c \U0001f431 '", " ✌ 🐱 "), (r"r'\\'", "\\\\"), (r"R'\n'", "\\n"), ("r'''a'b'''", "a'b"),
    ("'''x''x'''", "x''x"), ("''", ""), ("'\"\"'", '""'), (r"'\d'", ERROR), ("'\n'", ERROR), (r"'\ud83d'", ERROR),
    (r"'\U00110000'", ERROR), ("true", True), ("null", None), ("[1, 2, 3,]", [1, 2, 3]), ("{'a': 1,}", {"a": 1}),
    ("{'a': 1, 'a': 2}", ERROR), ("// a remark\n1", 1), (".5", 0.5), ("1e3", 1000.0), ("1e999", ERROR),
]  # fmt: skip
NESTING: Final = [
    ("int(uint(int(uint(int(uint(int(uint(int(uint(int(uint(7))))))))))))", 7),
    ("size([[[[[[[[[[[[0]]]]]]]]]]]])", 1), ("(" * 32 + "7" + ")" * 32, 7),
    ("true ? true : " * 24 + "false", True), ("false || " * 31 + "true", True), ("true && " * 31 + "false", False),
    ("3 - 3 + " * 12 + "3", 3), ("4 * " + "4 / 4 * " * 11 + "1", 4), ("!" * 32 + "true", True), ("-" * 32 + "19", 19),
    ("[" * 12 + "'foo'" + "]" * 12 + "[0]" * 12, "foo"),
    (f"[{', '.join(map(str, range(32)))}][17]", 17),
    ("{" + ", ".join(f"'k{n}': 'v{n}'" for n in range(32)) + "}['k17']", "v17"),
]  # fmt: skip
CONVERSIONS: Final = [
    ("double(1000000000000)", 1e12), ("double(9223372036854775807)", 9.223372036854775807e18), ("double(123u)", 123.0),
    ("double('0')", 0.0), ("double('-987.654')", -987.654), ("double('6.02214e23')", 6.02214e23),
    ("double('x')", ERROR),
    ("int(42u)", 42), ("int(18446744073709551615u)", ERROR), ("int(-123.456)", -123), ("int(1.9)", 1),
    ("int(-3.5)", -3),
    ("int(1e99)", ERROR), ("int(9223372036854775807.0)", ERROR), ("int(-9223372036854775808.0)", ERROR),
    ("int('987')", 987), ("int('1.5')", ERROR), ("int(timestamp('2004-09-16T23:59:59Z'))", 1095379199),
    ("string(123)", "123"), ("string(-456)", "-456"), ("string(9876u)", "9876"), ("string(123.456)", "123.456"),
    ("string(-4.5e-3)", "-0.0045"), ("uint(1729)", 1729), ("uint(-1)", ERROR), ("uint(3.14159265)", 3),
    ("uint(1e19)", 10000000000000000000), ("uint(6.022e23)", ERROR), ("uint('300')", 300), ("bool('true')", True),
    ("bool('t')", True), ("bool('False')", False), ("bool('tRue')", ERROR), ("string(true)", "true"),
]  # fmt: skip
SECONDS: Final = "timestamp('2009-02-13T23:31:30Z')"
TIMES: Final = [
    (f"int({SECONDS})", 1234567890), (f"string({SECONDS})", "2009-02-13T23:31:30Z"),
    ("string(duration('1000000s'))", "1000000s"),
    (f"{SECONDS}.getDate()", 13), (f"{SECONDS}.getDayOfMonth()", 12), (f"{SECONDS}.getDayOfWeek()", 5),
    (f"{SECONDS}.getDayOfYear()", 43), (f"{SECONDS}.getFullYear()", 2009), (f"{SECONDS}.getHours()", 23),
    (f"{SECONDS}.getMinutes()", 31), (f"{SECONDS}.getMonth()", 1), (f"{SECONDS}.getSeconds()", 30),
    ("timestamp('2009-02-13T23:31:20.123456789Z').getMilliseconds()", 123),
    (f"{SECONDS}.getDate('Australia/Sydney')", 14), (f"{SECONDS}.getDayOfMonth('US/Central')", 12),
    (f"{SECONDS}.getDayOfMonth('+11:00')", 13), ("timestamp('2009-02-13T02:00:00Z').getDayOfMonth('-02:30')", 11),
    (f"{SECONDS}.getDayOfWeek('UTC')", 5), (f"{SECONDS}.getHours('02:00')", 1),
    (f"{SECONDS}.getMinutes('Asia/Kathmandu')", 16),
    (f"{SECONDS}.getSeconds('-00:00')", 30), (f"{SECONDS}.getHours('Nowhere/Land')", ERROR),
    (f"{SECONDS} == timestamp('2009-02-13T23:31:30Z')", True), ("duration('60s') == duration('3600s')", False),
    ("timestamp('2009-02-13T23:00:00Z') + duration('240s')", datetime(2009, 2, 13, 23, 4, tzinfo=UTC)),
    ("duration('120s') + timestamp('2009-02-13T23:01:00Z')", datetime(2009, 2, 13, 23, 3, tzinfo=UTC)),
    ("duration('600s') + duration('50s') == duration('650s')", True),
    ("timestamp('2009-02-13T23:31:00Z') - timestamp('2009-02-13T23:29:00Z') == duration('120s')", True),
    ("timestamp('2009-02-13T23:00:00Z') <= timestamp('2009-02-13T22:59:59Z')", False),
    ("duration('200s') < duration('300s')", True), ("duration('10000s').getHours()", 2),
    ("duration('123.321456s').getMilliseconds()", 321), ("duration('3730s').getMinutes()", 62),
    ("duration('-3730s').getSeconds()", -3730), ("timestamp('0000-01-01T00:00:00Z')", ERROR),
    ("timestamp('10000-01-01T00:00:00Z')", ERROR), ("timestamp('0001-01-01T00:00:00Z') + duration('-1s')", ERROR),
    ("timestamp('9999-12-31T23:59:59Z') + duration('1s')", ERROR), ("duration('-320000000000s')", ERROR),
    ("duration('200000000000s') + duration('200000000000s')", ERROR), ("duration('1')", ERROR),
    ("duration('1h 2m')", ERROR),
    ("string(duration('1h30m1.5s'))", "5401.5s"), ("string(duration('-1ms'))", "-0.001s"),
    ("timestamp(0)", datetime(1970, 1, 1, tzinfo=UTC)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *INTEGERS, *DOUBLES, *COMPARISONS, *LOGIC, *MACROS, *STRINGS, *LITERALS, *NESTING, *CONVERSIONS, *TIMES,
    ],
)  # fmt: skip
def test_the_specifications_cases(text: str, expected: Any) -> None:
    try:
        found = expressions.compile(text)(BARE)
    except ExpressionError:
        assert expected is ERROR
    else:
        assert (type(found), found) == (type(None), None) if expected is ERROR else (type(expected), expected)


@pytest.mark.parametrize(("text", "expected"), [*COMPARISONS, *LOGIC, *MACROS])
def test_a_condition_holds_where_its_value_is_true(text: str, expected: Any) -> None:
    try:
        condition, negated = (expressions.compile(form.format(text), wants="bool") for form in ("{}", "!({})"))
    except ExpressionError:
        return
    assert condition(BARE) is (expected is True)
    assert negated(BARE) is (expected is False)
