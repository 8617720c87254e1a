"""Every problem reads like a line of the command line: action, problem and fix."""

import re

import pytest
from pydantic import TypeAdapter, ValidationError

from avtca.errors import ConfigError
from avtca.serve.invalid import invalid
from avtca.serve.live_messages import LiveError, parse_text
from avtca.serve.problems import in_words_of_http
from avtca.serve.settings import Settings, load_settings, read_tokens

LINE = re.compile(r"[a-z][^:;\n]+: [^;\n]+; [^;\n]+")
"""Action, problem and fix, on one line."""
JSON = {"Content-Type": "application/json"}
TIER = {"name": "A", "intervals": []}
EXPORT, AGREEMENT = "/v1/coding/export?format=eaf", "/v1/coding/agreement"
WHOLE = '{"media": "a", "duration_s": null, "tiers": []}'


def coding(**values):
    return {"json": {"media": "a", "duration_s": None, "tiers": [], **values}}


def compared(**values):
    return {"json": {"first": TIER, "second": TIER, **values}}


CASES = [
    # The address
    ("GET", "/nope", {}, 404, "find /nope: there is no such address; see /openapi.json"),
    ("GET", "/assets/x.js", {}, 404, "find /assets/x.js: there is no such address; see"),
    ("GET", "/v1/jobs/x", {}, 404, "find job x: there is none, or it expired; see /v1/jobs"),
    ("DELETE", "/v1/models", {}, 405, "send DELETE /v1/models: it takes GET only; see"),
    ("PUT", "/v1/jobs/x", {}, 405, "send PUT /v1/jobs/x: it takes GET, DELETE only; see"),
    # Values of the query
    ("POST", "/v1/recognize?start_s=x", {}, 422, "read the request: start_s is x; give a number"),
    ("POST", "/v1/jobs?start_s=", {}, 422, "read the request: start_s is empty; give a number"),
    ("POST", "/v1/jobs?start_s=-1", {}, 422, "read the request: start_s is -1; give at least 0"),
    ("POST", "/v1/jobs?end_s=0", {}, 422, "read the request: end_s is 0; give more than 0"),
    (
        *("POST", "/v1/jobs?person=both", {}, 422),
        "read the request: person is both; choose main, all or speaker",
    ),
    (
        *("POST", "/v1/jobs?attention=maybe", {}, 422),
        "read the request: attention is maybe; give true or false",
    ),
    (
        *("POST", "/v1/jobs?windows=2", {}, 422),
        "read the request: windows is unknown; correct the name, or leave it out",
    ),
    (
        *("POST", f"/v1/jobs?person={'x' * 500}%0a", {}, 422),
        f"read the request: person is {'x' * 40}...; choose main, all or speaker",
    ),
    (
        *("POST", "/v1/recognize?window_s=9", {}, 422),
        "use windows of 9 s: this network takes 0.1 to 3.6 s; choose window_s in that range",
    ),
    ("POST", "/v1/recognize?attention=1", {}, 422, "show attention: "),
    ("POST", "/v1/recognize?merge=a", {}, 422, "merge 'a': it is not A=B; write two person"),
    ("POST", "/v1/recognize?format=doc", {}, 422, "write doc: no such format; choose one of json"),
    # Bodies
    ("POST", "/v1/recognize", {}, 422, "read the request: there is no file; send it as the"),
    ("POST", "/v1/jobs?name=a.mp4", {}, 422, "read a.mp4: the file is empty; export or copy it"),
    (
        *("POST", "/v1/jobs", {"headers": {"Content-Type": "multipart/form-data"}}, 400),
        "read the multipart body: it is damaged (",
    ),
    ("POST", "/login", {"content": b"x" * 5000}, 413, "read the token: the form is larger than"),
    ("POST", "/v1/recognize", {"headers": {"Accept": "image/png"}}, 406, "write image/png: no"),
    # JSON
    (
        *("POST", EXPORT, {"content": "{", "headers": JSON}, 422),
        "read the request: the body is no JSON (Expecting property name enclosed in double "
        "quotes at character 1); send valid JSON",
    ),
    (
        *("POST", EXPORT, {"content": b"\xff\xfe", "headers": JSON}, 422),
        "read the request: the body is no JSON (",
    ),
    (
        *("POST", EXPORT, {"content": "[" * 100_000, "headers": JSON}, 400),
        "read the request: the body is damaged; send valid JSON",
    ),
    ("POST", EXPORT, {"headers": JSON}, 422, "read the request: the body is missing; send JSON"),
    ("POST", EXPORT, {"json": [1]}, 422, "read the request: the body is a list; give an object"),
    (
        *("POST", EXPORT, {"content": WHOLE}, 415),
        "read the coding: its Content-Type is missing; send application/json",
    ),
    (
        *("POST", EXPORT, {"content": WHOLE, "headers": {"Content-Type": "text/plain"}}, 415),
        "read the coding: its Content-Type is text/plain; send application/json",
    ),
    (
        *("POST", EXPORT, {"content": " " * (2**24 + 1), "headers": JSON}, 413),
        "read the coding: it is over 16 MB; send fewer tiers at a time",
    ),
    ("POST", EXPORT, coding(media=1), 422, "read the request: media is 1; give text"),
    ("POST", EXPORT, coding(tiers={}), 422, "read the request: tiers is an object; give a list"),
    ("POST", EXPORT, coding(tiers=[5]), 422, "read the request: tiers[0] is 5; give an object"),
    (
        *("POST", EXPORT, coding(tiers=[{"name": "A"}]), 422),
        "read the request: tiers[0].intervals is missing; send tiers[0].intervals",
    ),
    (
        *("POST", EXPORT, coding(tiers=[TIER | {"intervals": [{"start_s": "a"}]}]), 422),
        "read the request: tiers[0].intervals[0].start_s is a; give a number",
    ),
    (
        *("POST", EXPORT, coding(tiers=[TIER | {"intervals": [{"start_s": 2, "end_s": 1}]}]), 422),
        "export to eaf: the range of tier A from 2 to 1 s has no length; correct its times",
    ),
    (
        *("POST", "/v1/coding/export", coding(), 422),
        "read the request: format is missing; send format",
    ),
    (
        *("POST", AGREEMENT, compared(exclude=[[1, -1]]), 422),
        "read the request: exclude[0][1] is -1; give at least 0",
    ),
    (
        *("POST", AGREEMENT, compared(exclude=[[1, 2, 3]]), 422),
        "read the request: exclude[0] is too long; give at most 2 values",
    ),
    (
        *("POST", AGREEMENT, compared(exclude=[[2, 1]]), 422),
        "compare the tiers: the excluded range from 2 to 1 s has no length; correct its times",
    ),
    # Others
    (
        *("GET", "/v1/models", {"headers": {"Host": "evil.example"}}, 403),
        "use the service: it has no tokens, and answers to 127.0.0.1 or localhost only; use",
    ),
    (
        *("POST", "/v1/jobs", {"headers": {"Origin": "http://evil.example"}}, 403),
        "use the service: the request comes from a page of another site; open its own page",
    ),
]


