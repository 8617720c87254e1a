"""Speed, size and crash safety of building caches.

    python benchmarks/prepare.py synthetic [--samples 2880] [--kills 10]  clips in RAVDESS's shape
    python benchmarks/prepare.py ravdess                                1,440 real samples, features

`synthetic` creates synthetic clips of 1280 x 720 with audio, builds their cache at 224 px, and
builds it again in runs that are killed at random moments: the manifests must be equal byte for
byte. An interrupted benchmark resumes in the same `--folder` (by default a temporary folder,
removed at the end). Cost of 2,880 clips: 2 GB of disk, and on two idle cores about 20 minutes each
to create them, to build the cache and for the killed runs. Results go to
benchmarks/results/prepare.json, one entry for each command. The training loader is measured by
benchmarks/loader.py.
"""

import argparse
import json
import os
import platform
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from avtca.clipspec import ClipSpec
from avtca.corpora import PreparedCorpus, build_cache, index_corpus, load_ravdess_features
from avtca.files import write_json

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("AVTCA_SHARED", ROOT.parent / "shared"))
RESULTS = ROOT / "benchmarks" / "results" / "prepare.json"
CLIPSPEC = ROOT / "configs" / "ravdess_sequences" / "clipspec.json"


def cpu_s() -> float:
    """CPU seconds of this process and its finished children."""
    both = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(u.ru_utime + u.ru_stime for u in map(resource.getrusage, both))


def peak_mb() -> int:
    """Peak memory of this process or one of its finished children."""
    both = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return round(max(u.ru_maxrss for u in map(resource.getrusage, both)) / 1024)


def run(source: Path, out: Path, workers: int, note: Path | None) -> None:
    """Build the cache as `avtca prepare ravdess` does; ``note`` holds the current progress."""
    spec, started, first = ClipSpec(), time.perf_counter(), None

    def step(stage: str, done: int, total: int | None) -> None:
        nonlocal first
        first = done if first is None else first
        if note is not None:
            write_json(note, {"seconds": time.perf_counter() - started, "made": done - first})

    layout = index_corpus("ravdess", source, spec)
    if not (out / "corpus.json").exists():
        step("read samples", 0, len(layout.sources))
    build_cache(layout, out, spec, workers=workers, progress=step)
    if note is not None:
        said = json.loads(note.read_text())
        write_json(note, {**said, "cpu_s": cpu_s(), "peak_mb": peak_mb()})


def synthetic(samples: int, kills: int, workers: int, folder: Path) -> dict[str, Any]:
    from avtca.synthetic.corpus import synth_corpus

    source, whole, broken = (folder / name for name in ("clips", "whole", "broken"))
    started = time.perf_counter()
    made = synth_corpus(source, samples, min(24, samples), 0, workers=workers)
    print(f"SYNTHETIC clips: {made.made} made in {time.perf_counter() - started:.0f} s", flush=True)
    command = [sys.executable, __file__, "_run", str(source)]
    notes = folder / "sessions"
    notes.mkdir(exist_ok=True)
    note = notes / f"{len(list(notes.iterdir())):04d}.json"
    subprocess.run([*command, str(whole), str(note), "--workers", str(workers)], check=True)
    sessions = [json.loads(path.read_text()) for path in sorted(notes.iterdir())]
    sessions = [one for one in sessions if one["made"]]
    seconds = sum(one["seconds"] for one in sessions)
    ended = [one for one in sessions if "cpu_s" in one]
    print(f"prepared in {seconds:.0f} s", flush=True)
    count = folder / "kills"
    done = int(count.read_text()) if count.exists() else 0
    for nth in range(done, kills):
        process = subprocess.Popen(
            [*command, str(broken), "--workers", str(workers)], start_new_session=True
        )
        wait_s = random.Random(nth).uniform(0.05, 1.0) * max(4.0, seconds / max(1, kills))
        try:
            process.wait(timeout=wait_s)
        except subprocess.TimeoutExpired:
            pass
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        there = sum(1 for _ in broken.glob("clips/*/[!.]*"))
        print(f"killed after {wait_s:.0f} s: {there} of {samples} clips are there", flush=True)
        count.write_text(str(nth + 1))
    subprocess.run([*command, str(broken), "--workers", str(workers)], check=True)
    names = ("manifest.parquet", "corpus.json", "failures.csv")
    same = all((whole / name).read_bytes() == (broken / name).read_bytes() for name in names)
    corpus = PreparedCorpus.open(whole)
    return {
        "what": "SYNTHETIC clips, 1280 x 720, 30 Hz, 3 s, H.264 and AAC, to 224 px crops",
        "samples": len(corpus),
        "counts": corpus.meta["counts"],
        "workers": workers,
        "sessions": len(sessions),
        "seconds": round(seconds, 1),
        "clips_per_s": round(sum(one["made"] for one in sessions) / seconds, 2),
        "cpu_s_per_clip": round(
            sum(one["cpu_s"] for one in ended) / max(1, sum(one["made"] for one in ended)), 3
        ),
        "largest_process_mb": max((one["peak_mb"] for one in ended), default=None),
        "cache_mb": round(corpus.meta["bytes"] / 1e6, 1),
        "cache_kb_per_sample": round(corpus.meta["bytes"] / 1e3 / samples, 1),
        "killed": kills,
        "same_manifest_after_kills": same,
    }


def ravdess(folder: Path) -> dict[str, Any]:
    spec = ClipSpec.from_dict({**ClipSpec().to_dict(), **json.loads(CLIPSPEC.read_text())})
    started, before = time.perf_counter(), cpu_s()
    corpus = load_ravdess_features(SHARED / "corpora" / "ravdess", spec, folder / "ravdess")
    prepared = time.perf_counter() - started, cpu_s() - before
    started, before = time.perf_counter(), cpu_s()
    raws = dict(corpus.raws())
    read = time.perf_counter() - started, cpu_s() - before
    return {
        "what": "1,440 real samples: FLAC and face sequences",
        "samples": len(raws),
        "prepare_s": round(prepared[0], 1),
        "prepare_cpu_s": round(prepared[1], 1),
        "read_all_s": round(read[0], 1),
        "read_all_cpu_s": round(read[1], 1),
        "cache_mb": round(corpus.meta["bytes"] / 1e6, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["synthetic", "ravdess", "_run"])
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--samples", type=int, default=2880)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--folder", type=Path, help="keep what is made here")
    parser.add_argument("--out", type=Path, default=RESULTS, help="JSON for the results")
    action = parser.parse_args()
    if action.what == "_run":
        run(*action.folders[:2], action.workers, next(iter(action.folders[2:]), None))
        return
    name = f"avtca-prepare-{action.what}-{action.samples}"
    folder = action.folder or Path(tempfile.gettempdir()) / name
    if action.what == "ravdess" and action.folder is None:
        shutil.rmtree(folder, ignore_errors=True)  # what is there already costs no time
    folder.mkdir(parents=True, exist_ok=True)
    if action.what == "synthetic":
        result = synthetic(action.samples, action.kills, action.workers, folder)
    else:
        result = ravdess(folder)
    result["machine"] = (
        f"{os.cpu_count()} cores ({platform.machine()}), load {os.getloadavg()[0]:.1f}"
    )
    results = json.loads(action.out.read_text()) if action.out.is_file() else {}
    write_json(action.out, {**results, action.what: result})
    print(json.dumps(result, indent=1))
    if action.folder is None:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
