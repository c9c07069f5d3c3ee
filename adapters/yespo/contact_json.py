"""``contactJson``, the parameter of a v2 event that holds a new contact: checked, and read.

Sources, read 2026-11-21: docs.yespo.io/docs/how-use-v1event-api-resource (its members; an invalid one is a 400 that
lists them), docs.yespo.io/docs/adding-new-users (names). The wording of the answer is our choice.
"""

import re
from typing import Any, Final

from gateway.adapter import Rejected

from .errors import invalid
from .limits import PERSON_NAME, PERSON_NAME_DIGITS, PHONE_DIGITS, PHONE_DIGITS_LEAST
from .wire import VOCABULARY, Json, structure

PARAM: Final = "contactJson"

_TABLE: Final = VOCABULARY.table("contact_json")
_PHONE: Final = re.compile(r"\+?[0-9 ()-]{1,40}")
_TEXTS: Final = ("town", "timeZone", "languageCode")
_NAMES: Final = ("firstname", "lastname")
_BETWEEN: Final = "'’-"  # noqa: RUF001  the apostrophe that people type


def problems(value: Any) -> list[dict[str, str]]:
    """Return what is wrong with a contact, by field; the texts repeat nothing of it."""
    contact = structure(value) if isinstance(value, str) else value
    if not isinstance(contact, dict):
        return [{"field": PARAM, "error": "must be an object"}]
    found = [(name, _problem(name, held)) for name, held in contact.items() if held is not None]
    return [{"field": name, "error": error} for name, error in found if error is not None]


def refusal(errors: list[dict[str, str]]) -> Rejected:
    """Return the refusal of an event whose contact is invalid."""
    return invalid("contactJson is not valid", errors=errors)


def _problem(name: str, held: Any) -> str | None:
    if name in _NAMES:
        return None if isinstance(held, str) and _is_name(held) else "is not a valid name"
    if name == "sms":
        return None if _is_phone(held) else "is not a valid phone number"
    if name in _TEXTS:
        return None if isinstance(held, str) else "must be a string"
    if name == "confirmed":
        return None if isinstance(held, bool) else "must be a boolean"
    if name == "profileInputs":
        return None if _are_inputs(held) else "must be a list of {profileInputId, value} with numeric ids"
    return None


def _is_name(text: str) -> bool:
    """Tell whether a text is a person's name.

    At most 3 digits; of other characters than letters only blanks, apostrophes and hyphens between letters, and the
    final dot of a short word.
    """
    text = text.strip()
    if len(text) > PERSON_NAME.value or sum(char.isdigit() for char in text) > PERSON_NAME_DIGITS.value:
        return False
    return all(_is_word(word) for word in text.split())


def _is_word(word: str) -> bool:
    inner = word[:-1] if word.endswith(".") and len(word) <= _SHORT else word
    if not inner or inner[0] in _BETWEEN or inner[-1] in _BETWEEN:
        return False
    return all(char.isalnum() or char in _BETWEEN or not char.isascii() for char in inner)


_SHORT: Final = 5
"""Characters of a word that may end with a dot: "Prof."; our choice."""


def _is_phone(held: Any) -> bool:
    text = str(held) if type(held) is int else held
    if not isinstance(text, str) or not _PHONE.fullmatch(text):
        return False
    return PHONE_DIGITS_LEAST.value <= sum(char.isdigit() for char in text) <= PHONE_DIGITS.value


def _are_inputs(held: Any) -> bool:
    return isinstance(held, list) and all(
        isinstance(row, dict) and type(row.get("profileInputId")) is int and "value" in row for row in held
    )


def person(contact: Json) -> dict[str, Any]:
    """Return what a contact says of a person, by canonical field; ``city`` is that of the location."""
    parts = _TABLE.lift(contact).parts
    found = {**parts.get("profile", {}), **parts.get("profile.location", {})}
    return {field: value for field, value in found.items() if not isinstance(value, str) or value.strip()}
