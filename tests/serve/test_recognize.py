"""`POST /v1/recognize`: the report of the command line, in every format, and its errors."""

import json

import avtca

CLIP = "cremad/1001_DFA_ANG_XX.flv"


def test_the_report_is_that_of_the_library(client, corpora):
    clip = corpora / CLIP
    expected = avtca.load().predict(clip).to_dict() | {"file": clip.name}
    with clip.open("rb") as file:
        answer = client.post("/v1/recognize", files={"file": (f"../../{clip.name}", file)})
    assert answer.status_code == 200, answer.text
    assert answer.json() == json.loads(json.dumps(expected))
    body = clip.read_bytes()
    raw = client.post(f"/v1/recognize?name={clip.name}", content=body)
    assert raw.json() == answer.json()
    assert not list(client.app.state.service.spool.iterdir())


def test_an_error_is_a_problem_with_the_text_of_the_command_line(client):
    answer = client.post("/v1/recognize?name=a.mp4", content=b"no media at all")
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["instance"] == answer.headers["x-request-id"]
    assert problem["status"] == 422 and problem["title"].startswith("Unprocessable")


def test_the_models(client):
    models = {each["name"]: each for each in client.get("/v1/models").json()["models"]}
    assert [models[name]["default"] for name in ("default", "avt-ca")] == [True, False]
    assert [models[name]["attention"] for name in ("default", "avt-ca")] == [False, True]
    assert "happy" in models["default"]["labels"]
