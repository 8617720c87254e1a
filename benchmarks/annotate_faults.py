"""Whether `avtca annotate` keeps each recording once while nodes and processes are killed.

    python benchmarks/annotate_faults.py                       2,000 recordings
    python benchmarks/annotate_faults.py --recordings 100

Synthetic recordings of one second, one in a hundred of them missing and one in a hundred empty, are
annotated twice: on a Ray cluster of two nodes (two raylets of this machine, over loopback, one
processor each), of which the second is killed in the middle; and by the local engine in one process
at a time, which gets SIGKILL five times and is started again. Both write the same tables, or the
script ends with status 1. Results go to benchmarks/results/annotate_faults.json and, with 2,000
recordings, to the table in docs/annotate.md.
"""

import argparse
import csv
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from pyarrow import parquet

from avtca.files import write_atomic, write_json
from avtca.synthetic.animation import make_speaker
from avtca.synthetic.voice import PROSODY, RATE, speak

ROOT = Path(__file__).resolve().parents[1]
RESULTS, PAGE = ROOT / "benchmarks" / "results" / "annotate_faults.json", "docs/annotate.md"
COMMAND = [sys.executable, "-m", "avtca", "annotate"]


def make(folder: Path, n: int, seconds: float = 1.0) -> Path:
    """Write recordings, and the manifest that lists them."""
    folder.mkdir(parents=True, exist_ok=True)
    rng, emotions = np.random.default_rng(0), sorted(PROSODY)
    rows = []
    for k in range(n):
        path = folder / f"{k:05d}.wav"
        rows.append((f"r{k:05d}", path.name))
        if k % 100 == 50:
            continue
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE)
            if k % 100 != 25:
                voice = make_speaker(k % 40, 0)[0]
                emotion = emotions[k % len(emotions)]
                options = {"statement": k % 3, "strength": 1.0, "seconds": seconds, "rng": rng}
                samples = speak(voice, emotion, **options).wave
                file.writeframes((samples * 32767).astype("<i2").tobytes())
    manifest = folder / "manifest.csv"
    with manifest.open("w", newline="") as text:
        csv.writer(text).writerows([("id", "path"), *rows])
    return manifest


def n_done(out: Path) -> int:
    """Results in the tables and the journal of a folder."""
    parts = (out / "recordings").glob("shard-*.parquet")
    journals = out.glob(".work/*/journal.jsonl")
    done = sum(parquet.ParquetFile(part).metadata.num_rows for part in parts)
    return done + sum(path.read_bytes().count(b"\n") for path in journals)


def start(*arguments: object, **env: str) -> subprocess.Popen[str]:
    """The command in a child process."""
    command = [*COMMAND, *map(str, arguments)]
    streams: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, **streams, text=True, env=os.environ | env)


def wait_for(out: Path, n: int, child: subprocess.Popen[str]) -> None:
    """Wait until a folder has a number of results."""
    while n_done(out) < n:
        if child.poll() is not None:
            raise RuntimeError(f"it ended before {n} results: {child.communicate()[1]}")
        time.sleep(0.05)


def run_local(manifest: Path, out: Path, kill_at: Sequence[int]) -> list[dict[str, int]]:
    """Annotate, with SIGKILL at numbers of results; what each kill left and the next call found."""
    kills = []
    for at in kill_at:
        child = start(manifest, "--out", out, "--jobs", 1)
        wait_for(out, at, child)
        child.kill()
        child.communicate()
        kills.append({"at": at, "kept": n_done(out)})
    child = start(manifest, "--out", out, "--jobs", 1)
    text = child.communicate()[1]
    if child.returncode != 2:  # some recordings are missing
        raise RuntimeError(text)
    return kills


