"""The tables have each result once, whenever the process that writes them ends."""

import json
import resource
from pathlib import Path

import pytest

pytest.importorskip("pyarrow")

from pyarrow import parquet

from avtca.annotate import tables
from avtca.annotate.recordings import Recording, Shard
from avtca.annotate.result import failed, schemas
from avtca.annotate.tables import Tables
from avtca.errors import AvtcaError, ConfigError

LABELS = ("happy", "sad")
SCHEMAS = schemas(LABELS, "test")
SETTINGS = {"model": "test", "hop_steps": 5}


class Ended(BaseException):
    """Stands for the end of the process."""


def line(name: str, n_windows: int = 2) -> str:
    """A result without an error."""
    cells = {"id": name, "path": f"{name}.wav", "start_s": 0.0, "end_s": None, "status": "ok"}
    cells |= {"top": "happy", "sure": True, "happy": 0.75, "sad": 0.25, "windows": n_windows}
    rows = [
        [name, float(k), k + 2.0, None, "happy", "voice", 0.0, 0.5, 0.75, 0.25, *[None] * 5]
        for k in range(n_windows)
    ]
    return json.dumps({"recording": cells, "windows": rows})


def recording(name: str) -> Recording:
    return Recording(name, f"{name}.wav", f"/{name}.wav")


WHOLE = Shard()


def opened(out: Path, shard: Shard = WHOLE, **changes: object) -> Tables:
    return Tables(out, SETTINGS | changes, SCHEMAS, shard)


def ids(out: Path, table: str = "recordings") -> list[str]:
    return sorted(row["id"] for row in parquet.read_table(out / table).to_pylist())


def test_the_tables_have_what_was_added(tmp_path: Path) -> None:
    with opened(tmp_path / "out") as store:
        store.add(line("a"))
        store.add(line("a", 3))  # a second result of one recording
        store.add(failed(recording("b"), "read b.wav:\nit is \x1b[1mempty"))
        store.commit()
    first, second = parquet.read_table(tmp_path / "out" / "recordings").to_pylist()
    assert {name: first[name] for name in ("id", "status", "sure", "happy", "windows")} == {
        "id": "a", "status": "ok", "sure": True, "happy": 0.75, "windows": 2,
    }  # fmt: skip
    assert second["error"] == r"read b.wav: it is \x1b[1mempty" and second["top"] is None
    rows = parquet.read_table(tmp_path / "out" / "windows").to_pylist()
    assert [(row["id"], row["start_s"], row["person"], row["x0"]) for row in rows] == [
        ("a", 0.0, None, None),
        ("a", 1.0, None, None),
    ]
    assert parquet.read_schema(next((tmp_path / "out/windows").iterdir())).metadata == {
        b"model": b"test"
    }
    assert parquet.read_table(tmp_path / "out" / "windows").schema.names[-5:] == [
        "x0",
        "y0",
        "x1",
        "y1",
        "speaking",
    ]


