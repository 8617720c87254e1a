"""The cache: whole or not at all, resumable byte for byte, and clear about what went wrong."""

import errno
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from corpora_made import AUDIO, write_wav

from avtca.clipspec import ClipSpec
from avtca.corpora import PreparedCorpus, build_cache, index_corpus
from avtca.corpora import decode as reading_module
from avtca.corpora.cache_files import sample_path
from avtca.corpora.sample_file import read_row
from avtca.errors import ClipSpecMismatch, CorpusError
from avtca.worker_pool import run_jobs

HERE = Path(__file__).parents[1] / "helpers"


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file of a cache: its path in the folder, its bytes."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_same_source_gives_the_same_bytes(wavs: Path, tmp_path: Path) -> None:
    for name, workers in (("one", 0), ("two", 2)):
        index = index_corpus("folder", wavs, AUDIO)
        build_cache(index, tmp_path / name, AUDIO, workers=workers)
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")
    corpus = PreparedCorpus.open(tmp_path / "one", AUDIO)
    corpus.verify()
    assert corpus.meta["bytes"] == sum(
        path.stat().st_size for path in (tmp_path / "one" / "clips").rglob("*") if path.is_file()
    )


def test_a_second_run_does_nothing_again(
    wavs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = index_corpus("folder", wavs, AUDIO)
    first = build_cache(index, tmp_path / "out", AUDIO)
    before = files_of(tmp_path / "out")
    read = []
    real = reading_module.decode_job
    monkeypatch.setattr(
        reading_module, "decode_job", lambda job, *rest: read.append(job) or real(job, *rest)
    )
    second = build_cache(index, tmp_path / "out", AUDIO)
    assert (first.reused, second.reused, read) == (0, 12, [])
    assert files_of(tmp_path / "out") == before
    write_wav(wavs / "sad" / "a" / "0.wav", 0.7, seed=99)
    write_wav(wavs / "sad" / "d" / "0.wav", seed=98)
    third = build_cache(index_corpus("folder", wavs, AUDIO), tmp_path / "out", AUDIO)
    assert (third.prepared, third.reused) == (13, 11)
    assert sorted(job[0].sample_id for job in read) == ["sad/a/0", "sad/d/0"]


def test_a_source_elsewhere_is_told_by_its_bytes_not_by_its_names(tmp_path: Path) -> None:
    """Two folders of the same names, sizes and times, and a copy of the first."""
    for root, seed in (("clean", 1), ("noisy", 2), ("copy", 1)):
        for who in ("ann", "bob"):
            path = tmp_path / root / "happy" / who / "1.wav"
            write_wav(path, 0.4, seed=seed if who == "ann" else 3)
            os.utime(path, (10**9, 10**9))
    first = build_cache(index_corpus("folder", tmp_path / "clean", AUDIO), tmp_path / "out", AUDIO)
    known = files_of(tmp_path / "out")
    moved = build_cache(index_corpus("folder", tmp_path / "copy", AUDIO), tmp_path / "out", AUDIO)
    assert (first.reused, moved.reused) == (0, 2)
    head = "corpus.json"
    assert files_of(tmp_path / "out").items() - known.items() == {
        (head, (tmp_path / "out" / head).read_bytes())
    }
    other = build_cache(index_corpus("folder", tmp_path / "noisy", AUDIO), tmp_path / "out", AUDIO)
    assert other.reused == 1  # bob's file is the same
    fresh = build_cache(
        index_corpus("folder", tmp_path / "noisy", AUDIO), tmp_path / "fresh", AUDIO
    )
    assert fresh.reused == 0 and files_of(tmp_path / "fresh") == files_of(tmp_path / "out")
    # Stopped in between, neither source's samples count for the other's.
    values = json.loads((tmp_path / "out" / head).read_text())
    (tmp_path / "out" / head).write_text(json.dumps(values | {"root": ""}))
    again = build_cache(index_corpus("folder", tmp_path / "clean", AUDIO), tmp_path / "out", AUDIO)
    assert again.reused == 1


@pytest.mark.slow
def test_killed_ten_times_the_manifest_is_the_same(tmp_path: Path) -> None:
    source = tmp_path / "src"
    for k in range(48):
        write_wav(source / ("happy", "sad")[k % 2] / f"s{k % 5}" / f"{k}.wav", 0.4, seed=k)
    unbroken, killed = tmp_path / "unbroken", tmp_path / "killed"
    build_cache(index_corpus("folder", source, AUDIO), unbroken, AUDIO)
    script = (
        f"import sys; sys.path.insert(0, {str(HERE)!r})\n"
        "if __name__ == '__main__':\n"
        "    from pathlib import Path\n"
        "    from corpora_made import AUDIO\n"
        "    from avtca.corpora import build_cache, index_corpus\n"
        f"    src = Path({str(source)!r})\n"
        "    index = index_corpus('folder', src, AUDIO)\n"
        f"    build_cache(index, Path({str(killed)!r}), AUDIO, workers=int(sys.argv[1]))\n"
    )
    (tmp_path / "run.py").write_text(script)
    rng = random.Random(0)
    kills = 0
    for turn in range(100):
        there = sum(1 for _ in killed.glob("clips/*/[!.]*"))
        goal = there + rng.randrange(1, 5)
        process = subprocess.Popen(
            [sys.executable, str(tmp_path / "run.py"), str(turn % 2)], start_new_session=True
        )
        while process.poll() is None and sum(1 for _ in killed.glob("clips/*/[!.]*")) < goal:
            time.sleep(0.002)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if files_of(killed) == files_of(unbroken):  # a busy machine: it was quicker than the kill
            shutil.rmtree(killed)
            continue
        assert process.returncode == -signal.SIGKILL
        for path in killed.glob("clips/*/[!.]*"):
            assert read_row(path) is not None, f"half a clip: {path}"
        with pytest.raises(CorpusError, match="preparation was stopped"):
            PreparedCorpus.open(killed)
        kills += 1
        if kills == 10:
            break
    assert kills == 10
    summary = build_cache(index_corpus("folder", source, AUDIO), killed, AUDIO)
    assert summary.reused > 0
    assert files_of(killed) == files_of(unbroken)


def test_workers_end_with_their_parent(tmp_path: Path, wavs: Path) -> None:
    script = (
        "import os, sys, time\n"
        "from avtca.worker_pool import run_jobs\n"
        "def nap():\n"
        "    open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(60)\n"
        "if __name__ == '__main__':\n"
        "    list(run_jobs([0], lambda job: nap, lambda job: nap, 1))\n"
    )
    (tmp_path / "run.py").write_text(script)
    note = tmp_path / "pid"
    process = subprocess.Popen([sys.executable, str(tmp_path / "run.py"), str(note)])
    deadline = time.monotonic() + 60
    while not (note.exists() and note.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    worker = int(note.read_text())
    process.kill()
    process.wait()
    while time.monotonic() < deadline:
        try:
            os.kill(worker, 0)
            stat = Path(f"/proc/{worker}/stat")
            if stat.exists() and stat.read_text().split()[2] == "Z":
                return
        except OSError as error:
            assert error.errno == errno.ESRCH
            return
        time.sleep(0.05)
    os.kill(worker, signal.SIGKILL)
    pytest.fail("the worker outlived its parent")


def _die() -> str:
    os._exit(9)


def _fine() -> str:
    return "fine"


def _job(job: str):
    return _die if job == "bad" else _fine


@pytest.mark.slow
def test_a_job_that_kills_its_worker_fails_alone() -> None:
    jobs = ["a", "bad", "b", "c", "d"]
    outcomes = dict(run_jobs(jobs, _job, lambda job: "died", 2))
    assert outcomes == {"a": "fine", "b": "fine", "c": "fine", "d": "fine", "bad": "died"}


def test_workers_that_never_start_are_said_so(tmp_path: Path) -> None:
    (tmp_path / "run.py").write_text(
        "from avtca.worker_pool import run_jobs\n"
        "print(list(run_jobs([1], lambda job: print, lambda job: None, 1)))\n"
    )
    done = subprocess.run(
        [sys.executable, str(tmp_path / "run.py")], capture_output=True, text=True, timeout=120
    )
    assert "__name__" in done.stderr and done.returncode == 1


@pytest.mark.slow
def test_a_corrupt_video_among_good_ones(corpora: Path, sample_clips: Path, tmp_path: Path) -> None:
    source = tmp_path / "src" / "happy" / "p"
    source.mkdir(parents=True)
    good = (corpora / "cremad" / "1001_DFA_HAP_XX.flv").read_bytes()
    (source / "good.flv").write_bytes(good)
    (source / "empty.mp4").write_bytes(b"")
    (source / "noise.mp4").write_bytes(np.random.default_rng(0).bytes(5000))
    whole = (sample_clips / "01-01-01-01-01-01-01.mp4").read_bytes()
    (source / "half.mp4").write_bytes(whole[: len(whole) // 2])
    write_wav(source / "voice.wav", 1.0)
    spec = ClipSpec(crop_px=32, sample_rate=8000)
    summary = build_cache(index_corpus("folder", tmp_path / "src", spec), tmp_path / "out", spec)
    assert summary.prepared == 2 and summary.without_face == 1
    assert [sample.rsplit("/", 1)[-1] for sample, _, _ in summary.failures] == [
        "empty",
        "half",
        "noise",
    ]
    lines = (tmp_path / "out" / "failures.csv").read_text().splitlines()
    assert lines[0] == "sample_id,source,why" and len(lines) == 4
    assert all("\n" not in why for _, _, why in summary.failures)
    assert "failed: 3" in "\n".join(summary.lines())
    (source / "noise.mp4").write_bytes(good)  # unpacked again: it is tried again
    again = build_cache(index_corpus("folder", tmp_path / "src", spec), tmp_path / "out", spec)
    assert (again.prepared, again.reused, len(again.failures)) == (3, 2, 2)


def test_no_space_left_loses_nothing(wavs: Path, tmp_path: Path) -> None:
    index = index_corpus("folder", wavs, AUDIO)
    build_cache(index, tmp_path / "whole", AUDIO)
    half = replace(index, sources=index.sources[:5])
    build_cache(half, tmp_path / "out", AUDIO)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (600, hard))
    try:
        with pytest.raises(CorpusError) as error:
            build_cache(index, tmp_path / "out", AUDIO)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "no space left on the disk" in str(error.value) and "5 samples are kept" in str(
        error.value
    )
    assert len(PreparedCorpus.open(tmp_path / "out")) == 5
    assert not list((tmp_path / "out").rglob("*.part"))
    assert build_cache(index, tmp_path / "out", AUDIO).reused == 5
    assert files_of(tmp_path / "out") == files_of(tmp_path / "whole")


def test_nothing_readable_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "src" / "sad").mkdir(parents=True)
    (tmp_path / "src" / "sad" / "a.wav").write_bytes(b"no sound")
    with pytest.raises(CorpusError, match="not one sample could be read; the first"):
        build_cache(index_corpus("folder", tmp_path / "src", AUDIO), tmp_path / "out", AUDIO)
    header, line = (tmp_path / "out" / "failures.csv").read_text().splitlines()
    assert header == "sample_id,source,why" and line.startswith("sad/a,sad/a.wav,")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"crop_px": 48}, "crop_px: 48 against 32"),
        ({"video_steps": 6}, "video_steps: 6 against 5"),
        ({"sample_rate": 16_000}, "sample_rate: 16000 against 8000"),
        ({"audio": "logmel"}, "audio: logmel against mfcc"),
    ],
)
def test_another_spec_is_refused_by_field(
    wavs: Path, tmp_path: Path, changes: dict, field: str
) -> None:
    index = index_corpus("folder", wavs, AUDIO)
    few = replace(index, sources=index.sources[:1])
    build_cache(few, tmp_path / "out", AUDIO)
    other = replace(AUDIO, **changes)
    there = " against ".join(reversed(field.partition(": ")[2].split(" against ")))
    with pytest.raises(ClipSpecMismatch) as error:
        PreparedCorpus.open(tmp_path / "out", other)
    assert f"{field.partition(':')[0]}: {there}" in str(error.value)
    with pytest.raises(ClipSpecMismatch, match=field.partition(":")[0]):
        build_cache(few, tmp_path / "out", other)


