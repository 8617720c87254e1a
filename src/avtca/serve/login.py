"""The token form of the page, which sets a cookie."""

import asyncio
from html import escape
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from avtca.serve.auth import COOKIE
from avtca.serve.problems import Problem

MAX_FORM_BYTES = 4096
WRONG_S = 1.0
"""Pause after a wrong token, which slows down guessing."""
KEEP_S = 30 * 86_400
"""Seconds for which a browser keeps the cookie."""
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'"
)
_FORM = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>avtca: token</title>
<style>
:root {{ color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }}
main {{ max-width: 24rem; margin: 15vh auto; padding: 0 1rem }}
input, button {{ font: inherit; padding: .5rem; width: 100%; box-sizing: border-box }}
button {{ margin-top: 1rem }}
</style>
</head>
<body>
<main>
<h1>avtca</h1>
<form method="post" action="/login">
<p><label for="token">Token of this service</label></p>
<p><input id="token" name="token" type="password" autocomplete="current-password" required
autofocus{described}></p>
{note}<button>Continue</button>
</form>
</main>
</body>
</html>
"""
router = APIRouter(include_in_schema=False)


@router.get("/login")
async def form() -> Response:
    """The form."""
    return _page("", 200)


@router.post("/login")
async def login(request: Request) -> Response:
    """Set the cookie of a known token, and open the page."""
    body = b""
    async for block in request.stream():
        body += block
        if len(body) > MAX_FORM_BYTES:
            text = f"read the token: the form is larger than {MAX_FORM_BYTES} bytes"
            raise Problem(413, f"{text}; send the token alone")
    token = parse_qs(body.decode("latin-1")).get("token", [""])[0].strip()
    if request.app.state.owner_of(token) is None:
        await asyncio.sleep(WRONG_S)
        return _page("The token is unknown. It is a line of the file of --token.", 401)
    response = RedirectResponse("/", 303)
    response.set_cookie(
        COOKIE,
        token,
        max_age=KEEP_S,
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return response


@router.post("/logout")
async def logout() -> Response:
    """Delete the cookie."""
    response = RedirectResponse("/login", 303)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response


def _page(note: str, status: int) -> Response:
    shown = f'<p id="note" role="alert">{escape(note)}</p>\n' if note else ""
    described = ' aria-describedby="note" aria-invalid="true"' if note else ""
    text = _FORM.format(note=shown, described=described)
    return HTMLResponse(text, status, {"Content-Security-Policy": _POLICY})
