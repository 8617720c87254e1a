"""The page is built from its source, and is served with headers that let nothing else in."""

import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from avtca.plots.style import LABEL_COLOURS
from avtca.serve.page import router

ROOT = Path(__file__).parents[2]
WEB = ROOT / "web"
STATIC = ROOT / "src" / "avtca" / "serve" / "static"
INPUTS = ("index.html", "package.json", "package-lock.json", "tsconfig.json", "vite.config.ts")


def hash_of(base: Path, paths: Iterable[Path]) -> str:
    """As ``hash`` in web/vite.config.ts."""
    total = hashlib.sha256()
    for name in sorted(path.relative_to(base).as_posix() for path in paths):
        total.update(name.encode() + b"\0" + (base / name).read_bytes() + b"\0")
    return total.hexdigest()


@pytest.fixture(scope="module")
def client() -> TestClient:
    app = FastAPI()
    app.include_router(router)
    return TestClient(app)


def test_the_built_files_are_those_of_the_source() -> None:
    stamp = json.loads((STATIC / "stamp.json").read_text())
    sources = [path for path in (WEB / "src").rglob("*") if path.is_file()]
    built = [path for path in STATIC.rglob("*") if path.is_file() and path.name != "stamp.json"]
    remedy = "run `npm ci && npm run build` in web/ and commit src/avtca/serve/static"
    assert stamp["source"] == hash_of(WEB, [*sources, *(WEB / name for name in INPUTS)]), remedy
    assert stamp["built"] == hash_of(STATIC, built), remedy


def test_the_page_is_small() -> None:
    assert sum(path.stat().st_size for path in STATIC.rglob("*") if path.is_file()) < 200_000


def test_the_page_loads_nothing_from_elsewhere(client: TestClient) -> None:
    answer = client.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "script-src 'self'" in policy
    assert "unsafe" not in policy and "http" not in policy
    for name in re.findall(r'(?:src|href)="([^"]+)"', answer.text):
        assert name.startswith("./"), name
        found = client.get(name.removeprefix("."))
        assert found.status_code == 200, name
        assert found.headers["x-content-type-options"] == "nosniff"


def test_unchanged_files_are_not_sent_again(client: TestClient) -> None:
    first = client.get("/assets/app.js")
    assert first.headers["content-type"].startswith("text/javascript")
    assert first.headers["cache-control"] == "no-cache"
    again = client.get("/assets/app.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    changed = client.get("/assets/app.js", headers={"If-None-Match": '"other"'})
    assert changed.content == first.content


@pytest.mark.parametrize("name", ["../page.py", "..%2fpage.py", "stamp.json", "nothing", "%00"])
def test_no_other_files_are_served(client: TestClient, name: str) -> None:
    assert client.get(f"/assets/{name}").status_code == 404


def test_colours_of_the_page_are_those_of_the_figures() -> None:
    source = (WEB / "src" / "palette.ts").read_text()
    assert dict(re.findall(r'^  (\w+): "(#[0-9a-f]{6})",$', source, re.M)) == LABEL_COLOURS