def test_folders_that_are_not_ours(wavs: Path, tmp_path: Path) -> None:
    index = index_corpus("folder", wavs, AUDIO)
    few = replace(index, sources=index.sources[:1])
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("")
    with pytest.raises(CorpusError, match="the folder holds something else"):
        build_cache(few, tmp_path / "full", AUDIO)
    with pytest.raises(CorpusError, match="no prepared corpus"):
        PreparedCorpus.open(tmp_path / "full")
    build_cache(few, tmp_path / "out", AUDIO)
    with pytest.raises(CorpusError, match="different settings: corpus 'folder' != 'cremad'"):
        build_cache(replace(few, corpus="cremad"), tmp_path / "out", AUDIO)
    with pytest.raises(CorpusError, match="different settings: lossless False != True"):
        build_cache(few, tmp_path / "out", AUDIO, lossless=True)
    head = tmp_path / "out" / "corpus.json"
    values = json.loads(head.read_text())
    head.write_text(json.dumps({**values, "format": 99}))
    with pytest.raises(CorpusError, match="format 99, this version of avtca reads 2"):
        PreparedCorpus.open(tmp_path / "out")
    head.write_text("{")
    with pytest.raises(CorpusError, match=r"corpus\.json is broken"):
        PreparedCorpus.open(tmp_path / "out")
    (tmp_path / "file").write_text("")
    with pytest.raises(CorpusError, match="check the folder"):
        build_cache(few, tmp_path / "file" / "out", AUDIO)


