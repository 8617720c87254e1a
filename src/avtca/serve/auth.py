"""Tokens, and protection from other sites: who may use the service."""

import hashlib
import hmac
import re
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from avtca.serve.problems import problem_response

COOKIE = "avtca_token"
"""Cookie of the page, set by the token form."""
LOCAL = "local"
"""Owner of everything on a service without tokens."""
OPEN_PATHS = ("/healthz", "/readyz", "/login", "/favicon.ico")
"""Paths that need no token."""
LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
"""Hosts by which a service without tokens is addressed. A page elsewhere could give its own name
the address 127.0.0.1 (DNS rebinding)."""
_PORT = re.compile(r":\d*$")
SAFE = ("GET", "HEAD", "OPTIONS")


class Tokens:
    """The tokens, by owner.

    Args:
        tokens: The tokens; empty for a service for this machine alone.
    """

    def __init__(self, tokens: Iterable[str]) -> None:
        self._owners = {each: hashlib.sha256(each.encode()).hexdigest()[:16] for each in tokens}

    def __bool__(self) -> bool:
        return bool(self._owners)

    def owner(self, token: str | None) -> str | None:
        """The owner of a token, ``None`` if it is none of the tokens."""
        if not self._owners:
            return LOCAL
        found = None
        for each, owner in self._owners.items():  # all of them, so that the time tells nothing
            if hmac.compare_digest(each.encode(), (token or "").encode()):
                found = owner
        return found


class Auth:
    """Middleware that gives each request an owner, ``request.state.owner``, or refuses it.

    Args:
        app: The application.
        tokens: The tokens.
    """

    def __init__(self, app: ASGIApp, tokens: Tokens) -> None:
        self.app, self.tokens = app, tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        refusal = self._check(scope)
        if refusal is None:
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": "not allowed"})
        else:
            await refusal(scope, receive, send)

    def _check(self, scope: Scope) -> Response | None:
        headers, path = Headers(scope=scope), scope["path"]
        state = scope.setdefault("state", {})
        instance = state.get("request_id", "")
        bearer = _bearer(headers)
        if not self.tokens and _host(headers) not in LOOPBACK_NAMES:
            text = "use the service: it has no tokens, and answers to 127.0.0.1 or localhost only"
            return problem_response(
                403, f"{text}; use such an address, or start it with --token", instance
            )
        changes = scope["type"] == "websocket" or scope["method"] not in SAFE
        if changes and bearer is None and is_foreign(headers):
            text = (
                "use the service: the request comes from a page of another site; open its own page"
            )
            return problem_response(403, text, instance)
        token = bearer or _cookie(headers)
        if scope["type"] == "websocket" and token is None:
            token = parse_qs(scope["query_string"].decode("latin-1")).get("token", [None])[0]
        owner = self.tokens.owner(token)
        state["owner"] = owner
        if owner is not None or path in OPEN_PATHS:
            return None
        if path == "/" and "text/html" in headers.get("accept", ""):
            return RedirectResponse("/login", 303)
        known = "unknown" if token else "missing"
        text = f"use the service: the token is {known}; send Authorization: Bearer TOKEN"
        return problem_response(401, text, instance, {"WWW-Authenticate": "Bearer"})


def is_foreign(headers: Headers) -> bool:
    """Whether a browser sent the request for a page of another site."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None and site not in ("same-origin", "none"):
        return True
    return origin is not None and urlsplit(origin).netloc != headers.get("host", "")


def _bearer(headers: Headers) -> str | None:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _cookie(headers: Headers) -> str | None:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    return found.value if found else None


def _host(headers: Headers) -> str:
    return _PORT.sub("", headers.get("host", "").lower())
