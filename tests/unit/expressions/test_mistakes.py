"""What is wrong with an expression, and where: the caret stands under the mistake."""

import pytest

from gateway import expressions
from gateway.errors import UsageError
from gateway.expressions import ExpressionError

SYNTAX = """
event.name = "a"
           ^ unknown sign '='; did you mean '=='?
event.name === "a"
             ^ unknown sign '='; did you mean '=='?
event.name <> "a"
           ^^ unknown sign '<>'; did you mean '!='?
true & false
     ^ unknown sign '&'; did you mean '&&'?
true | false
     ^ unknown sign '|'; did you mean '||'?
true and false
     ^^^ unknown sign 'and'; did you mean '&&'?
true OR false
     ^^ unknown sign 'OR'; did you mean '||'?
not true
^^^ unknown sign 'not'; did you mean '!'?
true android
     ^^^^^^^ expected an operator, found 'android'
event.name @ 1
           ^ unknown sign '@'
event.name; 1
          ^ unknown sign ';'
(1 + 2
      ! the expression ends where ')' or an operator is expected
[1, 2
     ! the expression ends where ']' or an operator is expected
{"a": 1
       ! the expression ends where '}' or an operator is expected
true ? 1
        ! the expression ends where ':' or an operator is expected
1 +
   ! the expression ends where a value is expected
event.
      ! the expression ends where a name is expected
event.1
      ^ expected a name, found '1'
1 + * 2
    ^ expected a value, found '*'
(1))
   ^ expected an operator, found ')'
{"a" 1}
     ^ expected ':' or an operator, found '1'
[,]
 ^ expected a value, found ','
size(1,,2)
       ^ expected a value, found ','
"abc
^^^^ this text has no closing quote
1 + 'abc"
    ^^^^^ this text has no closing quote
"a\\d"
  ^^ unknown escape '\\d'; write the backslash twice, or an r before the text
"\\U00110000"
 ^^^^^^^^^^ no character has the code 110000
10abc
  ^^^ expected an operator, found 'abc'
while == 1
^^^^^ 'while' is a reserved word
b"bytes"
 ^^^^^^^ expected an operator, found '"bytes"'
.event
^ expected a value, found '.'
"""

NAMES = """
evnt.name
^^^^ unknown name 'evnt'; did you mean 'event'?
commerce.total > 1
^^^^^^^^ unknown name 'commerce'; did you mean 'event.commerce'?
zzz == 1
^^^ unknown name 'zzz'; known: event
event.comerce.total
      ^^^^^^^ unknown field 'comerce'; did you mean 'commerce'?
event.profile.mail == "a"
              ^^^^ unknown field 'mail'; did you mean 'email'?
event.commerce.items[0].skus
                        ^^^^ unknown field 'skus'; did you mean 'sku'?
event.commerce.items.exists(i, i.prize > 1)
                                 ^^^^^ unknown field 'prize'; did you mean 'price'?
has(event.context.devise.type)
                  ^^^^^^ unknown field 'devise'; did you mean 'device'?
event.commerce.items.sku
                     ^^^ a list has no fields; name a member, as in [0], or ask with exists()
event.commerce.total.cents
                     ^^^^^ a decimal has no fields
event["name"]
      ^^^^^^ a part of the event has no keys; write .name
event.name[0]
^^^^^^^^^^ text has no members
event.properties[1]
                 ^ a mapping's key is text, found a whole number
event.commerce.items["a"]
                     ^^^ a list's member is named by a whole number, found text
event.name.startswith("a")
           ^^^^^^^^^^ unknown function 'startswith'; did you mean 'startsWith'?
event.name.lowerASCII()
           ^^^^^^^^^^ unknown function 'lowerASCII'; did you mean 'lowerAscii'?
lenght(event.name)
^^^^^^ unknown function 'lenght'; known: has, size, int, uint, double, bool, string, timestamp, duration
startsWith(event.name, "a")
^^^^^^^^^^ startsWith() is written x.startsWith()
event.name.int()
           ^^^ int() is written int(x)
event.commerce.items.exists(event, true)
                            ^^^^^ the name 'event' is taken
event.commerce.items.all(1, true)
                         ^ all() expects a name for the member, then what is asked of it
"""