@contextmanager
def ray_cluster() -> Iterator[Any]:
    """A Ray cluster with one node of one processor, on loopback."""
    # The second keeps Ray on 127.0.0.1, which it otherwise replaces by the machine's own address.
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
    from ray.cluster_utils import Cluster

    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder:
        head = {"num_cpus": 1, "include_dashboard": False, "temp_dir": folder}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        try:
            yield cluster
        finally:
            cluster.shutdown()


def run_ray(manifest: Path, out: Path, kill_at: int) -> dict[str, int]:
    """Annotate on two nodes, of which one is killed at a number of results."""
    with ray_cluster() as cluster:
        node = cluster.add_node(num_cpus=1)
        child = start(manifest, "--out", out, "--engine", "ray", RAY_ADDRESS=cluster.address)
        try:
            wait_for(out, kill_at, child)
            cluster.remove_node(node, allow_graceful=False)
            kill = {"at": kill_at, "kept": n_done(out)}
            text = child.communicate()[1]
        finally:
            child.kill()
    if child.returncode != 2:
        raise RuntimeError(text)
    return kill


def rows_of(out: Path, table: str) -> list[dict[str, Any]]:
    """The rows of a table, by recording, time and person."""
    rows = parquet.read_table(out / table).to_pylist()
    return sorted(rows, key=lambda row: (row["id"], row["start_s"], row.get("person") or 0))


def counts(out: Path, n: int) -> dict[str, int]:
    """Of the recordings of a manifest: those with one result, with several, with none."""
    ids = [row["id"] for row in rows_of(out, "recordings")]
    windows = rows_of(out, "windows")
    keys = {(row["id"], row["start_s"], row["person"]) for row in windows}
    return {
        "recordings": n,
        "results": len(ids),
        "twice": len(ids) - len(set(ids)),
        "lost": n - len(set(ids)),
        "failed": sum(row["status"] == "failed" for row in rows_of(out, "recordings")),
        "windows": len(windows),
        "windows_twice": len(windows) - len(keys),
    }


def same(first: Path, second: Path) -> bool:
    """Whether two folders have the same tables."""
    return all(rows_of(first, name) == rows_of(second, name) for name in ("recordings", "windows"))


def table(results: dict[str, Any]) -> str:
    """The results as Markdown."""
    lines = ["| engine | killed | recordings | results | twice | lost | failed | seconds |"]
    lines.append("|---|---|---|---|---|---|---|---|")
    for name, what in (("local", "the command, five times"), ("ray", "one node of two")):
        one = results[name]
        at = ", ".join(f"{kill['at']:,}" for kill in one["kills"])
        names = ("recordings", "results", "twice", "lost", "failed")
        cells = [name, f"{what} (at {at})", *(f"{one[key]:,}" for key in names)]
        lines.append(f"| {' | '.join(cells)} | {one['seconds']:.0f} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--recordings", type=int, default=2000)
    n = parser.parse_args().recordings
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="avtca-annotate-") as name:
        folder = Path(name)
        manifest = make(folder / "corpus", n)
        for engine in ("local", "ray"):
            started = time.monotonic()
            if engine == "local":
                kills = run_local(manifest, folder / engine, [n * k // 6 for k in range(1, 6)])
            else:
                kills = [run_ray(manifest, folder / engine, n // 2)]
            seconds = round(time.monotonic() - started, 1)
            results[engine] = {**counts(folder / engine, n), "kills": kills, "seconds": seconds}
            print(engine, results[engine], flush=True)
        results["same_tables"] = same(folder / "local", folder / "ray")
    print(json.dumps(results["same_tables"]))
    if n >= 2000:
        write_json(RESULTS, results)
        marked = r"(?<=<!-- faults -->\n)(.*?)(?=<!-- /faults -->)"
        page = (ROOT / PAGE).read_text()
        write_atomic(ROOT / PAGE, re.sub(marked, lambda _: table(results), page, flags=re.S))
    wrong = [results[name][key] for name in ("local", "ray") for key in ("twice", "lost")]
    if any(wrong) or not results["same_tables"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
