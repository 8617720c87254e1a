"""Speed and memory of recognition: one JSON, one table, one picture.

    python benchmarks/speed.py                 everything, about eight minutes on two free cores
    python benchmarks/speed.py --only 480 fer  some of it, beside the results that are there

The inputs are made with PyAV from the real clips of ``../shared/samples`` (H.264 with B frames, 30
frames a second, AAC), and kept in ``--folder``, as are the environment of ``fer`` and a copy of the
earlier version. Each file is measured in a process of its own. CPU seconds are of all threads, so
that they hold on a busy machine too; wall seconds do not. Results go to
benchmarks/results/speed.json, tables to the markers in docs/performance.md and README.md, and the
picture to docs/img/speed.png.
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
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import av
import numpy as np
from speed_pages import write_pages

from avtca.files import write_json

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("AVTCA_SHARED", ROOT.parent / "shared"))
RESULTS = ROOT / "benchmarks" / "results" / "speed.json"
CLIPS = {1: "01-01-01-01-01-01-01.mp4", 2: "obama_speech.mp4"}
"""Sample clips by their number of faces."""
FILMS = {
    "360": (360, 1, 60),
    "480": (480, 1, 60),
    "480-2": (480, 2, 60),
    "720": (720, 1, 60),
    "1080": (1080, 1, 30),
    "2160": (2160, 1, 10),
}
"""Height, faces and seconds of the files; large ones are short."""
OTHERS = ("before", "cold", "jobs", "fer", "hour")
HOUR, HOUR_HEIGHT, HOUR_FPS = 60, 360, 10
"""Minutes of the long file, its height, and its frames a second: as few as are used."""
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
COLD_RUNS = 5
FPS, AUDIO_RATE = 30, 48_000


def make(source: Path, target: Path, height: int, seconds: float, fps: int = FPS) -> None:
    """Write a clip, repeated to a length and scaled to a height."""
    with av.open(str(source)) as clip:
        stream = clip.streams.video[0]
        width = 2 * round(height * stream.width / stream.height / 2)
        frames = [
            frame.reformat(width, height, "yuv420p", threads=1).to_ndarray()
            for frame in islice(clip.decode(stream), 0, int(seconds * FPS), FPS // fps)
        ]
    resampler = av.AudioResampler("fltp", "mono", AUDIO_RATE)
    with av.open(str(source)) as clip:
        blocks = [b.to_ndarray() for f in clip.decode(audio=0) for b in resampler.resample(f)]
    wave = np.concatenate(blocks, axis=1)
    with av.open(str(target), "w") as out:
        video = out.add_stream("libx264", rate=fps, options={"preset": "veryfast"})
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        audio = out.add_stream("aac", rate=AUDIO_RATE, layout="mono")
        at, n = 0, int(seconds * AUDIO_RATE)
        for k, values in enumerate(islice(cycle(frames), int(seconds * fps))):
            frame = av.VideoFrame.from_ndarray(values, format="yuv420p")
            frame.pts = k
            out.mux(video.encode(frame))
            while at < min(n, (k + 1) * AUDIO_RATE // fps):
                columns = np.arange(at, at + 1024) % wave.shape[1]
                part = np.ascontiguousarray(wave[:, columns])
                block = av.AudioFrame.from_ndarray(part, format="fltp", layout="mono")
                block.sample_rate, block.pts = AUDIO_RATE, at
                at += 1024
                out.mux(audio.encode(block))
        out.mux(video.encode())
        out.mux(audio.encode())


def repeat(source: Path, target: Path, times: int) -> None:
    """Write the packets of a clip several times, one after the other."""
    with av.open(str(target), "w") as out:
        streams: dict[int, Any] = {}
        for k in range(times):
            with av.open(str(source)) as clip:
                length = Fraction(clip.duration, av.time_base) + Fraction(1, 10)  # audio is longer
                for stream in clip.streams:
                    if stream.index not in streams:
                        streams[stream.index] = out.add_stream_from_template(stream)
                for packet in clip.demux():
                    if packet.dts is None or packet.pts is None:
                        continue
                    shift = round(k * length / packet.time_base)
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    packet.stream = streams[packet.stream.index]
                    out.mux(packet)


def made(path: Path, write: Callable[[Path], None]) -> Path:
    """The file, written first if it is not there."""
    if not path.exists():
        part = path.with_suffix(".part.mp4")
        write(part)
        part.rename(path)
    return path


def film(folder: Path, name: str) -> Path:
    """One of :data:`FILMS`."""
    height, faces, seconds = FILMS[name]
    source = SHARED / "samples" / CLIPS[faces]
    path = folder / f"{faces}_{height}p_{seconds}s.mp4"
    return made(path, lambda part: make(source, part, height, seconds))


def cpu_s(call: Callable[[], object]) -> float:
    """CPU seconds of all threads of this process."""
    before = time.process_time()
    call()
    return time.process_time() - before


def measure_total(path: Path, cores: int) -> dict[str, Any]:
    """Recognise a file in this process, on so many cores."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    import avtca

    recognizer = avtca.load()
    started, before = time.monotonic(), time.process_time()
    report = recognizer.predict(path)
    wall, cpu = time.monotonic() - started, time.process_time() - before
    return {
        "seconds": round(report.duration_s, 1),
        "cpu_s": round(cpu, 2),
        "wall_s": round(wall, 2),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "face_coverage": round(report.coverage.face, 3),
    }


