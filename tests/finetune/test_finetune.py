"""Own clips in, an adapted model with honest figures out: on drawn faces and computed voices."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_networks import small_network
from small_spec import SPEC
from typer.testing import CliRunner

import avtca
from avtca.cli import build_app
from avtca.errors import CheckpointError, ConfigError, CorpusError, LeakError
from avtca.evaluation.inference import predict_samples
from avtca.evaluation.open_model import open_model
from avtca.evaluation.predictions import Predictions
from avtca.evaluation.sample_table import sample_rows
from avtca.finetune.clips import NO_SPEAKER, find_clips, read_clips
from avtca.finetune.finetune import finetune
from avtca.finetune.initial import load_initial_model
from avtca.finetune.protocol import label_changes, make_speaker_folds, predict_before
from avtca.finetune.report import LabelChanges
from avtca.model import load_checkpoint, save_checkpoint
from avtca.model.ensemble import Ensemble
from avtca.model.export_bundle import export_bundle
from avtca.model.lineage import trained_on, training_speakers
from avtca.preprocess import window_start_steps
from avtca.runtime.bundle import PACKAGED, read_bundle
from avtca.synthetic.corpus import synth_clip

pytestmark = pytest.mark.slow


PIXELS = replace(SPEC, video="pixels", crop_px=32, colour="grey", video_features="", video_dim=0)
LABELS = ("happy", "sad", "surprise")
PEOPLE = ("ann", "bob", "cid")


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """LABEL/SPEAKER/clip.mp4, a label that the start does not know among them."""
    root = tmp_path_factory.mktemp("clips")
    for number, who in enumerate(PEOPLE, 1):
        for label in LABELS:
            synth_clip(
                root / label / who / "clip.mp4",
                emotion=label,
                speaker=number,
                seed=0,
                seconds=0.9,
                size=(320, 240),
                fps=10,
            )
    return root


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A fresh fusion network, whose faces the packaged face network reads."""
    path = tmp_path_factory.mktemp("start") / "tiny"
    terms = {"terms": "CC BY-NC-SA 4.0, research use", "data": "drawn at random"}
    save_checkpoint(path, small_network("concatenation"), SPEC, provenance=terms)
    return str(path)


@pytest.fixture(scope="module")
def done(tiny, clips, tmp_path_factory):
    """The command, stopped in the third fold and called again: its folder and what it printed.

    ``stamps`` are of what was there when it was stopped.
    """

    def stop(line):
        if line.startswith("fold 3"):
            raise KeyboardInterrupt

    out = tmp_path_factory.mktemp("done") / "mine"
    with pytest.raises(KeyboardInterrupt):
        finetune(tiny, clips, out, epochs=1, message=stop)
    assert not (out / "avtca.json").exists()
    before = stamps(out)
    words = ["finetune", tiny, clips, "--out", out, "--epochs", 1, "--workers", 0]
    found = CliRunner().invoke(build_app(), [str(word) for word in [*words, "--no-progress"]])
    assert found.exit_code == 0, found.output
    return out, found.output, before


def stamps(folder):
    """When each clip was read and each fold finished."""
    files = [*folder.glob("work/clips/clips/*/*"), *folder.glob("work/folds/*/*/done.json")]
    return {path.relative_to(folder).as_posix(): path.stat().st_mtime_ns for path in files}


def test_the_folder_is_a_model_that_recognises(done, clips):
    out, printed, _ = done
    report = avtca.load(out).predict(clips / "happy" / "bob" / "clip.mp4")
    assert report.labels == LABELS and set(report.modalities) == {"face", "voice"}
    assert "concatenation fine-tuned" in report.model
    assert "happy, sad keep the model's outputs; surprise get new outputs" in printed
    assert "neutral are removed: no clip has them" in printed
    assert "before (6 clips): accuracy" in printed and "after (9 clips): accuracy" in printed
    card = read_bundle(out).card
    assert card["provenance"]["terms"] == "CC BY-NC-SA 4.0, research use"
    assert set(card["metrics"]["finetune"]) >= {"before", "after", "clips", "caveat"}
    assert 0.5 <= card["calibration"]["temperature"] <= 5


