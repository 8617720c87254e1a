"""Manifests, globs and addresses become recordings; shards of them never overlap."""

import zipfile
from pathlib import Path

import pytest

from avtca.annotate import remote
from avtca.annotate.recordings import Recording, Shard, find_recordings
from avtca.errors import AvtcaError, ConfigError, CorpusError, MissingExtra


def written(path: Path, text: str) -> list[str]:
    path.write_text(text, encoding="utf-8")
    return [str(path)]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("m.csv", "ID;Path;start;end;note\n7;a.wav;0:01;2,5;x\n8;sub\\b.wav;;;y\n"),
        ("m.tsv", "id\tpath\tstart\tend\n7\ta.wav\t1\t2.5\n8\tsub\\b.wav\t\t\n"),
    ],
)
def test_a_sheet(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "sub").mkdir()
    found = find_recordings(written(tmp_path / name, text))
    assert found == [
        Recording("7", "a.wav", str(tmp_path / "a.wav"), 1.0, 2.5),
        Recording("8", "sub\\b.wav", str(tmp_path / "sub" / "b.wav")),
    ]


def test_parquet_and_text(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    columns = {"path": ["a.wav", "a.wav"], "start": [None, 1.5], "end": [2.0, None], "x": [1, 2]}
    parquet.write_table(pyarrow.table(columns), tmp_path / "m.parquet")
    source = str(tmp_path / "a.wav")
    assert find_recordings([str(tmp_path / "m.parquet")]) == [
        Recording("a.wav#t=0,2", "a.wav", source, 0.0, 2.0),
        Recording("a.wav#t=1.5", "a.wav", source, 1.5),
    ]
    lines = "a.wav\n\n  zip://b.wav::c.zip \na.wav\n"
    assert find_recordings(written(tmp_path / "m.txt", lines)) == [
        Recording("a.wav", "a.wav", source),
        Recording("zip://b.wav::c.zip", "zip://b.wav::c.zip", f"zip://b.wav::{tmp_path}/c.zip"),
    ]


def test_a_row_with_a_mistake_is_a_recording_with_an_error(tmp_path: Path) -> None:
    rows = "id,path,start\n1,a.wav,soon\n2,,\n3,foo://x/a.wav,\n"
    one, two, three = find_recordings(written(tmp_path / "m.csv", rows))
    assert "row 2 of" in one.error and "'soon' is no time" in one.error and one.id == "1"
    assert "row 3 of" in two.error and "it has no path" in two.error and two.id == "2"
    assert three.error == ""  # found out where it is read
    rows = "path,start\na.wav,soon\n"
    assert find_recordings(written(tmp_path / "n.csv", rows))[0].id == "row 2 of n.csv"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("id,path\n1,a.wav\n1,b.wav\n", "annotate recording 1: it is a.wav and b.wav; give each"),
        ("id,path,end\n1,a.wav,1\n1,a.wav,2\n", "it is a.wav#t=0,1 and a.wav#t=0,2"),
        ("id,path\n,a.wav\n", "row 2 has no id; fill in the column id"),
        ("name\na.wav\n", "it has no column path, only: name"),
        ("id,path\n1,s3://x/a.wav\n", "s3:// needs a client"),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str, why: str) -> None:
    if "s3" in text and remote_installed("s3fs"):
        pytest.skip("s3fs is installed")
    with pytest.raises(AvtcaError) as error:
        find_recordings(written(tmp_path / "m.csv", text))
    assert why in str(error.value) and "\n" not in str(error.value)


def remote_installed(name: str) -> bool:
    import importlib.util

    return importlib.util.find_spec(name) is not None


def test_files_folders_and_globs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "talks").mkdir()
    for name in ("talks/b.wav", "talks/a.mp4", "talks/notes.txt", "c.wav"):
        (tmp_path / name).touch()
    found = find_recordings(["talks", "*.wav", "talks/a.mp4", "gone.wav"])
    assert [one.id for one in found] == ["talks/a.mp4", "talks/b.wav", "c.wav", "gone.wav"]
    assert found[0] == Recording("talks/a.mp4", "talks/a.mp4", str(tmp_path / "talks" / "a.mp4"))
    assert "no such file" in found[3].error
    with pytest.raises(AvtcaError, match="no media file matches"):
        find_recordings(["*.mkv"])
    with pytest.raises(CorpusError, match="it is empty"):
        find_recordings(written(tmp_path / "m.txt", " \n"))
    with pytest.raises(ConfigError, match="beside other sources"):
        find_recordings(["m.txt", "c.wav"])
    with pytest.raises(CorpusError, match="is no Parquet file"):
        find_recordings(written(tmp_path / "m.parquet", "x"))


def test_addresses_of_a_glob(tmp_path: Path) -> None:
    fsspec = pytest.importorskip("fsspec")
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        for name in ("b.wav", "in/a.wav", "notes.txt"):
            archive.writestr(name, b"")
    where = f"::file://{tmp_path}/z.zip"
    found = find_recordings([f"zip://**{where}"])
    assert [one.source for one in found] == [f"zip://b.wav{where}", f"zip://in/a.wav{where}"]
    memory = fsspec.filesystem("memory")
    memory.pipe("/talks/a.wav", b"RIFF")
    memory.pipe("/talks/b.txt", b"")
    assert [one.id for one in find_recordings(["memory://talks"])] == ["memory:///talks/a.wav"]
    with remote.RemoteFile("memory://talks/a.wav") as file:
        assert file.read(2) == b"RI" and file.read() == b"FF"
    with pytest.raises(ConfigError, match="no media file matches"):
        find_recordings(["memory://talks/*.mp4"])
    with pytest.raises(AvtcaError, match=r"read memory://gone\.wav: FileNotFoundError"):
        remote.RemoteFile("memory://gone.wav")
    assert remote.local_path("file:///a%20b c.wav") == "/a%20b c.wav"
    assert remote.local_path("zip://a.wav::b.zip") is None


def test_a_missing_fsspec_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "fsspec", None)
    with pytest.raises(MissingExtra, match=r"pip install 'avtca\[annotate\]'"):
        find_recordings(["s3://x/a.wav"])


def test_shards() -> None:
    recordings = [Recording(f"r{k}", "", "") for k in range(1000)]
    counts = [sum(Shard(k, 4).holds(one) for one in recordings) for k in range(1, 5)]
    assert sum(counts) == 1000 and min(counts) > 200
    assert Shard.parse("3/16") == Shard(3, 16) and Shard(3, 16).name == "shard-3-of-16"
    # The part of an id must stay what it is: folders of earlier calls depend on it.
    assert [Shard(k, 4).holds(Recording("r1", "", "")) for k in range(1, 5)].index(True) == 0
    for text in ("0/2", "3/2", "1/0", "1", "a/b", "-1/2"):
        with pytest.raises(ConfigError, match="write --shard k/n"):
            Shard.parse(text)
