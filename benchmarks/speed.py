"""Speed and memory of recognition: one JSON, one table, one picture.

    python benchmarks/speed.py                 everything but an hour, about ten minutes
    python benchmarks/speed.py --only 480 fer  some of it, beside the results that are there
    python benchmarks/speed.py --only hour     an hour of video, about ten minutes

The films (speed_films.py) are made first, and kept in ``--folder``, as are the environment of
``fer`` and copies of earlier versions. Each file is measured in a process of its own
(speed_measure.py). CPU seconds are of all threads, so that they hold on a busy machine too; wall
seconds do not. Results go to benchmarks/results/speed.json, tables to the markers in
docs/performance.md and README.md, and the picture to docs/img/speed.png (speed_pages.py).
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from speed_films import FILMS, HOUR_FPS, HOUR_HEIGHT, ROOT, SHARED, film, minute_and_hour
from speed_measure import use_cores
from speed_pages import write_pages

from avtca.files import write_json

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "speed.json"
OTHERS = ("before", "cold", "jobs", "fer", "training", "limits", "hour")
BEFORE = {"4baea2d": "every frame searched whole", "e46573c": "faces searched where they were"}
"""Commits of earlier versions, and what they did."""
BEFORE_FILMS = ("480-2", "720")
FER = ("fer==25.10.3",)
FER_NEEDS = (
    "ai-edge-litert",
    "opencv-contrib-python-headless<5",
    "pandas",
    "pillow",
    "requests",
    "setuptools<81",
    "tqdm",
)
FER_FRAMES = 100
N_JOB_FILES = 4
COLD_RUNS = 10
LIBRARIES = "import typer, numpy, av, onnxruntime, PIL.Image"
"""What a recognition imports of others."""
RUNS = 2
"""Runs of each film; the one with the fewest CPU seconds counts."""


def environment(source: Path = ROOT / "src") -> dict[str, str]:
    """Environment of a process that measures: one thread, bytecode kept as after pip."""
    kept = {name: x for name, x in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return kept | threads | {"PYTHONPATH": str(source)}


def child(script: str, *arguments: object, source: Path = ROOT / "src") -> dict[str, Any]:
    """The JSON that a script beside this one prints, from a process of its own."""
    command = [sys.executable, str(HERE / script), *map(str, arguments)]
    found: dict[str, Any] = json.loads(
        subprocess.check_output(command, env=environment(source)).splitlines()[-1]
    )
    return found


def file_row(path: Path, name: str) -> dict[str, Any]:
    """All about one of :data:`FILMS`."""
    height, faces, _ = FILMS[name]
    runs = [child("speed_measure.py", "stages", path, 2) for _ in range(RUNS)]
    one_core = child("speed_measure.py", "total", path, 1)
    return (
        {"height": height, "faces": faces}
        | min(runs, key=lambda row: float(row["cpu_s"]))
        | {
            "cpu_s_of_runs": [row["cpu_s"] for row in runs],
            "wall_s": min(row["wall_s"] for row in runs),
            "one_core_wall_s": one_core["wall_s"],
            "decode_alone_s": child("speed_measure.py", "decode", path, 2)["cpu_s"],
        }
    )


def before_rows(folder: Path, films: dict[str, Path]) -> list[dict[str, Any]]:
    """CPU seconds of earlier versions and of this one, in turn."""
    sources = {}
    for commit in BEFORE:
        tree = folder / commit
        if not tree.exists():
            tree.mkdir()
            archive = subprocess.check_output(["git", "-C", str(ROOT), "archive", commit, "src"])
            subprocess.run(["tar", "-x", "-C", str(tree)], input=archive, check=True)
        sources[commit] = tree / "src"
    sources["now"] = ROOT / "src"
    rows = []
    for name, path in films.items():
        found = {
            commit: child("speed_measure.py", "total", path, 2, source=where)
            for commit, where in sources.items()
        }
        cpu = {commit: row["cpu_s"] for commit, row in found.items()}
        rows.append({"film": name, "seconds": FILMS[name][2], "cpu_s": cpu})
    return rows


def predict_s(arguments: Sequence[str], cores: int | None = None) -> tuple[float, float]:
    """CPU and wall seconds of `avtca predict` as a command."""
    return python_s(["-m", "avtca", "predict", *arguments, "--format", "json"], cores)


def python_s(arguments: Sequence[str], cores: int | None = None) -> tuple[float, float]:
    """CPU and wall seconds of a Python process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    on = {"preexec_fn": lambda: use_cores(cores)} if cores is not None else {}
    command = [sys.executable, *arguments]
    subprocess.run(command, check=True, capture_output=True, env=environment(), **on)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return round(used, 2), round(time.monotonic() - started, 2)


