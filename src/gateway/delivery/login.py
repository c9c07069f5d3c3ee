"""Logging in: a token that other calls carry, had once for all who wait for it, and anew when it is spent."""

import asyncio
from contextlib import suppress

from gateway.adapter import Answer, Login
from gateway.delivery.line import Line, Unanswered
from gateway.delivery.spec import TargetSpec


class NotLoggedIn(Exception):
    """The call that gives a token did not."""

    def __init__(self, answer: Answer | None, why: str) -> None:
        super().__init__(why)
        self.answer = answer
        """None: there was none."""


class Session:
    """The token of one target at one login, made when it is asked for; whoever asks meanwhile waits for the same."""

    def __init__(self, login: Login, spec: TargetSpec, line: Line) -> None:
        self._login = login
        self._spec = spec
        self._line = line
        self._token: str | None = None
        self._under_way: asyncio.Task[str] | None = None

    async def token(self) -> str:
        """Return the token.

        Raises:
            NotLoggedIn: the vendor gave none.
        """
        if self._token is not None:
            return self._token
        if self._under_way is None:
            self._under_way = asyncio.create_task(self._log_in())
            self._under_way.add_done_callback(self._finished)
        return await asyncio.shield(self._under_way)

    def spent(self, token: str) -> None:
        """Forget a token that the vendor refused, unless there is a newer one."""
        if self._token == token:
            self._token = None

    def _finished(self, login: asyncio.Task[str]) -> None:
        self._under_way = None
        with suppress(NotLoggedIn, asyncio.CancelledError):
            self._token = login.result()

    async def _log_in(self) -> str:
        login, credentials = self._login, self._spec.credentials
        address = self._line.address(login.method, login.path, login.headers(credentials))
        try:
            answer = await self._line.send(address, login.body(credentials))
        except Unanswered as error:
            raise NotLoggedIn(None, f"login: {error}") from error
        token = self._token_of(answer)
        if token is None:
            raise NotLoggedIn(answer, f"login: HTTP {answer.status} without a token")
        return token

    def _token_of(self, answer: Answer) -> str | None:
        try:
            token = self._login.token(answer)
        except Exception:  # noqa: BLE001 - an answer in an unforeseen form holds no token, whatever trips over it
            return None
        return token if token and token.isascii() and token.isprintable() else None
