"""What clients ask before they send: who the account is, and tokens.

Sources, read 2026-11-21: docs.yespo.io/reference/testing-your-api-connection and Yespo's plugins
(github.com/Yespo-CDP) for ``/account/info``; the vendor's OpenAPI document for ``/auth/token``; yespo-shopify for
``/auth/contact/token``.
"""

from typing import Any, Final

from gateway.adapter import Decoded, Request
from gateway.event import Profile

from . import auth
from .decode import options_of
from .errors import answer
from .names import identifier
from .wire import Json, read_object

ORGANISATION_ID: Final = 1
"""The plugins want a number; it means nothing here."""

_WHO: Final = {"externalCustomerId": "user_id", "email": "email", "phone": "phone"}


def account_info(request: Request) -> Decoded:
    """Answer the connection test of every plugin."""
    options = options_of(request)
    name = options.organisation or request.source
    told = {"userEmail": options.account_email, "organisationName": name, "orgId": ORGANISATION_ID}
    return Decoded((), answer(told))


def give_token(request: Request) -> Decoded:
    """Answer with a bearer token, as a bare JSON text."""
    return Decoded((), answer(auth.issue(request, auth.ACCESS)))


def give_contact_token(request: Request) -> Decoded:
    """Answer with a token for a contact's browser, empty for one whom nobody knows. It opens nothing here."""
    body = read_object(request)
    fields: dict[str, Any] = {field: text for name, field in _WHO.items() if (text := identifier(body.get(name)))}
    own = request.people.find(Profile(**fields)) if fields else None
    told: Json = {"token": "" if own is None else auth.issue(request, auth.CONTACT, own)}
    return Decoded((), answer(told))
