"""Anybody's own clips: a CSV or folders, and what can be wrong with them."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from corpora_made import AUDIO, write_wav

from avtca.corpora import PreparedCorpus, build_cache, index_corpus
from avtca.corpora.cache_files import to_csv
from avtca.corpora.folder import index_folder
from avtca.errors import CorpusError


def table(folder: Path, text: str) -> Path:
    write_wav(folder / "a.wav", 3.0, seed=1)
    write_wav(folder / "b.wav", 1.0, seed=2)
    path = folder / "clips.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_folders_by_label_and_speaker(wavs: Path, tmp_path: Path) -> None:
    index = index_corpus("folder", wavs, AUDIO)
    build_cache(index, tmp_path / "out", AUDIO)
    corpus = PreparedCorpus.open(tmp_path / "out")
    assert corpus.labels == ("happy", "sad")
    assert corpus.samples == sorted(
        f"{e}/{s}/{n}" for e in ("happy", "sad") for s in "abc" for n in "01"
    )
    assert corpus.manifest["speaker"].tolist() == ["a", "a", "b", "b", "c", "c"] * 2
    assert len({corpus.raw(sample).wave.tobytes() for sample in corpus.samples}) == 12


def test_folders_of_sides_words_of_labels_and_pairs(tmp_path: Path) -> None:
    write_wav(tmp_path / "train" / "Happiness" / "x.wav")
    write_wav(tmp_path / "train" / "happy" / "y.wav")
    write_wav(tmp_path / "dev" / "sad" / "z.wav")
    (tmp_path / "dev" / "sad" / "z.mp4").write_bytes(b"")
    (tmp_path / "dev" / "sad" / "notes.txt").write_text("")
    index = index_corpus("folder", tmp_path, AUDIO)
    sides = {source.sample_id: (source.label, source.fields["split"]) for source in index.sources}
    assert sides == {
        "train/Happiness/x": ("happy", "train"),
        "train/happy/y": ("happy", "train"),
        "dev/sad/z": ("sad", "validation"),
    }
    pair = next(source for source in index.sources if source.label == "sad")
    assert (pair.video, pair.audio) == tuple(
        tmp_path / "dev/sad" / f"z.{s}" for s in ("mp4", "wav")
    )
    assert index.skipped == (("dev/sad/notes.txt", "not media"),)
    assert "Happiness, happy are merged as happy" in index.notes
    assert any("3 samples without a speaker" in note for note in index.notes)


def test_two_files_of_one_name_are_no_pair(tmp_path: Path) -> None:
    """A film and an audio are a sample; what is left over is said, not lost."""
    for name in ("a.WAV", "a.mp4", "a.avi", "a.flac", "b.flac", "b.wav"):
        write_wav(tmp_path / "sad" / name)
    index = index_corpus("folder", tmp_path, AUDIO)
    files = {
        source.sample_id: (source.video and source.video.name, source.audio and source.audio.name)
        for source in index.sources
    }
    assert files == {"sad/a": ("a.avi", "a.WAV"), "sad/b": (None, "b.flac")}
    why = "another file has the same name"
    assert dict(index.skipped) == dict.fromkeys(("sad/a.flac", "sad/a.mp4", "sad/b.wav"), why)


def test_one_file_by_two_paths(tmp_path: Path) -> None:
    path = table(tmp_path, f"path,label\na.wav,sad\n{tmp_path / 'a.wav'},happy\n")
    with pytest.raises(CorpusError, match=r"lines 2 and 3 both name /.*a\.wav"):
        index_corpus("folder", path, AUDIO)


def test_a_csv_with_segments(tmp_path: Path) -> None:
    text = (
        "path,label,speaker,start,end,split\n"
        "a.wav,Happy,p1,0,1,train\n"
        "a.wav,sad,p1,1.5,2.5,test\n"
        "b.wav,sad,p2,,,val\n"
    )
    index = index_corpus("folder", table(tmp_path, text), AUDIO)
    build_cache(index, tmp_path / "out", AUDIO)
    corpus = PreparedCorpus.open(tmp_path / "out")
    assert corpus.samples == ["a@0-1", "a@1.5-2.5", "b"]
    assert corpus.manifest["split"].tolist() == ["train", "test", "validation"]
    whole = index_corpus("folder", table(tmp_path / "w", "path,label\na.wav,sad\n"), AUDIO)
    build_cache(whole, tmp_path / "w" / "out", AUDIO)
    wave = PreparedCorpus.open(tmp_path / "w" / "out").raw("a").wave
    second = corpus.raw("a@1.5-2.5")
    start_step = int(1.5 * AUDIO.video_rate)  # 1.4 s: the step that holds the start
    first = round(start_step / AUDIO.video_rate * AUDIO.sample_rate)
    np.testing.assert_array_equal(second.wave, wave[first : round(2.5 * AUDIO.sample_rate)])
    assert second.duration_s == pytest.approx(1.1)


def test_a_segment_of_a_video_is_what_the_whole_shows(corpora: Path, tmp_path: Path) -> None:
    from avtca.clipspec import ClipSpec

    spec = ClipSpec(crop_px=48, sample_rate=8000)
    clip = corpora / "cremad" / "1001_DFA_ANG_XX.flv"
    (tmp_path / "c.csv").write_text(
        f"path,label,start,end\n{clip},angry,,\n{clip},angry,0.96,1.9\n"
    )
    build_cache(
        index_corpus("folder", tmp_path / "c.csv", spec), tmp_path / "out", spec, lossless=True
    )
    corpus = PreparedCorpus.open(tmp_path / "out")
    cut, whole = (corpus.raw(sample) for sample in sorted(corpus.samples, key=len, reverse=True))
    first = 4  # 0.96 s at 4.17 steps a second
    rows = np.isin(whole.steps, cut.steps + first)
    assert rows.sum() == len(cut.steps) == 4
    # Faces are searched in every second frame, counted from where reading starts, and placed
    # between two searches in the others: there the crops differ by less than a pixel.
    difference = np.abs(cut.video.astype(float) - whole.video[rows]).mean(axis=(1, 2, 3))
    assert (difference[::2] == 0).all() and (difference < 8).all()
    np.testing.assert_array_equal(cut.wave, whole.wave[7680:15200])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("path,lable\na.wav,sad\n", "unknown column 'lable'; did you mean label"),
        ("path,label,speeker\na.wav,sad,x\n", "unknown column 'speeker'; did you mean speaker"),
        ("path,label,label\na.wav,sad,sad\n", "column 'label' is there twice"),
        ("path\na.wav\n", "no column 'label'"),
        ("path,label\na.wav,sad\nb.wav,sad\na.wav,happy\n", "lines 2 and 4 both name a.wav"),
        ("path,label\na.wav,\n", "line 2 has no label"),
        ("path,label\na.wav,sad,extra\n", "line 2 has 3 cells, the header 2"),
        ("path,label,start,end\na.wav,sad,2,1\n", "line 2: 2 .. 1 s is not a valid segment"),
        ("path,label,start,end\na.wav,sad,2,\n", "line 2 has only one of start and end"),
        ("path,label,start,end\na.wav,sad,0:61,2\n", "start '0:61' is not seconds"),
        ("path,label,start,end\na.wav,sad,1:60:00,2\n", "start '1:60:00' is not seconds"),
        ("path,label,split\na.wav,sad,holdout\n", "split 'holdout'"),
        ("path,label\na.wav,sad\n./a.wav,happy\n", "lines 2 and 3 both name ./a.wav"),
        ("path;labl\na.wav;sad\n", "unknown column 'labl'; did you mean label"),
        ("path,label\n", "no clip in it"),
        ("", "no column 'path'"),
    ],
)
def test_a_bad_csv_is_one_clear_line(tmp_path: Path, text: str, found: str) -> None:
    with pytest.raises(CorpusError) as error:
        index_corpus("folder", table(tmp_path, text), AUDIO)
    assert found in str(error.value) and "\n" not in str(error.value)


def test_a_labs_sheet_is_read(tmp_path: Path) -> None:
    """Semicolons or tabs, decimal commas, minutes, and columns of the lab's own."""
    text = (
        "participant;path;Label;start;end;condition\n"
        "7;a.wav;joy;0:01;0:02,5;interview\n7;a.wav;sad;62,25;1:03:00;\n"
    )
    for separator in (";", "\t"):
        index = index_corpus("folder", table(tmp_path, text.replace(";", separator)), AUDIO)
        found = [(one.label, one.start_s, one.end_s, one.speaker) for one in index.sources]
        assert found == [("happy", 1, 2.5, ""), ("sad", 62.25, 3780, "")]
        assert index.sources[0].fields == {"path": "a.wav"}