def cold_start() -> dict[str, Any]:
    """Several starts, after one that keeps the bytecode."""
    clip = SHARED / "corpora" / "cremad" / "1001_DFA_ANG_XX.flv"
    predict_s([str(clip)])
    runs = [(*predict_s([str(clip)]), *python_s(["-c", LIBRARIES])) for _ in range(COLD_RUNS)]
    cpu, wall, libraries, _ = zip(*runs, strict=True)
    return {
        "clip_s": 2.3,
        "cpu_s": sorted(cpu),
        "wall_s": sorted(wall),
        "libraries_cpu_s": min(libraries),
    }


def jobs(folder: Path) -> dict[str, Any]:
    """Several files at once, of 60 s each."""
    path = film(folder, "360")
    copies = [folder / "jobs" / f"{k}.mp4" for k in range(N_JOB_FILES)]
    copies[0].parent.mkdir(exist_ok=True)
    for copy in copies:
        if not copy.exists():
            copy.hardlink_to(path)
    names = [str(copy) for copy in copies]
    found = {n: predict_s([*names, "--jobs", str(n)], 2) for n in (1, 2)}
    _, one_core = predict_s([*names, "--jobs", "1"], 1)
    return {
        "files": N_JOB_FILES,
        "cpu_s": {n: cpu for n, (cpu, _) in found.items()},
        "wall_s": {n: wall for n, (_, wall) in found.items()},
        "one_core_wall_s": one_core,
    }


def fer(folder: Path, path: Path) -> dict[str, Any]:
    """Frames a second of fer, in an environment that is made first."""
    python = folder / "fer" / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder / "fer")], check=True)
        pip = [str(python), "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, *FER_NEEDS], check=True)
        subprocess.run([*pip, "--no-deps", *FER], check=True)
    own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [str(python), str(HERE / "speed_fer.py"), str(path), str(FER_FRAMES)]
    lines = subprocess.check_output(command, env=own, stderr=subprocess.DEVNULL)
    return {"version": FER[0], "film": "480-2"} | json.loads(lines.splitlines()[-1])


def hour_row(minute: Path, hour: Path) -> dict[str, Any]:
    """Peak memory of an hour and of its first minute."""
    of_minute = child("speed_measure.py", "total", minute, 2)
    row = {"height": HOUR_HEIGHT, "fps": HOUR_FPS, "minute_mb": of_minute["peak_mb"]}
    return row | child("speed_measure.py", "total", hour, 2)


def main() -> None:
    """Make the files, measure, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [*FILMS, *OTHERS]
    usual = [name for name in names if name != "hour"]
    parser.add_argument("--only", nargs="+", choices=names, default=usual, metavar="PART")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "avtca-speed")
    parser.add_argument("--make", action="store_true", help="make the files only")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    films = {name: film(args.folder, name) for name in FILMS}
    minute, hour = minute_and_hour(args.folder)
    if args.make:
        return
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    results = {name: value for name, value in results.items() if name in ("films", *OTHERS)}
    parts: dict[str, Callable[[], Any]] = {
        "hour": lambda: hour_row(minute, hour),
        "before": lambda: before_rows(args.folder, {n: films[n] for n in BEFORE_FILMS}),
        "cold": cold_start,
        "jobs": lambda: jobs(args.folder),
        "fer": lambda: fer(args.folder, films["480-2"]),
        "training": lambda: child("speed_training.py", args.folder),
        "limits": lambda: child("speed_limits.py"),
    }
    for name in args.only:
        if name in FILMS:
            results.setdefault("films", {})[name] = file_row(films[name], name)
            print(name, results["films"][name], flush=True)
        else:
            results[name] = parts[name]()
            print(name, results[name], flush=True)
        results |= {
            "command": " ".join(["python", "benchmarks/speed.py", *sys.argv[1:]]),
            "machine": f"{os.cpu_count()} cores ({platform.machine()}), "
            f"load {os.getloadavg()[0]:.1f} at the end",
            "earlier": BEFORE,
        }
        write_json(RESULTS, results)
        write_pages(results, ROOT)


if __name__ == "__main__":
    main()
