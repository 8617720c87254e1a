"""Who may use the service: tokens, the cookie of the page, and pages of other sites."""

import pytest
from starlette.websockets import WebSocketDisconnect

from avtca.errors import ConfigError
from avtca.serve.settings import Settings, load_settings, read_tokens

ONE, OTHER = "a" * 32, "b" * 32


@pytest.fixture(scope="module")
def client(make_client, tmp_path_factory):
    """A client of a service with two tokens."""
    file = tmp_path_factory.mktemp("tokens") / "tokens"
    file.write_text(f"# of the lab\n{ONE}\n\n{OTHER}\n")
    return make_client(token_file=file)


@pytest.fixture(autouse=True)
def no_cookies(client):
    client.cookies.clear()


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def test_a_token_is_needed(client):
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").status_code in (200, 503)
    for headers, word in (({}, "missing"), (bearer("c" * 32), "unknown"), (bearer(""), "missing")):
        for path in ("/v1/models", "/v1/jobs", "/metrics", "/openapi.json", "/"):
            answer = client.get(path, headers=headers)
            assert answer.status_code == 401 and word in answer.json()["detail"]
            assert answer.headers["www-authenticate"] == "Bearer"
    assert client.get("/v1/models", headers=bearer(OTHER)).status_code == 200


def test_jobs_of_another_token_do_not_exist(client, finished):
    body = {"params": {"name": "a.mp4"}, "content": b"no media"}
    job = client.post("/v1/jobs", **body, headers=bearer(ONE)).json()
    place = f"/v1/jobs/{job['id']}"
    for method, path in (
        ("GET", place),
        ("DELETE", place),
        *(("GET", f"{place}/{part}") for part in ("events", "report", "track", "attention")),
    ):
        assert client.request(method, path, headers=bearer(OTHER)).status_code == 404
    assert client.get("/v1/jobs", headers=bearer(OTHER)).json() == {"jobs": []}
    assert client.get(place, headers=bearer(ONE)).status_code == 200


def test_the_form_sets_a_cookie_for_the_page(client):
    answer = client.get("/", headers={"Accept": "text/html"}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    policy = client.get("/login").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    wrong = client.post("/login", data={"token": "c" * 32})
    assert wrong.status_code == 401 and "unknown" in wrong.text and not client.cookies
    answer = client.post("/login", data={"token": ONE}, follow_redirects=False)
    assert answer.headers["location"] == "/"
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie
    assert client.get("/v1/models").status_code == 200
    assert client.post("/logout", follow_redirects=False).status_code == 303
    assert client.get("/v1/models").status_code == 401
    assert client.post("/login", content=b"x" * 5000).status_code == 413


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1"},
    ],
)
def test_another_site_cannot_use_the_cookie(client, headers):
    client.cookies.set("avtca_token", ONE)
    for method, path in (("POST", "/v1/recognize"), ("DELETE", "/v1/jobs/x"), ("POST", "/login")):
        answer = client.request(method, path, headers=headers, content=b"x")
        assert answer.status_code == 403 and "another site" in answer.json()["detail"]
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/v1/live", headers=headers):
        pass
    same = {"Origin": "http://127.0.0.1", "Sec-Fetch-Site": "same-origin"}
    assert client.delete("/v1/jobs/x", headers=same).status_code == 404
    assert client.delete("/v1/jobs/x", headers=headers | bearer(ONE)).status_code == 404


def test_a_service_without_tokens_answers_to_its_own_names_only(make_client):
    client = make_client()
    for host in ("127.0.0.1:8000", "localhost", "[::1]:8000", "LOCALHOST:1"):
        assert client.get("/healthz", headers={"Host": host}).status_code == 200
    for host in ("evil.example", "127.0.0.1.evil.example", "127.0.0.1:80.evil.example"):
        assert client.get("/healthz", headers={"Host": host}).status_code == 403


def test_other_machines_need_a_token(tmp_path):
    with pytest.raises(ConfigError, match=r"listen on 0\.0\.0\.0: without a token everyone"):
        read_tokens(Settings(host="0.0.0.0"))
    assert read_tokens(Settings(host="::1")) == ()
    file = tmp_path / "tokens"
    for text, problem in (
        ("", "there is none"),
        ("short", "1 of 1 are shorter"),
        ("ä" * 20, "codec can"),
    ):
        file.write_text(text)
        with pytest.raises(ConfigError, match=problem):
            read_tokens(Settings(host="0.0.0.0", token_file=file))
    file.write_text(ONE)
    assert read_tokens(Settings(host="0.0.0.0", token_file=file)) == (ONE,)


def test_settings_come_from_arguments_environment_and_file(tmp_path, monkeypatch):
    file = tmp_path / "serve.toml"
    file.write_text('port = 9000\nworkers = 3\nmax_mb = 10\nmodel = "avt-ca"\n')
    monkeypatch.setenv("AVTCA_SERVE_WORKERS", "4")
    monkeypatch.setenv("AVTCA_SERVE_MAX_MB", "20")
    found = load_settings(file, max_mb=30, model=None)
    assert (found.port, found.workers, found.max_mb, found.model) == (9000, 4, 30, "avt-ca")
    file.write_text("prot = 9000\n")
    with pytest.raises(ConfigError, match=r"serve\.toml: prot is unknown"):
        load_settings(file)
    file.write_text("port =")
    with pytest.raises(ConfigError, match="correct the file"):
        load_settings(file)
