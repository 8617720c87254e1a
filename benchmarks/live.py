"""Delay of live recognition: from a picture to the answer, over the real socket.

    python benchmarks/live.py            about 160 seconds
    python benchmarks/live.py --only 0   the first run alone

Starts `avtca serve` on the loopback and sends a real clip of ``../shared/samples`` (RAVDESS, actor
01; one face), forwards and backwards in turn, at 15 pictures a second (JPEG, quality 85) with its
audio in blocks of 40 ms, each when it would have been recorded: an audio block at its end. With two
faces, two clips of ``../shared/talking`` (GRID) are side by side and repeat with the voice of the
left, every person has a row, and who speaks is found. The client and all processes of the server
share two cores. Measured by the client, for each result:

- picture to answer: from sending the newest picture of the result's window to receiving the result;
- any picture to its first answer: the same for every picture after that of the first result, from
  sending it to the first result whose window includes it. This contains the time until the next
  result is due.

- computed: picture to answer if messages took no time and the engine had a core to itself: they
  are given to the engine in this process, and each takes the processor time that it used. This
  holds on a busy machine too.

Cores are processor time over time: of the server, of the client, and of all other programs on these
cores.

Results go to benchmarks/results/live.json, and the table to the markers in docs/live.md.
"""

import argparse
import asyncio
import io
import json
import os
import platform
import re
import signal
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from websockets.asyncio.client import connect

import avtca
from avtca.files import write_atomic, write_json
from avtca.media import open_media
from avtca.serve.live_messages import AUDIO, decode_audio, parse_media
from avtca.serve.live_worker import warm_up
from avtca.serve.pictures import decode_picture

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("AVTCA_SHARED", ROOT.parent / "shared"))
CLIP = SHARED / "samples" / "01-01-01-01-01-01-01.mp4"
RESULTS, PAGE = ROOT / "benchmarks" / "results" / "live.json", ROOT / "docs" / "live.md"
PAIR = SHARED / "talking" / "lwbsza.mpg", SHARED / "talking" / "bbaf2n.mpg"
BLOCK = 640
CORES = 2
ONE = {"faces": 1, "fps": 15, "every_s": 0.5, "width": 640, "height": 360}
TWO = {"faces": 2, "fps": 15, "every_s": 0.5, "width": 720, "height": 288}
RUNS: tuple[dict[str, Any], ...] = (
    {**ONE, "seconds": 30.0},
    {**ONE, "width": 1280, "height": 720, "seconds": 12.0},
    {**ONE, "every_s": 0.1, "seconds": 12.0},
    {**TWO, "seconds": 30.0},
    {**TWO, "fps": 25, "seconds": 30.0},
)


