"""One endpoint of one target, as it is called."""

import httpx

from gateway.adapter import Answer, Outbound
from gateway.delivery.line import Address, Line
from gateway.delivery.login import Session
from gateway.delivery.spec import TargetSpec
from gateway.errors import UsageError


class Call:
    """An endpoint of one target, with all that is the same in every request to it.

    Raises:
        UsageError: a credential or the base address cannot stand in a request.
    """

    def __init__(self, endpoint: Outbound, spec: TargetSpec, line: Line, session: Session | None = None) -> None:
        self._endpoint = endpoint
        self._credentials = spec.credentials
        self._line = line
        self._session = session
        self._token = ""
        try:
            self._own = self._address(endpoint.path)
        except (UnicodeError, httpx.InvalidURL, httpx.TransportError) as error:
            what = f"{endpoint.name}: a credential or base_url cannot stand in a request"
            raise UsageError(f"target {spec.name}, {what} ({type(error).__name__})") from None

    def _address(self, path: str) -> Address:
        given = self._credentials if self._session is None else {**self._credentials, "token": self._token}
        return self._line.address(self._endpoint.method, path, self._endpoint.headers(given))

    async def token(self) -> str | None:
        """Return the token to send with, after a login if there is none; None where none is needed.

        Raises:
            NotLoggedIn: the login failed.
        """
        return None if self._session is None else await self._session.token()

    @property
    def latest_token(self) -> str:
        """The token that was sent last; empty: none."""
        return self._token

    def spent(self, token: str | None) -> None:
        """The vendor refused this token."""
        if self._session is not None and token is not None:
            self._session.spent(token)

    async def send(self, body: bytes, path: str | None = None, token: str | None = None) -> Answer:
        """Send one request.

        Raises:
            Unanswered: no connection, no whole answer, or not in time.
        """
        if token is not None and token != self._token:
            self._token = token
            self._own = self._address(self._endpoint.path)
        return await self._line.send(self._own if path is None else self._address(path), body)