def test_held_out_predictions_are_a_file_and_a_page(done, clips):
    out, printed, _ = done
    table = Predictions.load(out / "held_out.csv")
    folds = [Predictions.load(path) for path in sorted(out.glob("work/folds/seed0/*/test.csv"))]
    known = Predictions.joined(folds)
    assert sorted(table.samples) == sorted(known.samples) and len(table) == 9
    of = dict(zip(known.samples, known.probs.argmax(1), strict=True))
    assert [of[name] for name in table.samples] == table.probs.argmax(1).tolist()
    with (out / "held_out.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert all((clips / row["path"]).is_file() for row in rows)
    assert {row["trained_on"] for row in rows} == {"false"}
    report = json.loads((out / "evaluation.json").read_text())
    result = json.loads((out / "result.json").read_text())
    assert report["metrics"]["accuracy"] == result["after"]["accuracy"]
    assert report["modalities"]["both"]["samples"] <= 9 and report["fitted_on"]
    page = (out / "evaluation.html").read_text()
    assert "Disagreements" in page and "<a href" not in page
    assert "held_out.csv" in printed and "held_out.csv" in (out / "MODEL_CARD.md").read_text()


def test_training_clips_and_a_missing_threshold_are_marked(done, clips, tmp_path):
    out, printed, _ = done
    assert "no confidence threshold: too few held-out clips" in printed, "of nine clips"
    recognizer = avtca.load(out)
    seen = recognizer.predict(clips / "sad" / "cid" / "clip.mp4")
    assert seen.doubt == "training clip" and seen.confident is False
    synth_clip(tmp_path / "new.mp4", emotion="sad", speaker=9, seed=5, seconds=1.2, fps=10)
    new = recognizer.predict(tmp_path / "new.mp4")
    assert new.doubt is None and new.confident is None and new.certainty.endswith("(no threshold)")


def test_evaluate_says_where_the_held_out_figures_are(done, clips, tmp_path):
    out, *_ = done
    with pytest.raises(LeakError) as refused:
        open_model(out, clips, tmp_path)
    place = out / "evaluation.html"
    assert f"see the results for held-out speakers in {place}, or pass" in str(refused.value)
    allowed = open_model(out, clips, tmp_path, allow_leak=True)
    rows = sample_rows(allowed, allowed.predict())
    assert len(rows) == 9 and all(row.trained_on for row in rows)


def test_training_saw_what_the_recognizer_shows_the_network(done, tiny, clips):
    out, *_ = done
    start = load_initial_model(tiny)
    read = read_clips(start, find_clips(start, clips), out / "work" / "clips")
    assert read.summary.reused == 9, "no clip is read again"
    network, card = load_checkpoint(out / "fusion")
    probs = predict_samples(network, read.samples, temperature=card.calibration["temperature"])
    recognizer = avtca.load(out)
    compared = 0
    for name, mine in zip(read.samples.sample_ids, probs, strict=True):
        report = recognizer.predict(clips / f"{name}.mp4")
        starts = {row.start_s for row in report.timeline}
        if all(row.modalities == ("face", "voice") for row in report.timeline):
            duration_s = read.samples.durations[read.samples.sample_ids.index(name)]
            assert len(starts) == len(window_start_steps(duration_s, SPEC))
            np.testing.assert_allclose([report.scores[x] for x in LABELS], mine, atol=1e-4)
            compared += 1
    assert compared > 3


def test_no_speaker_is_in_two_subsets(done):
    out, *_ = done
    tested = []
    for fold in sorted((out / "work" / "folds" / "seed0").iterdir()):
        run = json.loads((fold / "run.json").read_text())
        test = Predictions.load(fold / "test.csv")
        sides = [set(run[side]["speakers"]) for side in ("train", "validation")]
        assert not set.intersection(*sides) and not set(test.speakers) & set.union(*sides)
        assert set.union(*sides, test.speakers) == set(PEOPLE)
        tested += test.samples
    assert len(tested) == len(set(tested)) == 9
    run = json.loads((out / "work" / "final" / "run.json").read_text())
    assert set(run["train"]["speakers"]) | set(run["validation"]["speakers"]) == set(PEOPLE)
    assert not set(run["train"]["speakers"]) & set(run["validation"]["speakers"])


def test_the_result_can_be_adapted_again(done):
    out, *_ = done
    start = load_initial_model(str(out))
    assert start.labels == LABELS and start.face_file == out / "face.onnx"
    assert start.card.provenance["terms"] == "CC BY-NC-SA 4.0, research use"
    torn = json.loads((out / "avtca.json").read_text())
    torn["checkpoint"]["sha256"] = "0"
    copy = out.parent / "torn"
    copy.mkdir()
    for path in out.iterdir():
        if path.is_file() and path.name != "avtca.json":
            (copy / path.name).symlink_to(path)
    (copy / "avtca.json").write_text(json.dumps(torn))
    with pytest.raises(CheckpointError, match=r"not the checkpoint that avtca\.json names"):
        load_initial_model(str(copy))


def test_training_speakers_of_the_initial_model_are_refused(done, clips, tmp_path):
    out, *_ = done
    with pytest.raises(LeakError, match="3 test speakers were in the training data"):
        finetune(str(out), clips, tmp_path / "again", epochs=1)
    # nor are those behind what that one started from forgotten
    start = load_initial_model(str(out))
    told = {**start.card.provenance["provenance"]["init_from"], "speakers": {"ravdess": ["01"]}}
    run = {**start.card.provenance["provenance"], "init_from": told}
    card = replace(start.card, provenance={**start.card.provenance, "provenance": run})
    assert trained_on(card, "ravdess", {"01", "02"}) == {"01"}
    assert training_speakers(start.card)["folder"] == sorted(PEOPLE)
    assert told["data"] == "drawn at random"


def test_the_card_says_what_a_reader_must_know(done):
    out, *_ = done
    text = (out / "MODEL_CARD.md").read_text()
    result = json.loads((out / "result.json").read_text())
    for part in ("9 clips of 3 speakers", "new outputs: surprise", "Split audit: clean", "tiny)"):
        assert part in text
    for key in ("before", "before_limited", "after_known", "after"):
        value, low, high = (f"{100 * x:.1f}" for x in result[key]["accuracy"])
        assert f"{value} % [{low}, {high}]" in text
    assert result["after"]["speakers"] == 3 and result["before"]["samples"] == 6
    assert "LEAK" not in text and "3 speakers are few" in text
    assert "CC BY-NC-SA 4.0, research use" in text


def test_forbidden_uses_are_those_of_the_packaged_model(done):
    out, *_ = done
    ours = (Path(__file__).parents[2] / "MODEL_CARD.md").read_text()
    for text in ("Art. 5(1)(f)", "work or in education", "hiring, credit", "Lie detection"):
        assert text in ours and text in (out / "MODEL_CARD.md").read_text()


def test_a_run_that_was_broken_off_does_nothing_twice(done):
    out, _, before = done
    after = stamps(out)
    assert len([name for name in before if name.endswith("done.json")]) == 2
    assert len([name for name in after if name.endswith("done.json")]) == 3
    assert len(before) == 9 + 2 and {name: after[name] for name in before} == before


def test_pixels_without_speakers_carry_the_caveat(clips, tmp_path):
    network = small_network("concatenation", PIXELS, trunk={"units": (1, 1), "width": 16})
    save_checkpoint(tmp_path / "mine", network, PIXELS)
    rows = [("path", "label"), *((clips / x / "ann" / "clip.mp4", x) for x in ("happy", "sad"))]
    with (tmp_path / "clips.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    words = (str(tmp_path / "mine"), tmp_path / "clips.csv", tmp_path / "out")
    said = []
    with pytest.raises(LeakError, match=r"name no speaker.*would be in the training data"):
        finetune(*words, epochs=1, message=said.append)
    assert not (tmp_path / "out").exists(), "refused before anything was made"
    result = finetune(*words, epochs=1, message=said.append, allow_leak=True)
    assert result.caveat.startswith("LEAK (allowed)") and result.speakers is None
    assert result.after.accuracy[1:] == (None, None), "no interval without people"
    assert any(line.startswith("split: LEAK (allowed)") for line in said)
    text = (tmp_path / "out" / "MODEL_CARD.md").read_text()
    assert "**LEAK.**" in text and "not recorded" in text
    assert avtca.load(tmp_path / "out").predict(rows[1][0]).labels == ("happy", "sad")


def test_clips_that_tell_nothing_are_left_out_and_said(tiny, clips, tmp_path):
    (tmp_path / "broken.mp4").write_bytes(b"no video at all")
    rows = [("path", "label", "speaker", "split")]
    for who in ("ann", "bob"):
        rows += [(clips / x / who / "clip.mp4", x, who, "train") for x in ("happy", "sad")]
    rows += [(clips / "sad" / "cid" / "clip.mp4", "sad", "", ""), ("broken.mp4", "sad", "ann", "")]
    with (tmp_path / "clips.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    start = load_initial_model(tiny)
    layout = find_clips(start, tmp_path / "clips.csv")
    read = read_clips(start, layout, tmp_path / "cache")
    assert sorted(set(read.samples.speakers)) == ["ann", "bob"] and len(read.samples) == 4
    text = "\n".join(read.notes)
    for part in ("1 clips without a speaker", "split of the clips is not used", "broken is left"):
        assert part in text
    assert (
        make_speaker_folds(read) == [["ann"], ["bob"]] and NO_SPEAKER not in read.samples.speakers
    )


def test_refusals_name_what_was_found(tiny, clips, done, tmp_path):
    head = "path,label,speaker\n"
    (tmp_path / "clips.csv").write_text(f"{head}a.mp4,sad,ann\nb.mp4,sad,bob\n")
    (tmp_path / "one.csv").write_text(f"{head}a.mp4,sad,ann\nb.mp4,happy,ann\n")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("mine")
    plain = tmp_path / "plain"
    plain.mkdir()
    for path in done[0].glob("*.onnx"):
        (plain / path.name).symlink_to(path)
    card = json.loads((done[0] / "avtca.json").read_text())
    del card["checkpoint"]
    (plain / "avtca.json").write_text(json.dumps(card))
    multi = tmp_path / "multi"
    save_checkpoint(
        multi, small_network("concatenation"), SPEC, provenance={"train_config": {"loss": "binary"}}
    )
    new = tmp_path / "new"
    cases = [
        (tiny, tmp_path / "clips.csv", new, CorpusError, "all clips are labelled 'sad'"),
        (tiny, tmp_path / "one.csv", new, LeakError, "all clips are of one speaker"),
        (tiny, tmp_path / "nowhere", new, CorpusError, "no such folder or CSV"),
        (tiny, clips, tmp_path / "full", ConfigError, "the folder holds something else"),
        (tiny, clips, done[0], ConfigError, "different settings: epochs"),
        (str(plain), clips, new, CheckpointError, "no weights that can be trained"),
        (str(multi), clips, new, CheckpointError, "several labels at once"),
        (str(tmp_path / "no"), clips, new, CheckpointError, "no such file or folder"),
    ]
    for checkpoint, source, out, kind, text in cases:
        with pytest.raises(kind, match=text):
            finetune(checkpoint, source, out, epochs=2)
    assert not new.exists()


def test_a_dry_run_trains_on_a_few_clips_and_keeps_nothing(tiny, clips, tmp_path):
    words = ["finetune", tiny, clips, "--out", tmp_path / "mine", "--dry-run", "--workers", 0]
    found = CliRunner().invoke(build_app(), [str(word) for word in [*words, "--no-progress"]])
    assert found.exit_code == 0, found.output
    assert "happy, sad keep the model's outputs; surprise get new outputs" in found.output
    assert found.stdout.strip().splitlines()[-1] == (
        "dry run: 9 of 9 clips were read, a model was trained on them for an epoch, tested and "
        "exported; nothing was written"
    )
    assert list(tmp_path.iterdir()) == []


def test_before_is_what_the_model_says_at_use(done, tiny, clips, tmp_path):
    """Two networks together, whose calm counts for neutral; one of them is adapted."""
    out, *_ = done
    plain = load_initial_model(tiny)
    samples = read_clips(plain, find_clips(plain, clips), out / "work" / "clips").samples
    samples = replace(samples, spec=replace(samples.spec, labels=("happy", "neutral", "surprise")))
    fine = replace(SPEC, labels=("calm", "happy", "neutral", "sad"))
    networks = [small_network("mean_posterior", fine), small_network("concatenation", fine)]
    sums = torch.tensor([[0.0, 1, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    export_bundle(
        tmp_path,
        name="two",
        fusion=Ensemble(networks, sums).eval(),
        card=replace(plain.card, calibration={"temperature": 2.0}),
        start=(networks[0], fine),
        face=PACKAGED / "face.onnx",
    )
    start = load_initial_model(str(tmp_path))
    assert start.labels == fine.labels and start.predicted_labels == SPEC.labels
    parts = label_changes(start, ("calm", "happy", "surprise"))
    assert parts == LabelChanges(
        kept=["calm", "happy"], new=["surprise"], removed=["neutral", "sad"]
    )
    whole, limited = predict_before(start, samples)
    assert whole.labels == SPEC.labels and set(whole.samples) < set(samples.sample_ids)
    ensemble = Ensemble(networks, sums).eval()
    known = samples.of_samples(whole.samples)
    expected = predict_samples(ensemble, known, temperature=2.0)
    np.testing.assert_allclose(whole.probs, expected, atol=1e-4)
    share = expected[:, 1] / (expected[:, 0] + expected[:, 1])
    np.testing.assert_allclose(limited.probs[:, 1], share, atol=1e-4)
    assert not limited.probs[:, 2].any()