def measure_stages(path: Path) -> dict[str, float]:
    """CPU seconds of the stages before the networks, and of FFmpeg's decoder alone."""
    import avtca
    from avtca.faces import track_faces
    from avtca.media import hold_frames, open_media
    from avtca.speaker import MOUTH_RATE, MouthRecorder

    recognizer = avtca.load()
    backend = recognizer.backend
    rate, sample_rate = backend.spec.video_rate, backend.spec.sample_rate
    px, colour = backend.crop_px, backend.colour

    def frames() -> Any:
        return hold_frames(open_media(path).frames(rate), rate)

    def record_mouths() -> None:
        recorder = MouthRecorder()
        dense = hold_frames(open_media(path).frames(rate, MOUTH_RATE), rate)
        for frame, found in track_faces(dense, recognizer.detector, px, colour):
            recorder.add(frame.dense, found)
        recorder.finish()

    def exhaust(values: Iterable[object]) -> None:
        for _ in values:
            pass

    alone = cpu_s(lambda: decode_alone(path))
    read = cpu_s(lambda: exhaust(frames()))
    faces = cpu_s(lambda: exhaust(track_faces(frames(), recognizer.detector, px, colour)))
    mouths = cpu_s(record_mouths)
    stages = {
        "decode_alone": alone,
        "frames": read,
        "faces": faces - read,
        "mouths": mouths - faces,
        "audio": cpu_s(lambda: exhaust(open_media(path).audio(sample_rate))),
    }
    return {name: round(max(0.0, value), 2) for name, value in stages.items()}


def decode_alone(path: Path) -> None:
    """Decode all frames with FFmpeg on one thread, and do nothing with them."""
    with av.open(str(path)) as clip:
        stream = clip.streams.video[0]
        stream.codec_context.thread_count = 1
        for _ in clip.decode(stream):
            pass


def child(kind: str, path: Path, *, cores: int = 2, source: Path = ROOT / "src") -> dict[str, Any]:
    """Measure a file in a process of its own."""
    command = [sys.executable, __file__, "--measure", kind, str(path), str(cores)]
    environment = os.environ | {"PYTHONPATH": str(source), "OMP_NUM_THREADS": "1"}
    found: dict[str, Any] = json.loads(subprocess.check_output(command, env=environment))
    return found


