"""Everything between a request and the pages: Host, method, session, and the headers of answers."""

from __future__ import annotations

from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

from nucleate.views.page.doors import Doors

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""Only the page's own script and style act; nothing inline does, nothing comes from elsewhere."""

HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
}

WORDS = {
    400: "This server does not answer to that name.",
    403: "Open the address that nucleate printed in your terminal: it holds a token, once.",
    405: "This page only shows; it changes nothing.",
}


class Guard:
    """ASGI middleware that lets in only who came by the printed address, and only to look.

    Args:
        app: The pages.
        doors: Who may come in.
        entered: Called when a token was used, so that a new address can be printed.
    """

    def __init__(self, app: ASGIApp, doors: Doors, entered: Callable[[], None] | None = None):
        self._app, self._doors, self._entered = app, doors, entered

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, exchange a token for a session, or pass on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # a WebSocket: nothing here speaks it
            await send({"type": "websocket.close", "code": 1008})
            return
        status = self._refusal(scope)
        if status:
            await _answer(send, status, scope["method"])
            return
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        token = next((value for key, value in query if key == "token"), None)
        if token is not None:
            await self._exchange(scope, send, token, [pair for pair in query if pair[0] != "token"])
            return
        if not self._doors.knows(_cookie(scope)):
            await _answer(send, 403, scope["method"])
            return
        await self._app(scope, receive, _with_headers(send))

    def _refusal(self, scope: Scope) -> int:
        hosts = _header(scope, b"host")
        if len(hosts) != 1 or not self._doors.answers_to(hosts[0]):
            return 400
        if scope["method"] not in ("GET", "HEAD"):
            return 405
        if _header(scope, b"sec-fetch-site") == ["cross-site"] and _header(
            scope, b"sec-fetch-mode"
        ) != ["navigate"]:
            return 403
        return 0

    async def _exchange(
        self, scope: Scope, send: Send, token: str, rest: list[tuple[str, str]]
    ) -> None:
        """Give a session for the token, and an address without it, whatever the token was."""
        known = self._doors.knows(_cookie(scope))
        session = None
        if scope["method"] == "GET" and not known:
            session = self._doors.enter(token)
        if session is None and not known:
            await _answer(send, 403, scope["method"])
            return
        # A path that begins with two slashes would lead to another host.
        path = "/" + scope["path"].lstrip("/\\")
        target = _quoted(path) + (f"?{urlencode(rest)}" if rest else "")
        headers = {"location": target}
        if session:
            headers["set-cookie"] = (
                f"{cookie_name(scope)}={session}; HttpOnly; SameSite=Strict; Path=/"
            )
        await _answer(send, 303, scope["method"], headers)
        if session and self._entered:
            self._entered()


def cookie_name(scope: Scope) -> str:
    """Return the cookie of a server; cookies do not know ports, so its port is in the name."""
    server = scope.get("server")
    return f"nucleate_{server[1] if server and server[1] else 0}"


def _cookie(scope: Scope) -> str:
    wanted = cookie_name(scope)
    for header in _header(scope, b"cookie"):
        try:
            found = SimpleCookie(header).get(wanted)
        except CookieError:
            continue
        if found:
            return found.value
    return ""


def _header(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]


def _quoted(path: str) -> str:
    from urllib.parse import quote

    return quote(path, safe="/:@-._~!$&'()*+,;=")


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = {key.lower() for key, _ in message.get("headers", ())}
            message["headers"] = [
                *message.get("headers", ()),
                *((k.encode(), v.encode()) for k, v in HEADERS.items() if k.encode() not in own),
            ]
        await send(message)

    return sending


async def _answer(
    send: Send, status: int, method: str, extra: dict[str, str] | None = None
) -> None:
    """Send a short answer in plain text with all headers."""
    body = (WORDS.get(status, "") + "\n").encode()
    headers = {**HEADERS, "content-type": "text/plain; charset=utf-8", **(extra or {})}
    headers["content-length"] = str(len(body))
    if status == 405:
        headers["allow"] = "GET, HEAD"
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(key.encode(), value.encode("latin-1")) for key, value in headers.items()],
        }
    )
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else body})