TYPES = """
event.name
^^^^^^^^^^ expected true or false, found text
event.commerce
^^^^^^^^^^^^^^ expected true or false, found a part of the event
1 + 1
^^^^^ expected true or false, found a whole number
event.name == 3
^^^^^^^^^^^^^^^ text is never equal to a whole number
event.commerce.total == "10"
^^^^^^^^^^^^^^^^^^^^^^^^^^^^ a decimal is never equal to text
event.name == null
^^^^^^^^^^^^^^^^^^ text is never null here
event.consent == null
^^^^^^^^^^^^^ '==' takes no part of the event; name one of its fields, or ask has(…)
event.commerce == null
^^^^^^^^^^^^^^ '==' takes no part of the event; name one of its fields, or ask has(…)
true && event.name > 3
        ^^^^^^^^^^^^^^ '>' cannot order text and a whole number
null < 3
^^^^^^^^ '<' cannot order nothing and a whole number
event.profile.push_tokens < ["a"]
^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ '<' cannot order a list and a list
event.name && true
^^^^^^^^^^ '&&' expects true or false, found text
true || 1
        ^ '||' expects true or false, found a whole number
!event.name
 ^^^^^^^^^^ '!' expects true or false, found text
event.name ? true : false
^^^^^^^^^^ '?' expects true or false, found text
true ? 1 : "a"
           ^^^ both sides of ':' are of one type, found a whole number and text
-event.name == "a"
 ^^^^^^^^^^ '-' expects a number, found text
-(1u) == 1
  ^^ '-' expects a number, found an unsigned number
1 + 2.5 == 3.5
^^^^^^^ '+' does not take a whole number and a number with a fraction; write double(…) or int(…)
event.name + 1 == "a1"
^^^^^^^^^^^^^^ '+' does not take text and a whole number; write string(…)
event.name - "a" == ""
^^^^^^^^^^^^^^^^ '-' does not take text and text
event.received_at + 1 > event.received_at
^^^^^^^^^^^^^^^^^^^^^ '+' does not take a time and a whole number
event.name in "abc"
              ^^^^^ 'in' expects a list or a mapping, found text
event.name in [1, 2]
^^^^^^^^^^ a member of this list is a whole number, never text
1 in event.properties
^ a key of this mapping is text, never a whole number
event.name.startsWith(1)
                      ^ startsWith() expects text, found a whole number
event.commerce.total.contains("1")
^^^^^^^^^^^^^^^^^^^^ contains() expects text, found a decimal
size(3) == 1
     ^ size() expects text, a list or a mapping, found a whole number
int(true) == 1
    ^^^^ int() expects a number, text or a time, found true or false
event.name.startsWith()
           ^^^^^^^^^^ startsWith() takes 1 argument, found 0
event.name.trim("x") == ""
           ^^^^ trim() takes no arguments, found 1
size() == 1
^^^^ size() takes 1 argument, found 0
event.received_at.getHours("UTC", "UTC") == 1
                  ^^^^^^^^ getHours() takes 0 or 1 arguments, found 2
event.received_at.getHours(event.name) == 1
                           ^^^^^^^^^^ getHours() expects the name of a time zone in quotes
event.received_at.getHours("Europe/Kiew") == 1
                           ^^^^^^^^^^^^^ unknown time zone 'Europe/Kiew'
has(event.name, 1)
^^^ has() takes 1 argument, found 2
has(event)
    ^^^^^ has() expects a field, as in has(event.profile.email)
has(event.profile["email"])
    ^^^^^^^^^^^^^^^^^^^^^^ has() expects a field, as in has(event.profile.email)
event.name.all(c, true)
^^^^^^^^^^ all() goes over lists, found text
event.properties.all(k, true)
^^^^^^^^^^^^^^^^ all() goes over lists, found a mapping
event.commerce.items.all(i)
                     ^^^ all() takes 2 arguments, found 1
event.commerce.items.all(i, i.sku)
                            ^^^^^ all() expects true or false, found text
event.commerce.items.map(i, true, i.sku, 1) == []
                     ^^^ map() takes 2 or 3 arguments, found 4
{event.name: 1} == {"a": 1}
 ^^^^^^^^^^ a key is written as text in quotes
{"a": 1, "a": 2} == {"a": 1}
         ^^^ the key 'a' stands twice
[event.profile] == []
 ^^^^^^^^^^^^^ a list takes no part of the event; name one of its fields, or ask has(…)
9223372036854775808 == 1
^^^^^^^^^^^^^^^^^^^ a whole number has at most 64 bits
1e400 == 1.0
^^^^^ this number is too large
1 / 0 == 1
^^^^^ this has no value, whatever the event
timestamp("yesterday") < event.received_at
^^^^^^^^^^^^^^^^^^^^^^ this has no value, whatever the event
"""