def load_clip(run: dict[str, Any]) -> tuple[list[bytes], np.ndarray]:
    """JPEGs at the rate of a run, and 16-bit audio at 16 kHz."""
    clips = [open_media(path) for path in (PAIR if run["faces"] == 2 else (CLIP,))]
    jpegs = []
    for frames in zip(*(clip.frames(run["fps"]) for clip in clips), strict=False):
        out, image = io.BytesIO(), np.hstack([frame.rgb for frame in frames])
        size = run["width"], run["height"]
        Image.fromarray(image).resize(size).save(out, "JPEG", quality=85)
        jpegs.append(out.getvalue())
    wave = np.concatenate(list(clips[0].audio(16_000)))
    if run["faces"] == 2:
        wave = np.resize(wave, len(jpegs) * 16_000 // run["fps"])
    else:
        jpegs += jpegs[-2:0:-1]
    return jpegs, (wave * 2**15).clip(-(2**15), 2**15 - 1).astype("<i2")


def schedule(run: dict[str, Any]) -> list[tuple[float, bytes, int]]:
    """When each message is sent, the message, and its microseconds; pictures have kind 2."""
    jpegs, wave = load_clip(run)
    seconds, events = run["seconds"], []
    for k in range(int(seconds * run["fps"])):
        time_us = int(Fraction(k, run["fps"]) * 10**6)
        header = bytes([2]) + time_us.to_bytes(8, "big")
        events.append((time_us / 1e6, header + jpegs[k % len(jpegs)], time_us))
    for start in range(0, int(seconds * 16_000), BLOCK):
        samples = wave[np.arange(start, start + BLOCK) % len(wave)]
        time_us = start * 10**6 // 16_000
        header = bytes([1]) + time_us.to_bytes(8, "big")
        events.append(((start + BLOCK) / 16_000, header + samples.tobytes(), time_us))
    return sorted(events, key=lambda event: event[0])


def cpu_s(pid: int) -> float:
    """CPU seconds of a process and its children."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(stat.parent.name) == pid or int(fields[1]) == pid:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def busy_s() -> float:
    """Seconds of all programs on the cores of this process."""
    cores = {f"cpu{core}" for core in os.sched_getaffinity(0)}
    lines = [line.split() for line in Path("/proc/stat").read_text().splitlines()]
    ticks = [map(int, line[1:4] + line[6:8]) for line in lines if line[0] in cores]
    return sum(map(sum, ticks)) / os.sysconf("SC_CLK_TCK")


def settings(run: dict[str, Any]) -> dict[str, Any]:
    """Settings of the session of a run."""
    return {"every_s": run["every_s"], "person": "all" if run["faces"] > 1 else "main"}


async def measure(url: str, pid: int, run: dict[str, Any]) -> dict[str, Any]:
    """One session; times in milliseconds."""
    events = schedule(run)
    sent: dict[int, float] = {}
    received: list[tuple[float, dict[str, Any]]] = []
    late = 0.0
    async with connect(url, compression=None, max_size=None) as socket:
        session = {**settings(run), "start_us": 0}
        await socket.send(json.dumps({"type": "session.create", "session": session}))
        assert json.loads(await socket.recv())["type"] == "session.created"

        async def send() -> None:
            nonlocal late
            started = time.monotonic()
            for due_s, message, time_us in events:
                await asyncio.sleep(max(0.0, started + due_s - time.monotonic()))
                now = time.monotonic()
                late = max(late, now - started - due_s)
                if message[0] == 2:
                    sent[time_us] = now
                await socket.send(message)
            await socket.send(json.dumps({"type": "finalize"}))

        before, started = np.array((cpu_s(pid), time.process_time(), busy_s())), time.monotonic()
        sending = asyncio.create_task(send())
        async for text in socket:
            message = json.loads(text)
            received.append((time.monotonic(), message))
            if message["type"] == "session.closed":
                break
        await sending
        used = np.array((cpu_s(pid), time.process_time(), busy_s())) - before
        server, client, every = (used / (time.monotonic() - started)).tolist()
    given = [(at, m) for at, m in received if m["type"] == "measurement.result" and not m["final"]]
    results = [(at, m) for at, m in given if m["picture_us"] is not None]
    answers = [1000 * (at - sent[nearest(sent, m["picture_us"])]) for at, m in results]
    speakers = [any(row["speaking"] is not None for row in m["people"]) for _, m in given]
    firsts, k = [], 0
    first_us = results[0][1]["picture_us"] + 1
    for time_us, at_sent in sorted(sent.items()):
        if time_us <= first_us:
            continue
        while k < len(results) and results[k][1]["picture_us"] + 1 < time_us:
            k += 1
        if k < len(results):
            firsts.append(1000 * (results[k][0] - at_sent))
    return {
        **run,
        "results": len(given),
        "without_picture": len(given) - len(results),
        "picture_to_answer_ms": quantiles(answers),
        "any_picture_to_first_answer_ms": quantiles(firsts),
        "computed_ms": compute(run),
        "server_delay_ms": quantiles([m["delay_ms"] for _, m in results]),
        "speaker_decided": round(float(np.mean(speakers)), 3),
        "server_cores": round(server, 3),
        "client_cores": round(client, 3),
        "other_cores": round(max(0.0, every - server - client), 3),
        "sent_late_ms": round(1000 * late, 1),
        "counts": received[-1][1]["counts"],
    }


def compute(run: dict[str, Any]) -> dict[str, float]:
    """Picture to answer by processor time, in milliseconds."""
    recognizer = avtca.load()
    session = recognizer.live_session(**settings(run))
    warm_up(session)
    free, delays = 0.0, []
    for due_s, message, _ in schedule(run):
        kind, time_us, payload = parse_media(message)
        before = time.thread_time()
        if kind == AUDIO:
            found = session.add_audio(decode_audio(payload), time_s=time_us / 1e6)
        elif session.needs(time_us / 10**6):
            rgb = decode_picture(bytes(payload), 2**24)
            found = session.add_frame(time_us / 10**6, rgb)
        else:
            found = []
        free = max(due_s, free) + time.thread_time() - before
        delays += [1000 * (free - result.frame_s) for result in found]
    return quantiles(delays)


def nearest(sent: dict[int, float], time_us: int) -> int:
    """The picture that was sent with this time."""
    return min(sent, key=lambda one: abs(one - time_us))


def quantiles(values: list[float]) -> dict[str, float]:
    """Median, 95 % and largest."""
    return {
        "p50": round(float(np.quantile(values, 0.5)), 1),
        "p95": round(float(np.quantile(values, 0.95)), 1),
        "max": round(max(values), 1),
    }


def serve(folder: str) -> tuple[subprocess.Popen[str], str]:
    """Start the server on a free port; its address once it answers."""
    command = [sys.executable, "-m", "avtca", "serve", "--port", "0", "--workers", "1"]
    environment = {**os.environ, "AVTCA_SERVE_DATA": folder}
    server = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    )
    assert server.stdout is not None
    line = server.stdout.readline()
    found = re.search(r"http://[^ /]+", line)
    assert found, line
    return server, found[0].replace("http", "ws") + "/v1/live"


def table(results: list[dict[str, Any]]) -> str:
    """The runs as a Markdown table, and what else the machine did."""
    rows = [
        "| pictures | faces | result every | picture to answer, p50 / p95 / max | computed, p95 | "
        "any picture to its first answer, p50 / p95 | dropped | cores |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for run in results:
        answer, first = run["picture_to_answer_ms"], run["any_picture_to_first_answer_ms"]
        counts = run["counts"]
        cells = (
            f"{run['width']} x {run['height']}, {run['fps']} a second",
            f"{run['faces']}",
            f"{run['every_s']} s",
            f"{answer['p50']:.0f} / **{answer['p95']:.0f}** / {answer['max']:.0f} ms",
            f"{run['computed_ms']['p95']:.0f} ms",
            f"{first['p50']:.0f} / {first['p95']:.0f} ms",
            f"{counts['stale']} of {counts['pictures']}",
            f"{run['server_cores']:.2f}",
        )
        rows.append(f"| {' | '.join(cells)} |")
    rows.append("")
    others, decided = (
        [f"{run[name]:{form}}" for run in results if run["faces"] >= faces]
        for name, form, faces in (("other_cores", ".2f", 1), ("speaker_decided", ".0%", 2))
    )
    if decided:
        rows.append(
            f"With two faces, who speaks was decided in {' and '.join(decided)} of the results."
        )
    rows.append(f"Other programs used {', '.join(others)} of {CORES} cores during the runs.")
    return "\n".join(rows)


def main() -> None:
    """Run, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", type=int, help="number of a run; nothing is written")
    only = parser.parse_args().only
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    with tempfile.TemporaryDirectory() as folder:
        server, url = serve(folder)
        try:
            runs = RUNS if only is None else RUNS[only : only + 1]
            results = [asyncio.run(measure(url, server.pid, run)) for run in runs]
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(30)
    print(json.dumps(results, indent=1))
    print(table(results))
    if only is None:
        about = {"cores": CORES, "machine": platform.machine(), "block_ms": 40}
        write_json(RESULTS, {**about, "runs": results})
        text = PAGE.read_text()
        marked = r"(?<=<!-- live -->\n)(.*?)(?=<!-- /live -->)"
        write_atomic(PAGE, re.sub(marked, lambda _: table(results) + "\n", text, flags=re.S))


if __name__ == "__main__":
    main()
