"""Files, folders and globs."""

import os
from pathlib import Path

import pytest

from avtca.media import MEDIA_SUFFIXES, find_media, skipped_text


@pytest.fixture
def tree(tmp_path) -> Path:
    media = ["b/2.MP4", "b/1.flv", "a.wav", "b/c/3.mkv"]
    hidden = [".hidden.mp4", "b/._1.flv", ".git/x.mp4"]
    for name in [*media, *hidden, "notes.txt", "none/readme.md"]:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path


def names(found, root):
    return [str(f.path.relative_to(root)) if f.path else None for f in found]


def test_a_folder_sorted_and_deep(tree):
    assert names(find_media([tree]), tree) == ["a.wav", "b/1.flv", "b/2.MP4", "b/c/3.mkv"]


def test_a_file_of_any_name(tree):
    assert names(find_media([tree / "notes.txt"]), tree) == ["notes.txt"]


def test_globs(tree):
    assert names(find_media([tree / "b/*"]), tree) == ["b/1.flv", "b/2.MP4", "b/c/3.mkv"]
    assert names(find_media([f"{tree}/**/*.flv"]), tree) == ["b/1.flv"]
    assert names(find_media([f"{tree}/*.txt"]), tree) == ["notes.txt"]
    assert names(find_media([f"{tree}/*"]), tree) == ["a.wav", "b/1.flv", "b/2.MP4", "b/c/3.mkv"]
    assert names(find_media([f"{tree}/**"]), tree) == ["a.wav", "b/1.flv", "b/2.MP4", "b/c/3.mkv"]


def test_relative_globs(tree, monkeypatch):
    monkeypatch.chdir(tree)
    assert [str(f.path) for f in find_media(["b/*.flv", "*.wav"])] == ["b/1.flv", "a.wav"]


def test_each_file_once_in_the_order_given(tree):
    found = find_media([tree / "b/2.MP4", tree / "b", tree / "b/1.flv"])
    assert names(found, tree) == ["b/2.MP4", "b/1.flv", "b/c/3.mkv"]


def test_errors_stand_beside_the_rest(tree):
    entries = [tree / "gone.mp4", tree / "none", f"{tree}/*.mov", tree / "a.wav"]
    found = find_media(entries)
    assert [f.entry for f in found] == [str(entry) for entry in entries]
    assert [f.path is None for f in found] == [True, True, True, False]
    assert [f.error.problem for f in found[:3]] == [
        "no such file or folder",
        "no media files in it",
        "no media file matches",
    ]
    assert found[3].error is None


def test_a_name_with_glob_characters_is_a_file_first(tree):
    path = tree / "take [1].mp4"
    path.write_bytes(b"x")
    assert names(find_media([path]), tree) == ["take [1].mp4"]


def test_a_link_in_a_circle_ends(tree):
    (tree / "b" / "loop").symlink_to(tree)
    assert len(find_media([tree])) == 4


def test_a_folder_below_that_cannot_be_read_is_said(tree, monkeypatch):
    """Root may read everything: the system's refusal is played."""
    scandir = os.scandir

    def refuse(path):
        if os.fspath(path) == str(tree / "b" / "c"):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    for entry in (tree, f"{tree}/*"):
        found = find_media([entry])
        assert names(found, tree) == ["a.wav", "b/1.flv", "b/2.MP4", None]
        locked = str(tree / "b" / "c")
        assert found[-1].entry == locked
        assert str(found[-1].error) == (
            f"read folder {locked}: Permission denied; allow reading it"
        )


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_only_regular_files_are_found(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"x")
    (tmp_path / "loop.mp4").symlink_to("loop.mp4")
    (tmp_path / "gone.mp4").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe.mp4")
    entries = [tmp_path, tmp_path / "loop.mp4", tmp_path / "pipe.mp4", "a\0b.mp4", "*\0.mp4"]
    found = find_media(entries)
    problems = {Path(f.entry).name: f.error.problem for f in found if f.error}
    assert names(found, tmp_path) == ["a.wav", *[None] * 4, "pipe.mp4", None, None]
    assert [one.is_pipe for one in found].index(True) == 5
    assert problems["pipe.mp4"] == "it is a pipe, socket or device"
    assert problems["gone.mp4"] == "no such file"
    assert "symbolic links" in problems["loop.mp4"]
    assert problems["a\0b.mp4"] == problems["*\0.mp4"] == "the name has a zero byte"


@pytest.mark.parametrize("entry", ["https://example.org/a.mp4?x=1", "rtsp://camera/1"])
def test_an_address_has_a_true_message(entry):
    (found,) = find_media([entry])
    assert found.entry == entry
    assert found.error.problem == "it is an address, and avtca does not use the network"


OLD = """
.mp4 .m4v .mov .mkv .webm .avi .flv .f4v .wmv .asf .mpg .mpeg .m2ts .mts
.3gp .3g2 .ogv .wav .flac .mp3 .m4a .aac .ogg .oga .opus .wma .aif .aiff
.au .amr .caf .jpg .jpeg .png .bmp .tif .tiff .webp .gif .ts .mxf
"""


def test_suffixes_are_those_that_ffmpeg_reads():
    assert set(OLD.split()) | {".heic", ".avif", ".jfif", ".vob", ".m4b", ".mk3d"} <= MEDIA_SUFFIXES
    others = {".txt", ".csv", ".json", ".pdf", ".docx", ".py", ".srt", ".m3u8", ".mks", ".html", ""}
    assert not others & MEDIA_SUFFIXES


def test_skipped_files_are_counted(tree):
    (tree / "b" / "more.TXT").write_bytes(b"x")
    (tree / "b" / "Makefile").write_bytes(b"x")
    skipped = set()
    found = find_media([tree, tree / "b", f"{tree}/*"], skipped)
    assert len([one for one in found if one.path]) == 4
    assert skipped_text(skipped) == (
        "4 files of other kinds were skipped: 1 .md, 2 .txt, 1 without a suffix"
    )
    assert skipped_text([]) == ""
    assert skipped_text([Path("a.doc")]) == "1 file of another kind was skipped: 1 .doc"


def test_files_of_a_report_are_not_counted(tmp_path):
    for name in ("avtca-manifest.json", "a.mp4.json", "a.mp4.png", "report.html", "b.wav"):
        (tmp_path / name).write_bytes(b"x")
    skipped = set()
    assert names(find_media([tmp_path], skipped), tmp_path) == ["b.wav"]
    assert skipped == set()