def test_parts_are_written_as_results_come(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(tables, "PART_RECORDINGS", 3)
    with opened(tmp_path / "out") as store:
        for k in range(7):
            store.add(line(f"r{k}"))
        assert ids(tmp_path / "out") == [f"r{k}" for k in range(6)]
        assert (
            len((tmp_path / "out/.work/shard-1-of-1/journal.jsonl").read_text().splitlines()) == 1
        )
    with opened(tmp_path / "out") as store:  # as after kill -9: nothing was committed
        assert set(store.done) == {f"r{k}" for k in range(7)}
        store.commit()
    assert ids(tmp_path / "out") == [f"r{k}" for k in range(7)]


@pytest.mark.parametrize("moment", range(11))
def test_ended_at_any_write_each_result_is_there_once(tmp_path: Path, monkeypatch, moment) -> None:
    """The process ends before one of its writes and renames, and at the next time after it."""
    out, names = tmp_path / "out", [f"r{k}" for k in range(5)]
    monkeypatch.setattr(tables, "PART_RECORDINGS", 2)
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1
        if steps == moment + 1:
            raise Ended

    write = tables.write_atomic

    def write_atomic(*arguments, **options) -> None:
        step()
        write(*arguments, **options)
        step()

    monkeypatch.setattr(tables, "write_atomic", write_atomic)
    while True:
        try:
            with opened(out) as store:
                for name in names:
                    if name not in store.done:
                        store.add(line(name))
                store.commit()
            break
        except Ended:
            continue
    assert steps >= moment
    assert ids(out) == names
    assert ids(out, "windows") == sorted(2 * names)


def test_a_line_that_was_cut_and_files_that_were_left(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with opened(out) as store:
        store.add(line("a"))
        store.commit()
        store.add(line("b"))
    journal = out / ".work" / "shard-1-of-1" / "journal.jsonl"
    whole = line("a") + "\n" + journal.read_text()  # as if the journal had not been emptied
    journal.write_text(whole + line("c")[:40])
    part = out / "windows" / "shard-1-of-1-part-000001.parquet"
    (out / "windows" / "shard-1-of-1-part-000002.parquet").write_bytes(part.read_bytes())
    left = out / "recordings" / ".shard-1-of-1-part-000002.parquet.77.part"
    left.write_bytes(b"x")
    with opened(out) as store:
        assert set(store.done) == {"a", "b"} and journal.read_text() == whole
        assert not left.exists() and list((out / "windows").iterdir()) == [part]
        store.add(line("c"))
        store.commit()
    assert ids(out) == ["a", "b", "c"] and ids(out, "windows") == ["a", "a", "b", "b", "c", "c"]


def test_a_full_disk_is_one_line_and_loses_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with opened(out) as store, pytest.raises(ConfigError) as error:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
        try:
            for k in range(10):
                store.add(line(f"r{k}"))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    text = str(error.value)
    assert text.startswith(f"write {out}: ") and "the same command then resumes" in text
    kept = len(store.done)
    assert 0 < kept < 10
    with opened(out) as store, pytest.raises(ConfigError):
        assert len(store.done) == kept
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
        try:
            store.commit()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list((out / "windows").iterdir())
    with opened(out) as store:
        for k in range(kept, 10):
            store.add(line(f"r{k}"))
        store.commit()
    assert ids(out) == [f"r{k}" for k in range(10)]


def test_failures_are_read_again_where_wanted(tmp_path: Path, monkeypatch) -> None:
    out = tmp_path / "out"
    with opened(out) as store:
        for name, ok in zip("abcd", (True, False, True, False), strict=True):
            store.add(line(name) if ok else failed(recording(name), "gone"))
            if name == "c":
                store.commit()
    with opened(out) as store:
        assert store.failures == 2
        store.forget_failures()
        assert (set(store.done), store.failures) == ({"a", "c"}, 0)
    assert ids(out) == ["a", "c"] and ids(out, "windows") == ["a", "a", "c", "c"]
    assert len(list((out / "recordings").iterdir())) == len(list((out / "windows").iterdir())) == 1


def test_another_run_another_process_and_another_shard(tmp_path: Path) -> None:
    out = tmp_path / "out"
    first, second = opened(out, Shard(1, 2)), opened(out, Shard(2, 2))
    with first, second:
        first.add(line("a"))
        second.add(line("b"))
        with pytest.raises(ConfigError, match="another avtca annotate writes shard 2/2; wait"):
            opened(out, Shard(2, 2)).__enter__()
        first.commit()
        second.commit()
    assert ids(out) == ["a", "b"]
    for shard, changes, why in (
        (Shard(), {}, "shards 2 != 1"),
        (Shard(1, 2), {"model": "other"}, "model 'test' != 'other'"),
    ):
        with pytest.raises(AvtcaError, match=f"existing run uses different settings: {why}"):
            opened(out, shard, **changes).__enter__()
    with opened(out, Shard(1, 2)) as store:
        assert set(store.done) == {"a"} and store.check([recording("b")]) == 1
        with pytest.raises(ConfigError, match=r"recording a was a\.wav and is b\.wav now"):
            store.check([Recording("a", "b.wav", "/b.wav")])


def test_folders_that_are_not_ours_and_damage(tmp_path: Path) -> None:
    (tmp_path / "foreign" / "windows").mkdir(parents=True)
    with pytest.raises(ConfigError, match="it has a folder recordings or windows of something"):
        opened(tmp_path / "foreign").__enter__()
    assert [path.name for path in (tmp_path / "foreign").iterdir()] == ["windows"]
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="it is a file; choose a folder"):
        opened(tmp_path / "file").__enter__()
    with opened(tmp_path / "out") as store:
        store.add(line("a"))
        store.commit()
    part = tmp_path / "out" / "recordings" / "shard-1-of-1-part-000001.parquet"
    part.write_bytes(part.read_bytes()[:-9])
    with pytest.raises(ConfigError, match=r"it is damaged; delete it and .*windows"):
        opened(tmp_path / "out").__enter__()
