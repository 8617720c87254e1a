"""Speed and memory of recognition: one JSON, one table, one picture.

    python benchmarks/speed.py                       a minute at 360p to 1080p, one and two faces
    python benchmarks/speed.py --seconds 20 --sizes 480 720
    python benchmarks/speed.py --sizes 2160 --seconds 3600

The inputs are made with PyAV from the real clips of ``../shared/samples`` (H.264 with B frames, 30
frames a second, AAC), and kept in ``--folder``. Each is measured in a process of its own, on one
thread of onnxruntime. CPU seconds are of all threads, so that they hold on a busy machine too; wall
seconds do not. Results go to benchmarks/results/speed.json, the table to the markers in
docs/performance.md, and the picture to docs/img/speed.png.
"""

import argparse
import json
import os
import platform
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import av
import numpy as np

from avtca.files import write_atomic, write_json

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("AVTCA_SHARED", ROOT.parent / "shared"))
RESULTS = ROOT / "benchmarks" / "results" / "speed.json"
PAGE, PICTURE = ROOT / "docs" / "performance.md", ROOT / "docs" / "img" / "speed.png"
CLIPS = {1: "01-01-01-01-01-01-01.mp4", 2: "obama_speech.mp4"}
"""Sample clips by their number of faces."""
FPS, AUDIO_RATE = 30, 48_000
STAGES = ("decoding", "colours", "faces", "audio", "networks")
COLOURS = ("#5b6c7d", "#8fa3b5", "#2a78b8", "#b8a02a", "#b8562a")