def test_samples_of_a_cache_of_0_1_are_reused(wavs: Path, tmp_path: Path) -> None:
    from safetensors.numpy import load, save

    out, index = tmp_path / "out", index_corpus("folder", wavs, AUDIO)
    build_cache(index, out, AUDIO)
    for path in out.glob("clips/*/*.safetensors"):
        row = dict(read_row(path) or {})
        row["recipe"] = row.pop("cache_key")
        path.write_bytes(save(load(path.read_bytes()), metadata={"row": json.dumps(row)}))
    metadata = json.loads((out / "corpus.json").read_text())
    (out / "corpus.json").write_text(json.dumps({**metadata, "format": 1}))
    assert build_cache(index, out, AUDIO).reused == 12
    assert PreparedCorpus.open(out).meta["format"] == 2


def test_samples_named_twice_are_refused(wavs: Path, tmp_path: Path) -> None:
    index = index_corpus("folder", wavs, AUDIO)
    twice = replace(index, sources=(*index.sources, index.sources[0]))
    with pytest.raises(CorpusError, match="is there twice"):
        build_cache(twice, tmp_path / "out", AUDIO)


def test_a_damaged_cache_is_found_out(wavs: Path, tmp_path: Path) -> None:
    index = index_corpus("folder", wavs, AUDIO)
    build_cache(index, tmp_path / "out", AUDIO)
    corpus = PreparedCorpus.open(tmp_path / "out")
    sample = corpus.samples[3]
    path = sample_path(tmp_path / "out", sample)
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    with pytest.raises(CorpusError, match=f"sample {sample} is not what was prepared"):
        corpus.verify()
    with pytest.raises(CorpusError, match="its file is broken"):
        corpus.raw(sample)
    path.unlink()
    with pytest.raises(CorpusError, match="no file for it"):
        corpus.raw(sample)
    assert build_cache(index, tmp_path / "out", AUDIO).reused == 11
    assert path.read_bytes() == whole


