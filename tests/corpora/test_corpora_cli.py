"""avtca prepare, audit and synth, as a user runs them."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from corpora_made import AUDIO, write_wav
from typer.testing import CliRunner

from avtca.cli.audit import audit
from avtca.cli.prepare import prepare, read_spec
from avtca.cli.synth import synth
from avtca.clipspec import ClipSpec
from avtca.corpora import PreparedCorpus
from avtca.data.data_module import open_data_module
from avtca.errors import AvtcaError, ConfigError

OF_FACES = ("video", "crop_px", "colour", "video_features", "video_dim", "labels")


def run(function, *arguments: object):
    """A command on its own, errors of the package let through."""
    app = typer.Typer()
    app.command()(function)
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if isinstance(result.exception, AvtcaError):
        raise result.exception
    return result


@pytest.fixture
def spec_file(tmp_path: Path) -> Path:
    path = tmp_path / "spec.json"
    path.write_text(json.dumps(AUDIO.to_dict()))
    return path


def test_prepare_and_audit(wavs: Path, spec_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    made = run(prepare, "folder", wavs, "--out", out, "--spec", spec_file, "--workers", 0)
    assert made.exit_code == 0
    assert "12 samples in" in made.stderr and "without face: 12" in made.stderr
    assert made.stdout == ""
    assert len(PreparedCorpus.open(out, AUDIO)) == 12
    folds = {"unit": "speaker", "splits": [{"train": ["a"], "validation": ["b"], "test": ["c"]}]}
    (tmp_path / "f.json").write_text(json.dumps(folds))
    clean = run(audit, out, tmp_path / "f.json", "--out", tmp_path / "audit.json")
    assert clean.exit_code == 0 and clean.stdout.splitlines()[-1] == "clean"
    assert json.loads((tmp_path / "audit.json").read_text())["leak"] is False


def test_one_bad_clip_is_exit_2_and_the_rest_is_there(
    wavs: Path, spec_file: Path, tmp_path: Path
) -> None:
    (wavs / "sad" / "a" / "bad.wav").write_bytes(b"no")
    out = tmp_path / "out"
    made = run(prepare, "folder", wavs, "--out", out, "--spec", spec_file, "--workers", 0)
    assert made.exit_code == 2
    assert "sad/a/bad: read" in made.stderr and "failed: 1" in made.stderr
    assert len(PreparedCorpus.open(out)) == 12


def test_a_leak_is_exit_2_on_the_real_command_line(tmp_path: Path) -> None:
    lines = ["take,label,speaker,split", "x,sad,p,train", "y,sad,p,test", "z,sad,q,validation"]
    (tmp_path / "m.csv").write_text("\n".join(lines) + "\n")
    script = (
        "import sys, typer\n"
        "from avtca import cli\n"
        "cli.COMMANDS = ('audit', 'prepare')\n"
        "sys.argv = ['avtca', 'audit', *sys.argv[1:]]\n"
        "cli.main()\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "m.csv"), "column:split"]
    refused = subprocess.run(command, capture_output=True, text=True)
    assert refused.returncode == 2
    assert "LEAK: 1 speakers in two subsets" in refused.stdout
    assert refused.stderr.startswith("error: use the split column:split")
    assert refused.stderr.count("\n") == 1
    allowed = subprocess.run([*command, "--allow-leak"], capture_output=True, text=True)
    assert allowed.returncode == 0
    assert allowed.stdout.splitlines()[-1].startswith("LEAK (allowed)")


def test_the_spec_comes_from_files_folders_and_options(
    wavs: Path, spec_file: Path, tmp_path: Path
) -> None:
    assert read_spec(None, []) == ClipSpec()
    assert read_spec(spec_file, ["crop_px=48", "labels=a,b"]).labels == ("a", "b")
    run(prepare, "folder", wavs, "--out", tmp_path / "o", "--spec", spec_file, "--workers", 0)
    again = read_spec(tmp_path / "o", [])
    assert again.labels == ("happy", "sad") and again.crop_px == AUDIO.crop_px
    for changes, found in (
        (["crop=48"], "fields are window_s"),
        (["crop_px=big"], "give a number"),
        (["crop_px=-1"], "must be positive"),
        (["colour=blue"], "colour is one of"),
    ):
        with pytest.raises(ConfigError, match=found):
            read_spec(None, changes)
    for path, found in (
        (write_wav(tmp_path / "x.wav"), "not JSON"),
        (tmp_path / "nowhere", "no such file or folder"),
        (wavs, "it holds no ClipSpec"),
    ):
        with pytest.raises(ConfigError, match=found):
            read_spec(path, [])


def test_the_spec_of_a_model_reads_the_faces_that_its_face_network_sees(tmp_path: Path) -> None:
    from avtca.runtime.backends import OnnxBackend
    from avtca.runtime.bundle import PACKAGED, read_bundle

    backend = OnnxBackend(read_bundle())
    found = read_spec(PACKAGED, [])
    assert (found.video, found.crop_px, found.colour) == ("pixels", backend.crop_px, backend.colour)
    assert found.labels == ()
    assert not found.differences(backend.spec, ignore=OF_FACES)
    card = json.loads((PACKAGED / "avtca.json").read_text())
    (tmp_path / "avtca.json").write_text(json.dumps({**card, "face": {"crop_px": 48}}))
    with pytest.raises(ConfigError, match=r"broken \(KeyError: 'colour'\)"):
        read_spec(tmp_path, [])
    pixels = ClipSpec(crop_px=64, colour="grey", labels=("a", "b"))
    (tmp_path / "avtca.json").write_text(json.dumps({"clip_spec": pixels.to_dict()}))
    assert read_spec(tmp_path, []) == replace(pixels, labels=())


def test_default_names_the_packaged_models_spec(tmp_path: Path) -> None:
    made = tmp_path / "clips" / "happy"
    write_wav(made / "a.wav")
    out = tmp_path / "out"
    run(prepare, "folder", made.parent, "--out", out, "--spec", "default", "--workers", 0)
    head = json.loads((out / "corpus.json").read_text())
    assert (head["spec"]["crop_px"], head["spec"]["audio"]) == (48, "whisper_base_3")


def test_synthetic_clips_are_called_synthetic_and_can_be_prepared(
    spec_file: Path, tmp_path: Path
) -> None:
    made = run(
        synth, tmp_path / "s", "--samples", 2, "--speakers", 2, "--size", "320x240",
        "--seconds", 1, "--workers", 1,
    )  # fmt: skip
    assert made.exit_code == 0 and "SYNTHETIC" in made.stderr
    out = tmp_path / "out"
    run(prepare, "ravdess", tmp_path / "s", "--out", out, "--spec", spec_file, "--workers", 0)
    again = run(prepare, "ravdess", tmp_path / "s", "--out", out, "--spec", spec_file)
    assert "SYNTHETIC: drawn faces" in again.stderr and "2 of them were there" in again.stderr
    checked = run(audit, out, "ravdess_released")
    assert "SYNTHETIC: drawn faces" in checked.stdout.splitlines()[-1]
    corpus = PreparedCorpus.open(out)
    manifest = corpus.manifest
    assert corpus.name == "synthetic" and set(manifest["corpus"]) == {"synthetic"}
    assert len(manifest) == 2 and (manifest["face_coverage"] > 0.5).all()
    with pytest.raises(ConfigError, match="synthetic"):
        run(synth, tmp_path / "t", "--size", "big")


@pytest.mark.slow
def test_speaker_folds_of_a_synthetic_corpus_are_clean(tmp_path: Path) -> None:
    clips, out = tmp_path / "clips", tmp_path / "out"
    size = ("--samples", 24, "--speakers", 6, "--size", "320x240", "--seconds", 1)
    run(synth, clips, *size, "--workers", 2)
    run(prepare, "ravdess", clips, "--out", out, "--set", "crop_px=48", "--workers", 2)
    checked = run(audit, out, "speakers:3")
    assert checked.exit_code == 0 and "SYNTHETIC" in checked.stdout
    manifest = PreparedCorpus.open(out).manifest
    assert (manifest["picture_hash"] != "").all() and (manifest["audio_hash"] != "").all()
    assert "leak" in checked.stdout.splitlines()[-1] and "LEAK" not in checked.stdout
    data_module = open_data_module(PreparedCorpus.open(out), folds="speakers:3")
    assert [len(rows["test"]) for rows in data_module.rows] == [8, 8, 8]


def test_audio_with_face_sequences_needs_their_spec(ravdess_some: Path, tmp_path: Path) -> None:
    """Refused before anything is read: ten minutes of decoding would make audio alone."""
    problem = "the corpus has no videos, only audio and face_sequences.npz; use --spec configs"
    with pytest.raises(ConfigError, match=problem):
        run(prepare, "ravdess", ravdess_some, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()