def test_a_path_that_is_a_folder_fails_alone(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", seed=1)
    index = index_corpus("folder", table(tmp_path, "path,label\n.,sad\na.wav,happy\n"), AUDIO)
    summary = build_cache(index, tmp_path / "out", AUDIO)
    assert summary.prepared == 1 and len(summary.failures) == 1
    assert "it is a folder" in summary.failures[0][2]


def test_a_csv_in_another_encoding(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_bytes("path,label\nü.wav,sad\n".encode("latin-1"))
    with pytest.raises(CorpusError, match="not a CSV in UTF-8"):
        index_corpus("folder", tmp_path / "c.csv", AUDIO)


NFC, NFD = "m\u00fcde.wav", "mu\u0308de.wav"


@pytest.mark.parametrize(
    ("on_disk", "in_csv"),
    [
        ("happy/a1.wav", "happy\\a1.wav"),
        ("happy/a1.wav", ".\\Happy\\A1.WAV"),
        (NFD, NFC),
        (NFC, NFD),
        (f"x/{NFD}", f"X\\{NFC}"),
    ],
)
def test_a_csv_of_another_system(tmp_path: Path, on_disk: str, in_csv: str) -> None:
    write_wav(tmp_path / on_disk, 1.0, seed=3)
    index = index_corpus("folder", table(tmp_path, f"path,label\n{in_csv},sad\n"), AUDIO)
    assert [source.audio for source in index.sources] == [tmp_path / on_disk]
    twice = table(tmp_path, f"path,label\n{in_csv},sad\n{on_disk},sad\n")
    with pytest.raises(CorpusError, match="lines 2 and 3 both name"):
        index_corpus("folder", twice, AUDIO)


def test_names_that_differ_in_case_alone(tmp_path: Path) -> None:
    """Two candidates are no match; the exact names are."""
    for name in ("x.wav", "X.wav"):
        write_wav(tmp_path / name, 1.0, seed=3)
    if len(list(tmp_path.iterdir())) == 1:
        pytest.skip("this file system ignores case")
    index = index_corpus("folder", table(tmp_path, "path,label\nx.wav,sad\nX.wav,happy\n"), AUDIO)
    assert [source.audio for source in index.sources] == [tmp_path / "x.wav", tmp_path / "X.wav"]
    index = index_corpus("folder", table(tmp_path, "path,label\nx.WAV,sad\n"), AUDIO)
    assert [source.audio for source in index.sources] == [tmp_path / "x.WAV"]


@pytest.mark.parametrize(
    ("encoding", "found"),
    [("utf-8-sig", ""), ("utf-16", "not a CSV in UTF-8"), ("utf-16-le", "zero byte")],
)
def test_encodings_of_a_csv(tmp_path: Path, encoding: str, found: str) -> None:
    write_wav(tmp_path / "a.wav", 1.0, seed=3)
    path = tmp_path / "c.csv"
    path.write_text("path,label\na.wav,sad\n", encoding=encoding)
    if not found:
        assert [source.sample_id for source in index_corpus("folder", path, AUDIO).sources] == ["a"]
        return
    with pytest.raises(CorpusError, match=found):
        index_corpus("folder", path, AUDIO)


@pytest.mark.skipif(os.name == "nt", reason="POSIX files")
def test_entries_that_are_no_regular_file_fail_alone(tmp_path: Path) -> None:
    write_wav(tmp_path / "sad" / "a.wav", 1.0, seed=3)
    os.mkfifo(tmp_path / "sad" / "pipe.wav")
    (tmp_path / "sad" / "device.wav").symlink_to("/dev/zero")
    (tmp_path / "sad" / "loop.wav").symlink_to("loop.wav")
    (tmp_path / "sad" / "gone.wav").symlink_to("nowhere.wav")
    lines = [f"sad/{path.name},sad" for path in sorted((tmp_path / "sad").iterdir())]
    table = tmp_path / "out" / "c.csv"
    table.parent.mkdir()
    table.write_text("path,label\n" + "\n".join(f"../{line}" for line in lines))
    for root in (tmp_path, table):
        summary = build_cache(index_corpus("folder", root, AUDIO), tmp_path / root.name, AUDIO)
        assert summary.prepared == 1
        why = {Path(sample).name: reason for sample, _, reason in summary.failures}
        assert "it is a pipe, socket or device" in why["pipe"]
        assert "it is a pipe, socket or device" in why["device"]
        assert "Too many levels of symbolic links" in why["loop"]
        assert "No such file" in why["gone"]


@pytest.mark.skipif(sys.platform != "linux", reason="names that are not UTF-8")
def test_names_that_cannot_be_printed(tmp_path: Path) -> None:
    for name in (b"s\x1b[31mad/s\n1/M\xfcller", b"happy/=s2/=1+1"):
        file = os.fsdecode(os.fsencode(tmp_path / "clips") + b"/" + name + b".wav")
        write_wav(Path(file), 1.0, seed=3)
    (tmp_path / "clips" / "happy" / "=s2" / "-bad.wav").write_bytes(b"junk")
    summary = build_cache(index_folder(tmp_path / "clips", AUDIO), tmp_path / "out", AUDIO)
    corpus = PreparedCorpus.open(tmp_path / "out")
    assert corpus.labels == ("happy", r"s\x1b[31mad")
    assert corpus.samples == ["happy/=s2/=1+1", r"s\x1b[31mad/s\n1/M\xfcller"]
    assert corpus.manifest["speaker"].tolist() == ["=s2", r"s\n1"]
    assert [sample for sample, _, _ in summary.failures] == ["happy/=s2/-bad"]


def test_no_cell_of_the_failures_is_a_formula() -> None:
    text = to_csv(("sample_id", "why"), [("=1+1", "a\nb"), ("M\udcfc", "fine")]).decode()
    assert text == "sample_id,why\n'=1+1,a\\nb\nM\\xfc,fine\n"


def test_what_a_csv_names_but_is_not_there_fails_alone(tmp_path: Path) -> None:
    text = "path,label,start,end\na.wav,sad,0,1\nb.wav,happy,5,6\ngone.wav,sad,,\n"
    index = index_corpus("folder", table(tmp_path, text), AUDIO)
    summary = build_cache(index, tmp_path / "out", AUDIO)
    assert summary.prepared == 1
    (late, late_file, late_why), (gone, _, gone_why) = summary.failures
    assert (late, late_file, gone) == ("b@5-6", "b.wav", "gone")
    assert "the file ends after 1.00 s" in late_why
    assert "No such file" in gone_why


@pytest.mark.parametrize("name", ["emodb", "nemo"])
def test_speech_corpora(corpora: Path, tmp_path: Path, name: str) -> None:
    index = index_corpus(name, corpora / name, AUDIO)
    assert len(index.sources) == {"emodb": 535, "nemo": 4481}[name]
    assert len({source.speaker for source in index.sources}) == {"emodb": 10, "nemo": 9}[name]
    assert {source.label for source in index.sources} == set(index.labels)
    from dataclasses import replace

    few = replace(index, sources=index.sources[:3])
    assert build_cache(few, tmp_path / "out", AUDIO).prepared == 3
    corpus = PreparedCorpus.open(tmp_path / "out")
    assert corpus.manifest["duration_s"].between(0.5, 10).all()


@pytest.mark.parametrize("name", ["cremad", "folder"])
def test_features_that_a_corpus_does_not_ship(corpora: Path, tmp_path: Path, name: str) -> None:
    from corpora_made import FEATURES

    (tmp_path / "c.csv").write_text("path,label\na.mp4,sad\n")
    root = corpora / "cremad" if name == "cremad" else tmp_path / "c.csv"
    with pytest.raises(CorpusError, match="video='features', the corpus ships none"):
        index_corpus(name, root, FEATURES)


def test_an_unknown_corpus(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="choose one of ravdess, cremad, mosei, folder"):
        index_corpus("iemocap", tmp_path, AUDIO)