PATTERNS = """
event.name.matches(event.name)
                   ^^^^^^^^^^ matches() expects a pattern in quotes
event.name.matches()
           ^^^^^^^ matches() takes 1 argument, found 0
event.name.matches("(a")
                   ^^^^ '(' is not closed, at character 1 of the pattern
event.name.matches("a)")
                   ^^^^ ')' closes nothing, at character 2 of the pattern
event.name.matches("[a")
                   ^^^^ '[' is not closed, at character 1 of the pattern
event.name.matches("*a")
                   ^^^^ nothing to repeat, at character 1 of the pattern
event.name.matches("a**")
                   ^^^^^ a repetition cannot be repeated; put it into (?:…), at character 3 of the pattern
event.name.matches(r"\\bword")
                   ^^^^^^^^^ '\\b' is not supported, at character 1 of the pattern
event.name.matches("(a)\\\\1")
                   ^^^^^^^^ '\\1' is not supported, at character 4 of the pattern
event.name.matches("a(?=b)")
                   ^^^^^^^^ this kind of group is not supported, at character 4 of the pattern
event.name.matches("[z-a]")
                   ^^^^^^^ a range ends before it begins, at character 5 of the pattern
event.name.matches("a{101}")
                   ^^^^^^^^ more than 100 repetitions, at character 2 of the pattern
event.name.matches("(a|b)*a(a|b){12}")
                   ^^^^^^^^^^^^^^^^^^ the pattern is too large
"""


def cases(table: str) -> list[tuple[str, int, int, str]]:
    """Return text, offset, length and message of each pair of lines; a '!' marks a place with nothing in it."""
    lines = table.strip("\n").split("\n")
    found = []
    for text, marked in zip(lines[::2], lines[1::2], strict=True):
        marks, message = marked.lstrip(" ").split(" ", 1)
        found.append((text, len(marked) - len(marked.lstrip(" ")), marks.count("^"), message))
    return found


@pytest.mark.parametrize(
    ("text", "offset", "length", "message"), [*cases(SYNTAX), *cases(NAMES), *cases(TYPES), *cases(PATTERNS)]
)
def test_the_place_and_the_message(text: str, offset: int, length: int, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        expressions.compile(text, wants="bool")
    error = caught.value
    assert (error.message, error.offset, error.length) == (message, offset, length)
    assert str(error) == message
    assert isinstance(error, UsageError)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("event.profile", "a part of the event is no value; name one of its fields"),
        ("event.commerce.items", "a part of the event is no value; name one of its fields"),
        ("event.commerce.items.map(i, i)", "map() makes no parts of the event; name one of its fields"),
        ("event.received_at - event.received_at", "an event has no durations; write string(…) or .getSeconds()"),
    ],
)
def test_what_is_no_value(text: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        expressions.compile(text)
    assert caught.value.message == message


def test_the_place_is_counted_in_characters_across_lines() -> None:
    with pytest.raises(ExpressionError) as caught:
        expressions.compile("// Ω\ntrue &&\n  event.nam == 'a'", wants="bool")
    assert (caught.value.offset, caught.value.length) == (21, 3)
