"""The page at ``/``: files of ``static/``, which ``npm run build`` makes from ``web/``."""

import hashlib
import mimetypes
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from fastapi import APIRouter, HTTPException, Request, Response

router = APIRouter(include_in_schema=False)

CSP = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ]
)
"""Nothing of another host, and no script or style inside HTML; ``blob:`` is the user's own file."""

HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(self), geolocation=()",
    "Cache-Control": "no-cache",  # kept by the browser, and compared by its ETag
}


class Asset(NamedTuple):
    """A built file."""

    content: bytes
    media_type: str
    etag: str


@router.api_route("/", methods=["GET", "HEAD"])
def index(request: Request) -> Response:
    """The page itself."""
    return _send(request, "index.html")


@router.api_route("/assets/{name}", methods=["GET", "HEAD"])
def asset(request: Request, name: str) -> Response:
    """A script, style sheet or icon of the page."""
    return _send(request, f"assets/{name}")


@cache
def assets() -> dict[str, Asset]:
    """The built files, by path below ``static``; requests are looked up here and open no file."""
    root = files("avtca.serve") / "static"
    found = {}
    for folder, prefix in ((root, ""), (root / "assets", "assets/")):
        for entry in folder.iterdir():
            if entry.is_file() and entry.name != "stamp.json":
                content = entry.read_bytes()
                kind = "text/javascript" if entry.name.endswith(".js") else None
                kind = kind or mimetypes.guess_type(entry.name)[0] or "application/octet-stream"
                kind += "; charset=utf-8" if kind.startswith("text/") else ""
                etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
                found[prefix + entry.name] = Asset(content, kind, etag)
    return found


def _send(request: Request, name: str) -> Response:
    found = assets().get(name)
    if found is None:
        raise HTTPException(404)
    headers = {**HEADERS, "ETag": found.etag}
    known = request.headers.get("if-none-match", "")
    if found.etag in [tag.strip().removeprefix("W/") for tag in known.split(",")]:
        return Response(status_code=304, headers=headers)
    return Response(found.content, headers=headers, media_type=found.media_type)