def test_lossless_keeps_every_bit_and_compressed_nearly(corpora: Path, tmp_path: Path) -> None:
    """The cache gives what the media room and the face room give for the file itself."""
    from avtca import preprocess
    from avtca.faces import best_detector, track_faces
    from avtca.media import open_media

    spec = ClipSpec(crop_px=96)
    path = corpora / "cremad" / "1001_DFA_NEU_XX.flv"
    (tmp_path / "c.csv").write_text(f"path,label\n{path},neutral\n")
    index = index_corpus("folder", tmp_path / "c.csv", spec)
    build_cache(index, tmp_path / "exact", spec, lossless=True)
    build_cache(index, tmp_path / "small", spec)
    clip = open_media(path)
    wave = np.concatenate(list(clip.audio(spec.sample_rate)))
    steps, crops = [], []
    for frame, faces in track_faces(clip.frames(spec.video_rate), best_detector(), spec.crop_px):
        for face in faces:
            steps.append(frame.step)
            crops.append(face.crop)
    video, mask = preprocess.video_window(np.array(steps), np.stack(crops), 0, spec)
    audio, audio_mask = preprocess.audio_window(wave[: spec.window_samples], spec)
    exact = PreparedCorpus.open(tmp_path / "exact")
    made = exact.windows(exact.samples[0])
    np.testing.assert_array_equal(made.video[0], video)
    np.testing.assert_array_equal(made.video_mask[0], mask)
    np.testing.assert_array_equal(made.audio[0], audio)
    np.testing.assert_array_equal(made.audio_mask[0], audio_mask)
    small = PreparedCorpus.open(tmp_path / "small")
    near = small.windows(small.samples[0])
    assert np.abs(near.video - made.video).mean() < 3 / 255
    raw = small.raw(small.samples[0])
    assert np.abs(raw.wave - wave).max() <= 0.5 / 32768 + 1e-7
    assert small.meta["bytes"] < exact.meta["bytes"] / 3


def test_progress_counts_every_sample(wavs: Path, tmp_path: Path) -> None:
    seen: list[tuple[str, int, int | None]] = []
    index = index_corpus("folder", wavs, AUDIO)
    build_cache(index, tmp_path / "out", AUDIO, progress=lambda *at: seen.append(at))
    assert seen == [("read samples", k, 12) for k in range(1, 13)]
    seen.clear()
    build_cache(index, tmp_path / "out", AUDIO, progress=lambda *at: seen.append(at))
    assert seen == [("read samples", 12, 12)]
