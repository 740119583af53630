"""Who may come in: names the server answers to, the token of the printed address, sessions."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
from dataclasses import dataclass, field

from nucleate.core import UserError

SHORTEST = 16
"""Characters that a token of one's own must have at least."""

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")


def is_loopback(host: str) -> bool:
    """Tell whether an address to bind can be reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def host_name(header: str) -> str:
    """Return the name in a Host header without its port, in lower case; empty when malformed.

    >>> host_name("LocalHost:7860"), host_name("[::1]:80"), host_name("a@b")
    ('localhost', '[::1]', '')
    """
    name, port = header.strip().lower(), ""
    if name.startswith("["):
        name, closed, port = name.partition("]")
        name += closed
    elif ":" in name:
        name, _, port = name.rpartition(":")
        port = ":" + port
    if port and not (port[0] == ":" and port[1:].isdigit()):
        return ""
    allowed = "[:]" if name.startswith("[") else ""
    return name if name and all(c.isalnum() or c in "-._" + allowed for c in name) else ""


@dataclass
class Doors:
    """What the server answers to, and the sessions that were opened with its token.

    A token that was made here opens one session and is replaced by another; a token that was given
    opens as many as one likes. Sessions live as long as the process.

    Args:
        host: The address that is bound.
        names: More names to answer to, besides those of `host`.
        given: A token of one's own; empty for one made here.

    Raises:
        UserError: The address is not loopback and no token was given, or the token is too short.
    """

    host: str = "127.0.0.1"
    names: tuple[str, ...] = ()
    given: str = field(default="", repr=False)
    token: str = field(init=False, repr=False)
    _sessions: set[str] = field(default_factory=set, init=False, repr=False)

    def __post_init__(self) -> None:
        if not self.given and not is_loopback(self.host):
            raise UserError(
                "others could reach this address",
                where="--host",
                got=self.host,
                expected="loopback, or a token of your own",
                fix="set NUCLEATE_UI_TOKEN",
            )
        if self.given and len(self.given) < SHORTEST:
            raise UserError(
                "the token is too short",
                where="NUCLEATE_UI_TOKEN",
                expected=f"{SHORTEST} characters or more",
                fix="python -c 'import secrets; print(secrets.token_urlsafe())'",
            )
        self.token = self.given or secrets.token_urlsafe(32)

    def answers_to(self, header: str) -> bool:
        """Tell whether a Host header names this server.

        Another site can point a name of its own at this machine (DNS rebinding), never one of
        these. Beyond loopback, addresses written as numbers are let in too: they cannot be
        pointed anywhere.
        """
        name = host_name(header)
        if not name:
            return False
        own = f"[{self.host}]" if ":" in self.host else self.host
        names = {each.lower() for each in (*LOOPBACK_NAMES, *self.names, own)}
        if name in names or is_loopback(self.host):
            return name in names
        try:
            return bool(ipaddress.ip_address(name.strip("[]")))
        except ValueError:
            return False

    def enter(self, token: str) -> str | None:
        """Return a new session for the right token, None for a wrong one."""
        if not hmac.compare_digest(token.encode(), self.token.encode()):
            return None
        if not self.given:
            self.token = secrets.token_urlsafe(32)
        session = secrets.token_urlsafe(32)
        self._sessions.add(_digest(session))
        return session

    def knows(self, session: str) -> bool:
        """Tell whether a session was opened here."""
        return _digest(session) in self._sessions


def _digest(session: str) -> str:
    return hashlib.sha256(session.encode()).hexdigest()
