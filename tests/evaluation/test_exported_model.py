"""An exported model on labelled clips: as the recognizer and a fine-tuning's "before" have it."""

import csv
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import avtca
from avtca.corpora import build_cache
from avtca.corpora.folder import index_folder
from avtca.errors import CheckpointError, ClipSpecMismatch, ConfigError, LeakError
from avtca.evaluation.evaluate import evaluate_model
from avtca.evaluation.evaluated_model import EvaluatedModel
from avtca.evaluation.open_model import _card, open_model
from avtca.evaluation.predictions import Predictions
from avtca.finetune.clips import find_clips, read_clips
from avtca.finetune.initial import load_initial_model
from avtca.finetune.protocol import predict_before
from avtca.model import Card
from avtca.model.lineage import trained_on
from avtca.runtime.bundle import PACKAGED, read_bundle
from avtca.synthetic.corpus import synth_clip

pytestmark = pytest.mark.slow


LABELS = ("happy", "sad")
PEOPLE = ("ann", "bob")


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CSV of four clips, one more with a label that the model does not say, and a broken one."""
    root = tmp_path_factory.mktemp("clips")
    rows = [("path", "label", "speaker")]
    for number, who in enumerate(PEOPLE, 1):
        for label in LABELS:
            name = f"{who}_{label}.mp4"
            sizes = {"seconds": 4.5, "size": (320, 240), "fps": 10}
            synth_clip(root / name, emotion=label, speaker=number, seed=0, **sizes)
            rows.append((name, label, who))
    (root / "bored.mp4").write_bytes((root / "ann_sad.mp4").read_bytes())
    (root / "broken.mp4").write_text("no film")
    rows += [("bored.mp4", "boredom", "ann"), ("broken.mp4", "sad", "bob")]
    with (root / "clips.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return root / "clips.csv"


@pytest.fixture(scope="module")
def system(clips: Path) -> EvaluatedModel:
    return open_model(PACKAGED, clips, clips.parent / "read")


def test_answers_are_those_of_the_recognizer(system: EvaluatedModel, clips: Path) -> None:
    found = system.predict()
    assert found.samples == ["ann_happy", "ann_sad", "bob_happy", "bob_sad"]
    assert [found.labels[row] for row in found.true_labels] == ["happy", "sad"] * 2
    recognizer = avtca.load()
    for name, probs in zip(found.samples, found.probs, strict=True):
        report = recognizer.predict(clips.parent / f"{name}.mp4")
        assert report.modalities == ("face", "voice") and len(report.timeline) > 1
        np.testing.assert_allclose([report.scores[x] for x in found.labels], probs, atol=1e-3)


def test_answers_are_those_before_a_fine_tuning(
    system: EvaluatedModel, clips: Path, tmp_path: Path
) -> None:
    start = load_initial_model("default")
    own = read_clips(start, find_clips(start, clips), tmp_path / "work")
    before = predict_before(start, own.samples)
    assert before is not None
    found = system.predict()
    assert before[0].samples == found.samples and before[0].labels == found.labels
    np.testing.assert_allclose(before[0].probs, found.probs, atol=1e-4)
    np.testing.assert_array_equal(before[0].targets, found.targets)


def test_what_is_left_out_is_said(system: EvaluatedModel) -> None:
    left_out = "left out of 5 clips: 1 with labels that the model does not predict (boredom 1)"
    assert left_out in system.split.caveat
    assert "1 clips could not be decoded, see " in system.split.caveat
    assert system.split.failed == 1 and "compressed" not in system.split.caveat
    result = evaluate_model(system)
    assert result.samples == 4 and result.speakers == 2
    assert {"both", "audio only", "video only"} == set(result.modalities)
    json.dumps(result.to_dict(), allow_nan=False)


def test_clips_are_read_once(clips: Path, system: EvaluatedModel) -> None:
    counts = []
    again = open_model(PACKAGED, clips, clips.parent / "read", progress=lambda *n: counts.append(n))
    assert counts[0] == ("read samples", 5, 6)
    np.testing.assert_array_equal(again.predict().probs, system.predict().probs)


def test_another_folder_of_the_same_names_is_read_itself(clips: Path, tmp_path: Path) -> None:
    """Names, sizes and times are the same: the cache must not take one for the other."""
    found = []
    for name, film in (("first", "ann_sad"), ("second", "bob_happy")):
        folder = tmp_path / name / "sad" / "ann"
        folder.mkdir(parents=True)
        film = clips.with_name(f"{film}.mp4").read_bytes()
        (folder / "1.mp4").write_bytes(film.ljust(10**6, b"\0"))
        os.utime(folder / "1.mp4", (10**9, 10**9))
        made = open_model(PACKAGED, tmp_path / name, tmp_path / "read")
        found.append(made.predict().probs)
    assert np.abs(found[0] - found[1]).max() > 0.01


def test_a_prepared_corpus_must_be_of_the_models_spec(clips: Path, tmp_path: Path) -> None:
    from avtca.cli.prepare import read_spec

    one = clips.with_name("one.csv")
    one.write_text("path,label\nann_sad.mp4,sad\n")
    for name, changes in (("right", []), ("wrong", ["crop_px=64"])):
        spec = read_spec(PACKAGED, changes)
        build_cache(index_folder(one, spec), tmp_path / name, spec)
    made = open_model(PACKAGED, tmp_path / "right", tmp_path / "unused")
    assert made.split.caveat.endswith("were compressed (avtca prepare --lossless keeps them)")
    assert made.predict().samples == ["ann_sad"] and not (tmp_path / "unused").exists()
    with pytest.raises(ClipSpecMismatch, match=r"crop_px: 64 against 48.*--spec MODEL"):
        open_model(PACKAGED, tmp_path / "wrong", tmp_path / "unused")


def test_people_who_were_trained_on_are_a_leak(
    clips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = _card(read_bundle())

    def on(**provenance: object) -> Card:
        return replace(card, provenance=provenance)

    own = {"provenance": {"corpus": "folder"}, "validation": {"speakers": ["bob"]}}
    for given, n in ((on(**own), 1), (on(data="Folder (free)"), 2), (on(corpora=["folder"]), 2)):
        monkeypatch.setattr("avtca.evaluation.open_model._card", lambda bundle, given=given: given)
        with pytest.raises(LeakError, match=f"{n} test speakers were in the training data"):
            open_model(PACKAGED, clips, clips.parent / "read")
        found = open_model(PACKAGED, clips, clips.parent / "read", allow_leak=True)
        assert f"LEAK (allowed): {n} test speakers" in found.split.caveat


def test_the_packaged_model_owns_up_to_its_corpora() -> None:
    card = _card(read_bundle())
    for corpus in ("ravdess", "nemo", "emodb"):
        assert trained_on(card, corpus, ["01"]) == {"01"}
    for corpus in ("cremad", "folder", "mosei"):
        assert not trained_on(card, corpus, ["01"])


def test_what_an_exported_model_cannot_do_is_named(clips: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="an exported model has no folds"):
        open_model(PACKAGED, clips, tmp_path, folds="luna")
    with pytest.raises(ConfigError, match="cannot run on the device cuda"):
        open_model(PACKAGED, clips, tmp_path, device="cuda")
    with pytest.raises(CheckpointError, match="no such file or folder"):
        open_model(tmp_path / "nothing", clips, tmp_path)


def test_default_is_evaluated_on_own_clips(clips: Path, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from avtca.cli import build_app

    words = ["evaluate", "default", str(clips), "--out", str(tmp_path)]
    done = CliRunner().invoke(build_app(), words)
    assert done.exit_code == 2, done.output  # one of the clips cannot be read
    assert "accuracy" in done.output and "labels that the model does not predict" in done.output
    assert "labels without samples: angry, disgust" in done.output
    names = {path.name for path in tmp_path.iterdir()}
    assert names - {"cards"} == {"clips", *(f"evaluation.{end}" for end in ("csv", "html", "json"))}
    with (tmp_path / "evaluation.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == [
        f"{who}_{label}.mp4" for who in PEOPLE for label in LABELS
    ]
    table = Predictions.load(tmp_path / "evaluation.csv")
    for row, probs in zip(rows, table.probs, strict=True):
        assert row["recognised"] == table.labels[probs.argmax()]
        assert float(row["confidence"]) == pytest.approx(probs.max(), abs=1e-4)
        assert row["label"] == row["sample_id"].partition("_")[2] and row["trained_on"] == "false"
    page = (tmp_path / "evaluation.html").read_text()
    wrong = [row for row in rows if row["label"] != row["recognised"]]
    assert wrong, "drawn faces are not recognised every time"
    for number, row in enumerate(sorted(wrong, key=lambda row: -float(row["confidence"])), 1):
        link = f"cards/{number:03d}.html"
        assert f'<th scope="row"><a href="{link}">' in page
        card = (tmp_path / link).read_text()
        assert row["path"] in card and "data:image/jpeg;base64," in card and row["label"] in card
    assert not list(PACKAGED.glob("evaluation*"))
