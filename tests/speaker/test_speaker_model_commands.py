"""`--speaker-model` of `avtca predict`, `annotate` and `serve`: the same results and errors."""

import json

import pytest
from two_people import beside_a_listener
from typer.testing import CliRunner

import avtca
from avtca.cli import build_app
from avtca.errors import CheckpointError, ConfigError
from avtca.networks import WEIGHTS

FIX = "convert the weights of Light-ASD with experiments/light_asd.py"


@pytest.mark.parametrize("command", ["predict", "annotate", "serve"])
@pytest.mark.parametrize(
    ("file", "problem"),
    [("speaker.json", "it is no ONNX file, or is damaged"), ("gone.onnx", "No such file")],
)
def test_a_wrong_file_is_one_line(shared, tmp_path, monkeypatch, command, file, problem):
    monkeypatch.setenv("AVTCA_SERVE_DATA", str(tmp_path / "data"))
    clip = str(shared / "talking" / "lwbsza.mpg")
    words = {
        "predict": [clip],
        "annotate": [clip, "--out", str(tmp_path / "out")],
        "serve": ["--port", "0"],
    }[command]
    pytest.importorskip({"annotate": "pyarrow", "serve": "fastapi"}.get(command, "avtca"))
    words += ["--speaker-model", str(WEIGHTS / file)]
    error = CliRunner().invoke(build_app(), [command, *words]).exception
    assert isinstance(error, CheckpointError)
    assert problem in str(error) and str(error).endswith(FIX) and "\n" not in str(error)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_annotate_and_serve_give_what_predict_gives(model_file, sample_clips, shared, tmp_path):
    pyarrow = pytest.importorskip("pyarrow.parquet")
    testclient = pytest.importorskip("fastapi.testclient")
    from avtca.annotate import annotate
    from avtca.serve.app import create_app
    from avtca.serve.settings import Settings

    path = beside_a_listener(sample_clips, shared, tmp_path / "two.mp4")
    report = avtca.load(speaker_model=model_file).predict(path, person="all")
    speaker, listener = sorted(report.people, key=lambda one: one.box[0])
    (turn,) = report.speech
    assert turn.person == speaker.number and turn.end_s - turn.start_s > 1.5
    assert all(row.speaking == 0 and row.modalities == ("face",) for row in listener.timeline)
    assert all(row.modalities == ("face", "voice") for row in speaker.timeline)

    out = tmp_path / "out"
    annotate([path], out, jobs=0, person="all", speaker_model=model_file)
    (table,) = (out / "windows").glob("*.parquet")
    found = [row["speaking"] for row in pyarrow.read_table(table).to_pylist()]
    assert found == [row[-1] for row in report.window_rows()]
    assert min(found) == 0 and max(found) > 0.5
    with pytest.raises(ConfigError, match="existing run uses different settings: speaker_model"):
        annotate([path], out, jobs=0, person="all")

    settings = Settings(data=tmp_path / "data", workers=1, shutdown_s=1, speaker_model=model_file)
    with testclient.TestClient(create_app(settings), base_url="http://127.0.0.1") as client:
        sent = {"file": ("two.mp4", path.read_bytes())}
        served = client.post("/v1/recognize?person=all", files=sent).json()
    assert served["speech"] == json.loads(json.dumps([turn.to_dict()]))
    assert [row["speaking"] for row in served["timeline"]] == found