@pytest.mark.parametrize(("method", "path", "arguments", "status", "text"), CASES)
def test_problems_of_requests(client, method, path, arguments, status, text):
    answer = client.request(method, path, **arguments)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    detail = answer.json()["detail"]
    assert detail.startswith(text)
    assert LINE.fullmatch(detail), detail
    assert len(detail) < 400
    assert status != 405 or answer.headers["allow"] == detail[detail.index("GET") : -24]


def test_problems_of_tokens_and_of_a_full_service(make_client, tmp_path):
    file = tmp_path / "tokens"
    file.write_text("a" * 32)
    client = make_client(token_file=file, max_queue=0, max_jobs=1)
    for headers, word in (({}, "missing"), ({"Authorization": "Bearer x"}, "unknown")):
        answer = client.get("/v1/models", headers=headers)
        text = f"use the service: the token is {word}; send Authorization: Bearer TOKEN"
        assert (answer.status_code, answer.json()["detail"]) == (401, text)
    known = {"Authorization": "Bearer " + "a" * 32}
    service, owner = client.app.state.service, client.app.state.owner_of("a" * 32)
    for own, others, status, text in (
        (0, 1, 503, "recognise: all 1 places are taken; try again later"),
        (1, -1, 429, "recognise: 1 recordings of this token wait or are read; try again when"),
    ):
        service._active.update({owner: own, "other": others})
        answer = client.post("/v1/jobs?name=a.mp4", content=b"x", headers=known)
        assert answer.status_code == status and answer.json()["detail"].startswith(text)
        assert LINE.fullmatch(answer.json()["detail"]) and int(answer.headers["retry-after"]) >= 1
        service._active.clear()


@pytest.mark.parametrize(
    ("message", "code", "text"),
    [
        ("{", "bad_message", "read a message: the message is no JSON (EOF while parsing an"),
        ("{}", "bad_message", "read a message: the message has no type; send one"),
        (
            '{"type": "x"}',
            "bad_message",
            "read a message: its type is x; choose one of session.create, session.update, finalize",
        ),
        ('{"type": "finalize", "a": 1}', "bad_message", "read a message: a is unknown; correct"),
        (
            '{"type": "session.create", "session": {"every_s": 0}}',
            "bad_settings",
            "read a message: session.every_s is 0; give at least 0.1",
        ),
    ],
)
def test_problems_of_live_messages(message, code, text):
    with pytest.raises(LiveError) as error:
        parse_text(message)
    assert error.value.code == code and str(error.value).startswith(text)


def test_problems_of_settings(tmp_path):
    file = tmp_path / "serve.toml"
    for content, text in (
        ("prot = 1", "prot is unknown; correct the name, or leave it out"),
        ("port = 'a'", "port is a; give a whole number"),
        ("port = 70000", "port is 70000; give at most 65535"),
        ("max_mb = inf", "max_mb is inf; give a number"),
    ):
        file.write_text(content)
        with pytest.raises(ConfigError) as error:
            load_settings(file)
        assert f"{file}: {text}" in str(error.value)


def test_files_that_are_missing(tmp_path):
    path = tmp_path / "none"
    for read, action in (
        (lambda: load_settings(path), "read the settings in"),
        (lambda: read_tokens(Settings(token_file=path)), "read the tokens in"),
    ):
        with pytest.raises(ConfigError) as error:
            read()
        assert str(error.value).startswith(f"{action} {path}: no such file or directory; ")


def test_an_error_of_another_kind_keeps_its_text():
    with pytest.raises(ValidationError) as error:
        TypeAdapter(bytes).validate_python(1)
    assert invalid(error.value.errors()[0]) == (
        "the body: Input should be a valid bytes",
        "see /openapi.json",
    )


def test_options_have_their_names_over_http():
    text = "choose --window or --hop, --model avt-ca, --person all; start it with --token"
    changed = "choose window_s or hop_s, model=avt-ca, person=all; start it with --token"
    assert in_words_of_http(text) == changed
