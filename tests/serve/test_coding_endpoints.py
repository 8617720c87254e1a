"""`/v1/coding`: files out and in, agreement, limits; what evaluate and finetune read of it."""

import shutil

import pytest
from fastapi.testclient import TestClient

from avtca.clipspec import ClipSpec
from avtca.corpora.folder import index_folder
from avtca.serve.app import create_app
from avtca.serve.settings import Settings

TIERS = [
    {
        "name": "Anna",
        "intervals": [
            {"start_s": 0.2, "end_s": 1.04, "label": "anger"},
            {"start_s": 1.04, "end_s": 1.2, "label": "exclude"},
            {"start_s": 1.2, "end_s": 2.0, "label": "neutral"},
        ],
        "coder": "Anna",
        "participant": "1001",
        "notes": "coded blind",
    },
    {
        "name": "Bert",
        "intervals": [{"start_s": 0.0, "end_s": 2.0, "label": "angry"}],
        "coder": "",
        "participant": "",
        "notes": "",
    },
]
CODING = {"media": "clip.flv", "duration_s": 2.2, "tiers": TIERS, "labels": ["angry", "neutral"]}


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    app = create_app(Settings(data=tmp_path_factory.mktemp("data")))
    with TestClient(app, base_url="http://127.0.0.1") as client:
        yield client


def exported(client, form, coding=CODING):
    answer = client.post(f"/v1/coding/export?format={form}", json=coding)
    assert answer.status_code == 200, answer.text
    return answer


@pytest.mark.parametrize(
    ("form", "name", "kind"),
    [
        ("eaf", "clip.eaf", "application/eaf+xml"),
        ("textgrid", "clip.TextGrid", "text/x-textgrid"),
        ("vtt", "clip.vtt", "text/vtt"),
        ("csv", "clip.csv", "text/csv"),
        ("json", "clip.json", "application/json"),
    ],
)
def test_a_file_comes_back(client, form, name, kind):
    answer = exported(client, form)
    assert answer.headers["content-type"].partition(";")[0] == kind
    assert answer.headers["content-disposition"] == f"attachment; filename*=UTF-8''{name}"
    read = client.post("/v1/coding/import", files={"file": (name, answer.content)})
    assert read.status_code == 200, read.text
    tiers = read.json()["tiers"]
    if form in ("eaf", "json"):
        assert tiers == TIERS
    found = {one["name"]: [[*x.values()] for x in one["intervals"]] for one in tiers}
    wanted = {one["name"]: [[*x.values()] for x in one["intervals"]] for one in TIERS}
    if form == "csv":
        wanted["Anna"].pop(1)
    assert found == wanted
    assert exported(client, form, CODING | {"tiers": tiers}).status_code == 200
    raw = client.post(f"/v1/coding/import?name={name}", content=answer.content)
    assert raw.json() == read.json()


def test_agreement(client):
    body = {"first": TIERS[0], "second": TIERS[1], "exclude": [[0, 0.3], [1.9, 5]]}
    found = client.post("/v1/coding/agreement", json=body).json()
    # 0.3 to 1.04 s angry for both, 1.2 to 1.9 s neutral for the first alone.
    assert found["kappa"] == pytest.approx(0.0)
    assert found["agreed_s"] == pytest.approx(0.74) and found["compared_s"] == pytest.approx(1.44)
    assert found["per_label"]["angry"] == {
        "kappa": pytest.approx(0.0),
        "first_s": 0.74,
        "second_s": 1.44,
        "both_s": 0.74,
    }
    body = {"first": TIERS[1], "second": TIERS[1]}
    assert client.post("/v1/coding/agreement", json=body).json()["kappa"] is None


@pytest.mark.parametrize(
    ("path", "arguments", "status", "text"),
    [
        (
            "import",
            {"files": {"file": ("../x.eaf", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>")}},
            422,
            "read x.eaf: it is no eaf file, or is damaged; export it again",
        ),
        ("import?name=x.mp4", {"content": b"x"}, 422, "read x.mp4: its format is unknown; give"),
        ("import", {"files": {"other": ("x.eaf", b"x")}}, 422, "read the request: there is no"),
        ("import?name=x.csv", {"content": b"a" * 2**24 + b"b"}, 413, "receive the upload: it is"),
        ("export?format=json", {"content": b" " * (2**24 + 1)}, 413, "read the coding: it is over"),
        ("export?format=doc", {"json": CODING}, 422, "read the request: format is doc; choose eaf"),
        (
            "export?format=eaf",
            {"json": {"media": "a"}},
            422,
            "read the request: duration_s is missing; send",
        ),
        (
            "export?format=eaf",
            {"json": CODING | {"tiers": [TIERS[0], TIERS[0]]}},
            422,
            "export to eaf: two tiers are called Anna; give each tier another name",
        ),
        ("agreement", {"content": b"[" * 100_000}, 400, ""),
    ],
)
def test_problems(client, path, arguments, status, text):
    if "content" in arguments and not path.startswith("import"):
        arguments = arguments | {"headers": {"content-type": "application/json"}}
    answer = client.post(f"/v1/coding/{path}", **arguments)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"].startswith(text)
    assert not list(client.app.state.spool.iterdir())


@pytest.mark.parametrize(("form", "tier"), [("eaf", "Anna"), ("eaf", None), ("csv", None)])
def test_evaluate_and_finetune_read_what_was_coded(client, corpora, tmp_path, form, tier):
    """The samples of both commands are the coded ranges, without those that are left out."""
    shutil.copy(corpora / "cremad" / "1001_DFA_ANG_XX.flv", tmp_path / "clip.flv")
    coding = CODING | {"tiers": [TIERS[0] | {"name": "Anna@1001"}]}
    path = tmp_path / f"clip.{form}"
    path.write_bytes(exported(client, form, coding).content)
    index = index_folder(path, ClipSpec(), tier)
    assert not index.problems
    assert [(one.label, one.start_s, one.end_s, one.speaker) for one in index.sources] == [
        ("angry", 0.2, 1.04, "1001"),
        ("neutral", 1.2, 2.0, "1001"),
    ]
    assert {one.video for one in index.sources} == {tmp_path / "clip.flv"}
