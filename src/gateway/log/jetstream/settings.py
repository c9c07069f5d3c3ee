"""Where the journal is, and how much of it is kept."""

import re
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

from msgspec import Struct

from gateway.errors import LogError

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_USERINFO: Final = re.compile(r"//[^/@\s]*@")


class JetStreamSettings(Struct, frozen=True, kw_only=True):
    """What a node needs to know; the same on every node but for `view`."""

    servers: tuple[str, ...]
    """URLs: ``nats://`` or ``tls://``, a host and a port."""
    view: Path
    """This node's own copy, a SQLite file; used by one process at a time."""
    stream: str = "gateway"
    replicas: Literal[1, 3, 5] = 1
    """Servers that keep the stream. With 3, one may fail."""
    user: str | None = None
    password: str | None = None
    token: str | None = None
    credentials: Path | None = None
    """A file as `nsc` makes it."""
    max_bytes: int = 2 << 30
    """Of the stream: the servers set them aside. When it is full, nothing is stored until a snapshot has made room."""
    message_bytes: int = 8 << 20
    """Of one message at most, and no more than the servers' `max_payload`: no event may be larger."""
    connect_s: float = 5.0
    """For making a connection at the start."""
    publish_s: float = 5.0
    """For storing: how long a message is sent again before its waiters are told that it cannot be stored."""
    snapshot_messages: int = 100_000
    """New messages after which a snapshot is made."""

    def __repr__(self) -> str:
        return f"JetStreamSettings(servers={self.hosts!r}, stream={self.stream!r}, view={str(self.view)!r})"

    @property
    def subject(self) -> str:
        """What messages are published to."""
        return f"{self.stream}.journal"

    @property
    def hosts(self) -> str:
        """The servers without what is secret in their URLs."""
        return ", ".join(urlsplit(server).netloc.rpartition("@")[2] or "?" for server in self.servers)

    @property
    def name(self) -> str:
        """How errors name the log."""
        return f"stream {self.stream!r} at {self.hosts}"

    def check(self) -> None:
        """Refuse what cannot be.

        Raises:
            LogError: a setting is wrong.
        """
        if not _NAME.fullmatch(self.stream):
            raise LogError(f"{self.stream!r} cannot be a stream's name: letters, digits, - and _, up to 64")
        if not self.servers:
            raise LogError(f"stream {self.stream!r} has no servers")
        if self.message_bytes < 4096:
            raise LogError(f"messages of {self.message_bytes} bytes are too small for a log: 4096 at least")

    def redacted(self, error: BaseException | str) -> str:
        """Return what went wrong without any secret of these settings."""
        text = (str(error) or repr(error)) if isinstance(error, BaseException) else error
        text = _USERINFO.sub("//", text)
        for server in self.servers:
            if userinfo := urlsplit(server).netloc.rpartition("@")[0]:
                text = text.replace(userinfo, "***")
        for secret in (self.password, self.token, self.user):
            if secret:
                text = text.replace(secret, "***")
        return text
