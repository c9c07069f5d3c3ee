"""Patterns of `matches`: as RE2 has them, and in linear time."""

from typing import Final

import pytest
from cel_expr_python import cel
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.expressions.automaton import LONGEST_TEXT, matcher
from gateway.expressions.pattern_syntax import PatternError
from gateway.expressions.values import ERROR

_RE2: Final = cel.NewEnv(variables={"text": cel.Type.STRING, "pattern": cel.Type.STRING}).compile(
    "text.matches(pattern)"
)


def re2(pattern: str, text: str) -> bool | None:
    """Return whether RE2, which the reference runs, finds the pattern; None: it is none."""
    found = _RE2.eval(data={"text": text, "pattern": pattern})
    return None if found.type() == cel.Type.ERROR else bool(found.value())


PATTERNS: Final = [
    "", "a", "^a", "a$", "^a$", "^$", "$^", "a|b", "^(?:a|^b)c", "(^a|b$)", "a|^", "gr(a|e)y", "(a*)*b", "(a|a)*$",
    "(x+x+)+y", "a{0}", "a{2}", "a{2,}b", "a{1,3}$", "(ab){2}", "a??b", "a+?b", "[ab]x", "[^ab]", "[a-c]+$", "[a-]",
    "[]a]", "[^]a]", r"[\w-]+@", r"[\d.]+$", r"\d+\.\d{2}", r"\D\S\W", r"[^\d]", "[[:alpha:]][[:^digit:]]",
    "[[:punct:]]",
    "(?i)order", "(?i:K)s", "(?i)[a-f]1", r"(?i)\w$", "(?i)straße", "a(?i)b|c", "(?-i)A", "(?s)a.b", "a.b", "(?s:.)b",
    "(?P<year>[0-9]+)-", "(?<y>a)b", r"\x41\x{1F431}?", r"\.\*\[\\", r"\Aa\z", r"\t\n", "é+", ".", "..", "(?U)a*",
    "a{,2}", "x{", "{", "a|*", "(", ")", "[", "a**", "[b-a]", r"\q", "(?z)", "[[:nope:]]", "a{1001}", "(?P<1>a)", "\\",
]  # fmt: skip
TEXTS: Final = [
    "", "a", "b", "ab", "aab", "abab", "aaab", "ba", "bc", "grey", "gray", "xxxxy", "xx", "x{", "a{,2}", "{", "]", "-",
    "ann-b@example.com", "12.50", "1-2", "ORDER", "Order Completed", "\u212as", "KS", "ks", "\u017f", "F1",
    "STRASSE", "Straße",
    "aB", "AB", "C", "A", "a\nb", "A🐱", ".*[\\", "\t\n", "éé", "é", "🐱", "2026-", "_", "!", "  ", "aC", "ac",
]  # fmt: skip


@pytest.mark.parametrize("pattern", PATTERNS)
def test_it_is_as_in_re2(pattern: str) -> None:
    expected = [re2(pattern, text) for text in TEXTS]
    try:
        matches = matcher(pattern)
    except PatternError:
        assert expected[0] is None
    else:
        assert [(text, matches(text)) for text in TEXTS] == list(zip(TEXTS, expected, strict=True))


pieces = st.sampled_from(
    [
        "a",
        "b",
        "c",
        ".",
        "^",
        "$",
        "*",
        "+",
        "?",
        "|",
        "(",
        "(?:",
        "(?i:",
        ")",
        "[ab]",
        "[^a]",
        r"\d",
        r"\w",
        "{2}",
        "{1,2}",
    ]
)


@settings(max_examples=400, deadline=None)
@given(st.lists(pieces, max_size=9).map("".join), st.lists(st.text("abcA1_\né", max_size=6), min_size=3, max_size=3))
def test_any_pattern_is_as_in_re2(pattern: str, texts: list[str]) -> None:
    expected = [re2(pattern, text) for text in texts]
    try:
        matches = matcher(pattern)
    except PatternError:
        return
    assert [matches(text) for text in texts] == expected


@pytest.mark.parametrize(
    "pattern", ["(a+)+$", "(a|a)*b", "(a|aa)+$", "(.*)*x", "^(([a-z])+.)+[A-Z]([a-z])+$", "a?" * 50 + "a" * 50]
)
def test_a_catastrophic_pattern_takes_one_step_for_each_character(pattern: str) -> None:
    """Each of them would take a backtracking engine longer than there is time."""
    matches = matcher(pattern)
    assert matches("a" * (LONGEST_TEXT - 1) + "!") in (True, False)


@pytest.mark.parametrize(
    "pattern", ["(a|b)*a(a|b){12}", "((a{0,100}){0,100}){0,100}", "(" * 31 + ")" * 31, "a" * 501, r"(?i)[a-\x{FFFF}]"]
)
def test_a_pattern_that_is_too_large_is_refused(pattern: str) -> None:
    with pytest.raises(PatternError):
        matcher(pattern)


def test_a_text_that_is_too_long_is_an_error() -> None:
    matches = matcher("a")
    assert matches("b" * LONGEST_TEXT) is False
    assert matches("a" * (LONGEST_TEXT + 1)) is ERROR
    assert matches(None) is matches(1) is ERROR


def test_many_different_characters_are_told_apart() -> None:
    matches = matcher("[\u0430-\u044f]+!$")
    for code in range(0x20, 0x3000):
        assert matches(chr(code) + "!") is (0x430 <= code <= 0x44F)