def make(source: Path, target: Path, height: int, seconds: float) -> None:
    """Write a clip, repeated to a length and scaled to a height."""
    with av.open(str(source)) as clip:
        stream = clip.streams.video[0]
        width = 2 * round(height * stream.width / stream.height / 2)
        frames = [
            frame.reformat(width, height, "yuv420p").to_ndarray() for frame in clip.decode(stream)
        ]
    resampler = av.AudioResampler("fltp", "mono", AUDIO_RATE)
    with av.open(str(source)) as clip:
        blocks = [b.to_ndarray() for f in clip.decode(audio=0) for b in resampler.resample(f)]
    wave = np.concatenate(blocks, axis=1)
    with av.open(str(target), "w") as out:
        video = out.add_stream("libx264", rate=FPS, options={"preset": "veryfast"})
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        audio = out.add_stream("aac", rate=AUDIO_RATE, layout="mono")
        at, n = 0, int(seconds * AUDIO_RATE)
        for k, values in enumerate(islice(cycle(frames), int(seconds * FPS))):
            frame = av.VideoFrame.from_ndarray(values, format="yuv420p")
            frame.pts = k
            out.mux(video.encode(frame))
            while at < min(n, (k + 1) * AUDIO_RATE // FPS):
                columns = np.arange(at, at + 1024) % wave.shape[1]
                part = np.ascontiguousarray(wave[:, columns])
                block = av.AudioFrame.from_ndarray(part, format="fltp", layout="mono")
                block.sample_rate, block.pts = AUDIO_RATE, at
                at += 1024
                out.mux(audio.encode(block))
        out.mux(video.encode())
        out.mux(audio.encode())


def cpu_s(call: Callable[[], object]) -> float:
    """CPU seconds of all threads of this process."""
    before = time.process_time()
    call()
    return time.process_time() - before


def measure(path: Path) -> dict[str, Any]:
    """Recognise a file in this process, and run the stages before the networks alone."""
    import avtca
    from avtca.faces import track_faces
    from avtca.media import hold_frames, open_media

    recognizer = avtca.load()
    backend = recognizer.backend
    rate, sample_rate = backend.spec.video_rate, backend.spec.sample_rate

    def frames() -> Any:
        return hold_frames(open_media(path).frames(rate), rate)

    def exhaust(values: Any) -> None:
        for _ in values:
            pass

    started = time.monotonic()
    report = None

    def recognise() -> None:
        nonlocal report
        report = recognizer.predict(path)

    total = cpu_s(recognise)
    wall, peak = time.monotonic() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    decoding = cpu_s(lambda: decode_alone(path))
    colours = cpu_s(lambda: exhaust(frames()))
    faces = cpu_s(
        lambda: exhaust(track_faces(frames(), recognizer.detector, backend.crop_px, backend.colour))
    )
    audio = cpu_s(lambda: exhaust(open_media(path).audio(sample_rate)))
    stages = (decoding, colours - decoding, faces - colours, audio, total - faces - audio)
    assert report is not None
    return {
        "seconds": round(report.duration_s, 1),
        "cpu_s": round(total, 2),
        "wall_s": round(wall, 2),
        "peak_mb": round(peak / 1024),
        "face_coverage": round(report.coverage.face, 3),
        "stages": {name: round(max(0.0, s), 2) for name, s in zip(STAGES, stages, strict=True)},
    }


def decode_alone(path: Path) -> None:
    """Decode all frames as FFmpeg does, and do nothing with them."""
    with av.open(str(path)) as clip:
        stream = clip.streams.video[0]
        stream.thread_type = "AUTO"
        for _ in clip.decode(stream):
            pass


def command_cpu_s(arguments: Sequence[str]) -> tuple[float, float]:
    """CPU and wall seconds of `avtca predict` as a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    command = [sys.executable, "-m", "avtca", "predict", *arguments, "--format", "summary"]
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return used, time.monotonic() - started


def table(results: dict[str, Any]) -> str:
    """The table of docs/performance.md."""
    head = ["video", "faces", "CPU s a minute", "times real time, one core", *STAGES, "MB"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for row in results["files"]:
        minute = 60 / row["seconds"]
        cells = [f"{row['height']}p", str(row["faces"]), f"{row['cpu_s'] * minute:.1f}"]
        cells += [f"{row['seconds'] / row['cpu_s']:.1f}"]
        cells += [f"{row['stages'][name] * minute:.1f}" for name in STAGES]
        lines.append("| " + " | ".join([*cells, str(row["peak_mb"])]) + " |")
    return "\n".join(lines)


def draw(results: dict[str, Any], path: Path) -> None:
    """Stacked bars: CPU seconds a minute by stage."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    rows = results["files"]
    names = [f"{r['height']}p, {r['faces']} face{'s' * (r['faces'] > 1)}" for r in rows]
    figure, axes = plt.subplots(figsize=(7, 0.5 * len(rows) + 1.4), layout="constrained")
    left = np.zeros(len(rows))
    for stage, colour in zip(STAGES, COLOURS, strict=True):
        values = np.array([row["stages"][stage] * 60 / row["seconds"] for row in rows])
        axes.barh(names, values, left=left, color=colour, label=stage, height=0.7)
        left += values
    axes.invert_yaxis()
    axes.set_xlabel("CPU seconds for a minute of video, one core")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(ncols=len(STAGES), loc="lower center", bbox_to_anchor=(0.45, 1), frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)


def main() -> None:
    """Make the files, measure, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--sizes", type=int, nargs="+", default=[360, 480, 720, 1080])
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "avtca-speed")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(measure(args.measure)))
        return
    args.folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for faces, name in CLIPS.items():
        for height in args.sizes if faces == 1 else [480]:
            film = args.folder / f"{faces}_{height}p_{args.seconds:g}s.mp4"
            if not film.exists():
                make(SHARED / "samples" / name, film.with_suffix(".part.mp4"), height, args.seconds)
                film.with_suffix(".part.mp4").rename(film)
            command = [sys.executable, __file__, "--measure", str(film)]
            row = {"height": height, "faces": faces}
            rows.append(row | json.loads(subprocess.check_output(command)))
            print(rows[-1], flush=True)
    short = str(SHARED / "corpora" / "cremad" / "1001_DFA_ANG_XX.flv")
    cold = command_cpu_s([short])
    films = sorted(map(str, (SHARED / "corpora" / "cremad").glob("*.flv")))
    jobs = {n: command_cpu_s([*films, "--jobs", str(n)]) for n in (1, 2)}
    results = {
        "command": " ".join(["python", "benchmarks/speed.py", *sys.argv[1:]]),
        "machine": f"{os.cpu_count()} cores ({platform.machine()}), "
        f"load {os.getloadavg()[0]:.1f} at the end",
        "files": rows,
        "cold_start": {"clip_s": 2.3, "cpu_s": round(cold[0], 2), "wall_s": round(cold[1], 2)},
        "six_files": {
            f"{n} job{'s' * (n > 1)}": {"cpu_s": round(cpu, 2), "wall_s": round(wall, 2)}
            for n, (cpu, wall) in jobs.items()
        },
    }
    write_json(RESULTS, results)
    draw(results, PICTURE)
    text = PAGE.read_text()
    marked = r"(?<=<!-- speed -->\n)(.*?)(?=<!-- /speed -->)"
    write_atomic(PAGE, re.sub(marked, lambda _: table(results) + "\n", text, flags=re.S))
    print(table(results))


if __name__ == "__main__":
    main()
