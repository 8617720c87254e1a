"""`POST /v1/recognize`: the report of the command line, in every format, and its errors."""

import json

import pytest
from reappearance import Shot, make_film

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


@pytest.mark.slow
def test_who_speaks_and_persons_who_are_one(client, shared, tmp_path, finished):
    """The options of the command line, and what it says of pairs that cannot be."""
    talking = shared / "talking"
    shots = [Shot(talking / "bbaf2n.mpg"), Shot(talking / "01-01-01-01-01-02-01.mp4")]
    film = make_film(tmp_path / "film.mp4", shots)
    body = film.read_bytes()

    def answer(query, path="/v1/recognize"):
        return client.post(f"{path}?name=film.mp4&{query}", content=body)

    for options, query in (
        ({"person": "speaker"}, "person=speaker"),
        ({"person": "all", "merge": [(1, 0)]}, "person=all&merge=1=0&merge=0%3D1"),
    ):
        expected = avtca.load().predict(film, **options).to_dict() | {"file": film.name}
        assert answer(query).json() == json.loads(json.dumps(expected))
    job = answer("person=all&merge=1=0", "/v1/jobs").json()
    assert (job["model"], job["person"], job["merge"]) == ("default", "all", ["1=0"])
    assert finished(client, job["id"])["merge"] == ["1=0"]
    track = client.get(f"/v1/jobs/{job['id']}/track").json()
    assert [face["person"] for face in track["faces"]] == [0]
    for query, text in (
        ("merge=1", "merge '1': it is not A=B; write two person numbers: "),
        ("merge=1=0&merge=0%3Db", "merge '0=b': it is not A=B; "),
        ("merge=9=0", "merge person 9: there is none: the persons are 0, 1; "),
    ):
        refused = answer(query)
        assert refused.status_code == 422
        assert refused.json()["detail"].startswith(text)
    refused = answer("person=nobody")
    assert refused.status_code == 422 and "main, all or speaker" in refused.json()["detail"]


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
