"""`avtca predict` as its user meets it: a process, its exit status, its two streams."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_line import SMALL, avtca

from avtca.labels import CREMAD, SEVEN

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def six(corpora):
    return sorted((corpora / "cremad").glob("*.flv"))


@pytest.fixture(scope="module")
def predicted(six, sample_clips, tmp_path_factory):
    """The real clips with a face or a voice through one call, with everything it can write."""
    out = tmp_path_factory.mktemp("out")
    clips = [*six, *sorted(sample_clips.glob("[!p]*.m[po]*"))]
    done = avtca("predict", *clips, "--format", "json", "--out", out)
    return done, out, clips


def test_json_and_nothing_else_on_standard_output(predicted):
    done, _, clips = predicted
    rows = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert [row["file"] for row in rows] == [str(clip) for clip in clips]
    for row in rows:
        assert set(row["scores"]) == set(SEVEN)
        assert sum(row["scores"].values()) == pytest.approx(1, abs=1e-3)
        assert row["top"] == max(row["scores"], key=row["scores"].get)
        assert {"timeline", "coverage", "warnings", "model"} <= set(row)
        assert row["confidence"] == row["scores"][row["top"]]
        assert (row["sure_from"] is None) == (row["streams"] == "mixed")
        assert (row["sure"] is None) == (row["streams"] == "mixed" and "doubts" not in row)
        assert ("short track" in row.get("doubts", ())) == row["file"].endswith("noface_face.mov")
        for window in row["timeline"]:
            assert window["end_s"] > window["start_s"]


def test_real_clips_have_the_faces_and_voices_they_have(predicted):
    rows = {Path(row["file"]).name: row for row in json.loads(predicted[0].stdout)}
    for name, row in rows.items():
        if name.endswith(".flv") or name.startswith("01-01"):
            assert row["coverage"]["face"] > 0.9, name
            assert row["coverage"]["voice"] > 0.2, name
            assert row["coverage"]["read"] == 1
    assert rows["no_face.mp4"]["coverage"]["face"] == 0
    assert 0 < rows["noface_face.mov"]["coverage"]["face"] < 0.8
    assert rows["short_hamilton_clip.mp4"]["coverage"]["face"] > 0.3


def test_most_of_the_six_are_named_as_they_were_acted(predicted):
    """Printed for the reader; the figure that counts is in benchmarks/results."""
    rows = {Path(row["file"]).name: row for row in json.loads(predicted[0].stdout)}
    right = 0
    for name, row in rows.items():
        if name.startswith("1001_"):
            wanted = CREMAD[name.split("_")[2]]
            print(name, "acted", wanted, "recognised", row["top"], row["scores"][row["top"]])
            right += row["top"] == wanted
    assert right >= 2


def test_the_folder_holds_a_page_pictures_json_and_csv(predicted):
    done, out, clips = predicted
    page = (out / "report.html").read_text(encoding="utf-8")
    assert page.count("<article ") == len(clips)
    seen = [clip for clip in clips if (out / f"{clip.name}.faces.jpg").is_file()]
    assert [clip.name for clip in clips if clip not in seen] == ["no_face.mp4"]
    assert page.count("data:image/jpeg;base64,") == len(seen)
    assert "http://" not in page
    assert "https://" not in page
    for ending in ("png", "csv", "json"):
        assert all((out / f"{clip.name}.{ending}").is_file() for clip in clips)
    assert len(list(out.iterdir())) == 3 * len(clips) + len(seen) + 3
    first = json.loads((out / f"{clips[0].name}.json").read_text())
    assert first["file"] == str(clips[0])
    assert not list(out.glob(".*"))
    rows = list(csv.DictReader((out / "summary.csv").open(encoding="utf-8")))
    assert [row["file"] for row in rows] == [str(clip) for clip in clips]
    assert [row["top"] for row in rows] == [row["top"] for row in json.loads(done.stdout)]


def test_table_and_csv(six):
    table = avtca("predict", six[0])
    assert six[0].name in table.stdout
    assert "confidence" in table.stdout
    assert "face seen, voice heard: share of the file" in table.stdout
    text = avtca("predict", *six[:2], "--format", "csv").stdout
    rows = list(csv.DictReader(io.StringIO(text)))
    assert {Path(row["file"]).name for row in rows} == {clip.name for clip in six[:2]}
    assert all(0 <= float(row["happy"]) <= 1 for row in rows)


@pytest.fixture
def bad(tmp_path, six):
    """One of each file that users give by mistake, and a good one."""
    (tmp_path / "text.mp4").write_text("not a film")
    (tmp_path / "empty.mp4").touch()
    whole = six[0].read_bytes()
    (tmp_path / "stub.flv").write_bytes(whole[:200])
    (tmp_path / "good.flv").write_bytes(whole)
    (tmp_path / "album").mkdir()
    (tmp_path / "album" / "note.txt").write_text("no media here")
    return tmp_path


def test_each_bad_file_is_one_line_and_the_good_one_is_done(bad):
    names = ["text.mp4", "empty.mp4", "stub.flv", "album", "missing.mp4", "good.flv"]
    done = avtca("predict", *names, "--format", "json", cwd=bad)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    rows = {row["file"]: row for row in json.loads(done.stdout)}
    assert "top" in rows["good.flv"]
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 5
    for name in names[:-1]:
        assert set(rows[name]) == {"file", "error"}
        assert sum(name in line for line in errors) == 1
        assert ";" in rows[name]["error"]
    assert "5 of 6 could not be read" in done.stderr


def test_mistakes_in_the_call_are_one_line(six, tmp_path):
    (tmp_path / "file").touch()
    calls = [
        ("predict", six[0], "--model", tmp_path / "nowhere"),
        ("predict", six[0], "--window", "99"),
        ("predict", "gone.mp4", "--window", "nan"),
        ("predict", "gone.mp4", "--hop", "inf"),
        ("predict", six[0], "--hop", "0"),
        ("predict", six[0], "--detector", "eyes"),
        ("predict", six[0], "--out", tmp_path / "file"),
        ("predict", six[0], "--device", "warp"),
    ]
    for call in calls:
        done = avtca(*call)
        assert done.returncode == 2, (call, done.stderr)
        assert done.stdout == ""
        assert len(done.stderr.strip().splitlines()) == 1, (call, done.stderr)
        assert done.stderr.startswith("error: "), (call, done.stderr)


def test_debug_shows_the_traceback(tmp_path):
    done = avtca("--debug", "predict", "x.mp4", "--model", tmp_path)
    assert done.returncode == 2
    assert "Traceback" in done.stderr


def test_debug_shows_the_traceback_of_a_file_that_cannot_be_read(tmp_path):
    (tmp_path / "text.mp4").write_text("not a film")
    done = avtca("--debug", "predict", "text.mp4", cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" in done.stderr and "error: read text.mp4: " in done.stderr


def test_names_are_printed_as_they_are(tmp_path, six):
    """And in two folders, with as much of the path as tells them apart."""
    for name in ("[b]/[red]x.flv", "c/[red]x.flv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(six[0].read_bytes())
    done = avtca("predict", "[b]/[red]x.flv", "c", "[/b].mp4", "--out", "[/o]", cwd=tmp_path)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "error: read [/b].mp4: " in done.stderr
    first = done.stdout.splitlines()[1:3]
    assert [line.split()[0] for line in first] == ["[b]/[red]x.flv", "c/[red]x.flv"]
    rows = list(csv.DictReader((tmp_path / "[/o]" / "summary.csv").open(encoding="utf-8")))
    assert [bool(row["error"]) for row in rows] == [False, False, True]
    assert len(list((tmp_path / "[/o]").glob("*.png"))) == 2


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_stopped_it_prints_what_is_done_and_goes_on_later(six, sample_clips, tmp_path):
    """One short clip is done while the long one is read."""
    out = tmp_path / "out"
    clips = [six[0], sample_clips / "obama_speech.mp4", six[1]]
    command = [sys.executable, "-m", "avtca", "predict", *clips, "--out", out, "--format", "json"]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(list(map(str, command)), env=SMALL, **streams) as process:
        limit = time.monotonic() + 60
        while not (out / "avtca-manifest.json").exists() and time.monotonic() < limit:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        printed, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert [row["file"] for row in json.loads(printed)] == [str(six[0])]
    assert (out / "report.html").read_text(encoding="utf-8").count("<article ") == 1
    assert said.splitlines()[-1] == "stopped after 1 of 3; run the same command again to resume"

    again = avtca("predict", six[0], six[1], "--out", out, "--format", "json")
    assert again.returncode == 0, again.stderr
    assert "(already recognised)" in again.stderr.splitlines()[0]
    assert again.stderr.count("(already recognised)") == 1
    rows = json.loads(again.stdout)
    assert rows[0] == json.loads(printed)[0]
    assert [row["file"] for row in rows] == [str(six[0]), str(six[1])]
    assert (out / "report.html").read_text(encoding="utf-8").count("<article ") == 2


@pytest.mark.skipif(os.name == "nt", reason="no locks of folders")
def test_two_processes_do_not_write_to_one_folder(six, sample_clips, tmp_path):
    out = tmp_path / "out"
    slow, streams = sample_clips / "obama_speech.mp4", {"stderr": subprocess.PIPE, "text": True}
    command = [sys.executable, "-m", "avtca", "predict", six[0], slow, "--out", out]
    with subprocess.Popen(list(map(str, command)), env=SMALL, **streams) as process:
        limit = time.monotonic() + 60
        while not (out / "avtca-manifest.json").exists() and time.monotonic() < limit:
            time.sleep(0.02)
        process.send_signal(signal.SIGSTOP)  # else it may end before the second one has started
        second = avtca("predict", six[1], "--out", out)
        process.kill()
    assert second.returncode == 2
    assert second.stderr == (
        f"error: write {out}: another avtca writes to this folder; wait until it ends, or choose "
        "another --out\n"
    )
    third = avtca("predict", *six[:2], "--out", out)
    assert third.returncode == 0, "the lock of a killed process is free"
    assert third.stderr.count("(already recognised)") == 1
    manifest = json.loads((out / "avtca-manifest.json").read_text(encoding="utf-8"))
    assert [Path(name).name for name in manifest["files"]] == [Path(x).name for x in six[:2]]


def test_a_disk_that_fills_up_ends_it_with_the_results(six, tmp_path):
    """No file may grow past 1 kB: the trial write succeeds, the picture's does not."""

    resource = pytest.importorskip("resource", reason="POSIX limits")

    def small_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))

    command = [sys.executable, "-m", "avtca", "predict", *six[:2], "--out", tmp_path / "out"]
    done = subprocess.run(
        [*map(str, command), "--format", "json"],
        capture_output=True,
        text=True,
        env=SMALL,
        preexec_fn=small_files,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert [row["file"] for row in json.loads(done.stdout)] == [str(six[0])]
    assert done.stderr.splitlines()[-1].startswith(f"error: write {tmp_path / 'out'}: ")
    assert "Traceback" not in done.stderr and "internal" not in done.stderr


def test_a_row_a_file_for_a_study_with_those_that_failed(six, corpora, tmp_path):
    voice = next(iter(sorted((corpora / "ravdess" / "audio").glob("*.flac"))))
    done = avtca("predict", six[0], tmp_path / "gone.mp4", voice, "--format", "summary")
    assert done.returncode == 2
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [bool(row["error"]) for row in rows] == [False, True, False]
    assert [row["streams"] for row in rows] == ["both", "", "voice"]
    assert rows[0]["sure"] in ("true", "false") and rows[2]["sure"] == "false"
    assert sum(float(rows[0][name]) for name in SEVEN) == pytest.approx(1, abs=1e-3)


def test_the_input_is_never_touched(six):
    before = [(clip.stat().st_mtime_ns, clip.read_bytes()) for clip in six[:1]]
    avtca("predict", six[0])
    assert before == [(clip.stat().st_mtime_ns, clip.read_bytes()) for clip in six[:1]]


def test_the_example_keeps_files_apart_and_says_how_it_is_called(six, corpora, tmp_path):
    voice = next(iter(sorted((corpora / "ravdess" / "audio").glob("*.flac"))))
    for source, name in ((six[3], "a/x.flv"), (voice, "b/x.flac")):
        (tmp_path / "in" / name).parent.mkdir(parents=True)
        (tmp_path / "in" / name).write_bytes(source.read_bytes())
    example = Path(__file__).parents[2] / "examples" / "predict_folder.py"
    command = [sys.executable, str(example)]
    usage = subprocess.run(command, capture_output=True, text=True, check=False)
    assert usage.returncode == 1 and usage.stderr.startswith("usage: python examples/")
    command += ["in", "out"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].startswith("a/x.flv: surprise ")
    assert done.stdout.splitlines()[0].endswith("% (below threshold)")
    assert done.stdout.splitlines()[1].endswith("% (below threshold)")
    assert (tmp_path / "out/a/x.flv.csv").is_file() and (tmp_path / "out/b/x.flac.csv").is_file()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems forbid such names")
def test_names_that_cannot_be_printed_are_escaped_and_resume(tmp_path, six):
    clips, out = tmp_path / "clips", tmp_path / "out"
    clips.mkdir()
    raw = [b"M\xfcller.flv", b"a\nok.flv: happy 99%, 1.0 s.flv", b"\x1b[2Jred.flv"]
    for name in raw:
        (clips / os.fsdecode(name)).write_bytes(six[0].read_bytes())
    (clips / os.fsdecode(b"bad\xff\x1b.mp4")).write_bytes(b"no media")
    escaped = [r"M\xfcller.flv", r"a\nok.flv: happy 99%, 1.0 s.flv", r"\x1b[2Jred.flv"]
    first = avtca("predict", clips, "--out", out, "--format", "json")
    assert first.returncode == 2, first.stderr
    rows = json.loads(first.stdout)
    assert {row["file"] for row in rows} == {f"{clips}/{x}" for x in [*escaped, r"bad\xff\x1b.mp4"]}
    assert "\x1b" not in first.stdout + first.stderr
    assert not [line for line in first.stderr.splitlines() if line.startswith("ok.flv")]
    page = (out / "report.html").read_text(encoding="utf-8")
    assert page.count("<article ") == 3 and page.count('<h3 id="failed-') == 1
    assert all(name in page for name in escaped)
    reports = [json.loads(path.read_text()) for path in out.glob("*.flv-*.json")]
    assert {Path(report["file"]).name for report in reports} == set(escaped)
    again = avtca("predict", clips, "--out", out, "--format", "json")
    assert again.returncode == 2
    assert again.stderr.count("(already recognised)") == 3
    assert json.loads(again.stdout) == rows


def test_tracks_are_chosen_by_number(shared, tmp_path):
    clip = shared / "faults/obs.mkv"
    first = avtca("predict", clip, "--audio-track", 1, "--format", "json", "--out", tmp_path)
    (row,) = json.loads(first.stdout)
    assert row["streams"] == "face" and "2 audio tracks: track 1 is used" in row["warnings"]
    second = avtca("predict", clip, "--format", "json", "--out", tmp_path)
    assert json.loads(second.stdout)[0]["streams"] == "both"  # not the report of the first track
    missing = avtca("predict", clip, "--video-track", 2)
    assert missing.returncode == 2
    assert f"read video track 2 of {clip}: there is no such track: it has one" in missing.stderr


def test_standard_input(six, tmp_path):
    def piped(data, *options):
        command = [sys.executable, "-m", "avtca", "predict", "-", *map(str, options)]
        return subprocess.run(command, input=data, capture_output=True, env=SMALL, check=False)

    from_file = json.loads(avtca("predict", six[0], "--format", "json").stdout)[0]
    done = piped(six[0].read_bytes(), "--format", "json", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)
    assert row == {**from_file, "file": "standard input"}
    assert (tmp_path / "standard input.json").is_file()
    again = piped(six[1].read_bytes(), "--format", "json", "--out", tmp_path)
    assert json.loads(again.stdout)[0]["scores"] != row["scores"]  # another recording
    empty = piped(b"")
    assert empty.returncode == 2 and b"read standard input: the file is empty" in empty.stderr


def test_a_pipe_given_by_name(six, tmp_path):
    done = subprocess.run(
        f"'{sys.executable}' -m avtca predict <(cat '{six[0]}') --format json",
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        env=SMALL,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0]["top"] == "angry"