def file_row(path: Path, name: str) -> dict[str, Any]:
    """All about one of :data:`FILMS`."""
    height, faces, _ = FILMS[name]
    row = {"height": height, "faces": faces} | child("total", path)
    row["one_core_wall_s"] = child("total", path, cores=1)["wall_s"]
    stages = child("stages", path)
    row["decode_alone_s"] = stages.pop("decode_alone")
    networks = row["cpu_s"] - sum(stages.values())
    row["stages"] = stages | {"networks": round(max(0.0, networks), 2)}
    return row


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
        found = {commit: child("total", path, source=where) for commit, where in sources.items()}
        cpu = {commit: row["cpu_s"] for commit, row in found.items()}
        rows.append({"film": name, "seconds": FILMS[name][2], "cpu_s": cpu})
    return rows


def command_s(arguments: Sequence[str]) -> tuple[float, float]:
    """CPU and wall seconds of `avtca predict` as a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    command = [sys.executable, "-m", "avtca", "predict", *arguments, "--format", "json"]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    subprocess.run(command, check=True, capture_output=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return round(used, 2), round(time.monotonic() - started, 2)


def cold_start() -> dict[str, Any]:
    """The least and the median of several starts."""
    clip = SHARED / "corpora" / "cremad" / "1001_DFA_ANG_XX.flv"
    cpu, wall = zip(*(command_s([str(clip)]) for _ in range(COLD_RUNS)), strict=True)
    return {"clip_s": 2.3, "cpu_s": sorted(cpu), "wall_s": sorted(wall)}


def jobs(folder: Path) -> dict[str, Any]:
    """Several files at once, of 60 s each."""
    path = film(folder, "360")
    copies = [folder / "jobs" / f"{k}.mp4" for k in range(N_JOB_FILES)]
    copies[0].parent.mkdir(exist_ok=True)
    for copy in copies:
        if not copy.exists():
            copy.hardlink_to(path)
    found = {n: command_s([*map(str, copies), "--jobs", str(n)]) for n in (1, 2)}
    return {
        "files": N_JOB_FILES,
        "cpu_s": {n: cpu for n, (cpu, _) in found.items()},
        "wall_s": {n: wall for n, (_, wall) in found.items()},
        "faster": round(found[1][1] / found[2][1], 2),
    }


def fer(folder: Path, path: Path) -> dict[str, Any]:
    """Frames a second of fer, in an environment that is made first."""
    python = folder / "fer" / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder / "fer")], check=True)
        pip = [str(python), "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, *FER_NEEDS], check=True)
        subprocess.run([*pip, "--no-deps", *FER], check=True)
    script = str(Path(__file__).with_name("speed_fer.py"))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [str(python), script, str(path), str(FER_FRAMES)]
    lines = subprocess.check_output(command, env=environment, stderr=subprocess.DEVNULL)
    return {"version": FER[0], "film": "480-2"} | json.loads(lines.splitlines()[-1])


def main() -> None:
    """Make the files, measure, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [*FILMS, *OTHERS]
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="PART")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "avtca-speed")
    parser.add_argument("--make", action="store_true", help="make the files only")
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        kind, path, cores = args.measure
        total = kind == "total"
        found = measure_total(Path(path), int(cores)) if total else measure_stages(Path(path))
        print(json.dumps(found))
        return
    args.folder.mkdir(parents=True, exist_ok=True)
    films = {name: film(args.folder, name) for name in FILMS}
    minute, hour = args.folder / "minute.mp4", args.folder / "an_hour.mp4"
    clip = SHARED / "samples" / CLIPS[1]
    made(minute, lambda part: make(clip, part, HOUR_HEIGHT, 60, HOUR_FPS))
    made(hour, lambda part: repeat(minute, part, HOUR))
    if args.make:
        return
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    results = {name: value for name, value in results.items() if name in ("films", *OTHERS)}
    parts: dict[str, Callable[[], Any]] = {
        "hour": lambda: (
            {
                "height": HOUR_HEIGHT,
                "fps": HOUR_FPS,
                "minute_mb": child("total", minute)["peak_mb"],
            }
            | child("total", hour)
        ),
        "before": lambda: before_rows(args.folder, {n: films[n] for n in BEFORE_FILMS}),
        "cold": cold_start,
        "jobs": lambda: jobs(args.folder),
        "fer": lambda: fer(args.folder, films["480-2"]),
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
