"""Peak memory of `predict` on files of several lengths, each in a separate process.

    python benchmarks/recognizer_memory.py ../shared/samples/obama_speech.mp4 --minutes 2 8

The clip is repeated (decoded and encoded again) up to each length; two faces, speech throughout.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

import av


def repeat(source: Path, target: Path, minutes: float) -> None:
    """Write the repeated clip, MPEG-4 and AAC in mp4."""
    with av.open(str(source)) as clip:
        frames = [frame.to_ndarray(format="rgb24") for frame in clip.decode(video=0)]
    with av.open(str(source)) as clip:
        blocks = [block.to_ndarray() for block in clip.decode(audio=0)]
        stream = clip.streams.audio[0]
        rate, layout, kind = stream.rate, stream.layout.name, stream.format.name
    with av.open(str(target), "w") as out:
        video = out.add_stream("mpeg4", rate=12)
        video.height, video.width = frames[0].shape[:2]
        video.pix_fmt = "yuv420p"
        audio = out.add_stream("aac", rate=rate, layout=layout)
        done = 0.0
        audios = cycle(blocks)
        for i, rgb in enumerate(islice(cycle(frames), int(minutes * 60 * 12))):
            out.mux(video.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
            while done < (i + 1) / 12:
                block = av.AudioFrame.from_ndarray(next(audios), format=kind, layout=layout)
                block.sample_rate = rate
                done += block.samples / rate
                out.mux(audio.encode(block))
        out.mux(video.encode())
        out.mux(audio.encode())


def measure(path: Path) -> dict[str, float]:
    """Recognise in this process."""
    import avtca

    recognizer = avtca.load(threads=1)
    started = time.process_time()
    report = recognizer.predict(path, person="all")
    return {
        "seconds_of_media": round(report.duration_s, 1),
        "cpu_seconds": round(time.process_time() - started, 1),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "windows": len(report.timeline),
    }


def main() -> None:
    """Create the files, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--minutes", type=float, nargs="+", default=[2, 8])
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(measure(args.clip)))
        return
    rows = []
    with tempfile.TemporaryDirectory() as temp:
        for minutes in args.minutes:
            film = Path(temp) / f"{minutes:g}.mp4"
            repeat(args.clip, film, minutes)
            command = [sys.executable, __file__, str(film), "--measure"]
            rows.append(json.loads(subprocess.check_output(command)))
            print(rows[-1], flush=True)
    out = Path(__file__).parent / "results" / "recognizer_memory.json"
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps({"command": " ".join(sys.argv), "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
