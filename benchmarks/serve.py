"""Load on `avtca serve` on loopback: throughput, latency and memory; nothing lost, nothing wrong.

python benchmarks/serve.py load [SECONDS]      1, 8 and 32 clients; then overload (default 60 each)
python benchmarks/serve.py faults [N]          N mutated recordings (default 1000): 4xx, memory flat

Both write to benchmarks/results/serve.json, from which the tables of docs/serve.md are made.
"""

import json
import os
import platform
import ssl
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import httpx
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "helpers"))
from mutants import Mutant, make_clips, mutants, recording  # noqa: E402
from services import Service, serving  # noqa: E402

import avtca  # noqa: E402
from avtca.files import write_atomic, write_json  # noqa: E402

RESULTS, PAGE = ROOT / "benchmarks" / "results" / "serve.json", ROOT / "docs" / "serve.md"
SHARED = Path(os.environ.get("AVTCA_SHARED", ROOT.parent / "shared"))
CLIENTS = (1, 8, 32)
TLS = ssl.create_default_context()
"""Made once: it takes longer than a request."""
OVERLOAD_S, OVERLOAD_CLIENTS = 10.0, 32
MB_EVERY = 50
"""Mutated recordings between two measurements of the memory."""


@dataclass
class Run:
    """The answers of one run."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    wrong: int = 0
    lost: int = 0
    retry_s: list[int] = field(default_factory=list)


def expected(clips: list[Path]) -> dict[str, dict]:
    """What the command line answers, by name."""
    recognizer = avtca.load()
    plain = {clip.name: recognizer.predict(clip).to_dict() | {"file": clip.name} for clip in clips}
    return json.loads(json.dumps(plain))


def ask(service: Service, clips: dict[str, bytes], right: dict, n: int, seconds: float) -> Run:
    """``n`` clients that send one clip after another for so many seconds."""
    run, lock = Run(), threading.Lock()
    everyone = threading.Barrier(n)

    def client(number: int) -> None:
        names = sorted(clips)[number % len(clips) :] + sorted(clips)[: number % len(clips)]
        with httpx.Client(base_url=service.client.base_url, timeout=120, verify=TLS) as http:
            sent = 0
            everyone.wait()
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                name = names[sent % len(names)]
                sent += 1
                started = time.monotonic()
                try:
                    answer = http.post("/v1/recognize", files={"file": (name, clips[name])})
                except httpx.HTTPError:
                    with lock:
                        run.lost += 1
                    continue
                took = time.monotonic() - started
                with lock:
                    run.statuses[answer.status_code] += 1
                    if answer.status_code == 200:
                        run.seconds.append(took)
                        run.wrong += answer.json() != right[name]
                    elif "retry-after" in answer.headers:
                        run.retry_s.append(int(answer.headers["retry-after"]))
                if answer.status_code != 200:
                    time.sleep(0.1)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return run


def load(seconds: float) -> dict:
    """1, 8 and 32 clients, and a service with a short queue that is overloaded."""
    paths = sorted((SHARED / "corpora" / "cremad").glob("*.flv"))[:8]
    clips, right = {path.name: path.read_bytes() for path in paths}, expected(paths)
    media_s = float(np.mean([each["duration_s"] for each in right.values()]))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        with serving(Path(folder) / "data", workers=cores(), max_jobs=64) as service:
            service.ready()
            ask(service, clips, right, cores(), 2.0)
            for n in CLIENTS:
                started = time.monotonic()
                run = ask(service, clips, right, n, seconds)
                rows.append(row(n, run, time.monotonic() - started, service.memory_mb()))
                print(rows[-1], flush=True)
        with serving(Path(folder) / "small", workers=cores(), max_queue=4, max_jobs=64) as service:
            service.ready()
            started = time.monotonic()
            run = ask(service, clips, right, OVERLOAD_CLIENTS, OVERLOAD_S)
            over = row(OVERLOAD_CLIENTS, run, time.monotonic() - started, service.memory_mb())
            over["retry_after_s"] = sorted({*run.retry_s})
            print(over, flush=True)
    return {
        "clips": len(clips),
        "seconds_of_a_clip": round(media_s, 2),
        "workers": cores(),
        "cores": cores(),
        "python": platform.python_version(),
        "seconds_a_run": seconds,
        "load": rows,
        "overload": over,
    }


def row(clients: int, run: Run, seconds: float, memory_mb: float) -> dict:
    p50, p95, p99 = np.percentile(run.seconds or [np.nan], [50, 95, 99])
    return {
        "clients": clients,
        "answers": len(run.seconds),
        "a_second": round(len(run.seconds) / seconds, 2),
        "p50_s": round(float(p50), 3),
        "p95_s": round(float(p95), 3),
        "p99_s": round(float(p99), 3),
        "memory_mb": round(memory_mb),
        "refused": {str(status): n for status, n in run.statuses.items() if status != 200},
        "lost": run.lost,
        "wrong": run.wrong,
    }


def faults(n: int) -> dict:
    """Mutated recordings, one client for each core: status, and memory of all processes."""
    statuses: Counter[str] = Counter()
    memory = []
    with tempfile.TemporaryDirectory() as folder:
        clips = make_clips(recording(SHARED, Path(folder)), Path(folder))
        with serving(Path(folder) / "data", workers=cores()) as service:
            service.ready()

            def send(mutant: Mutant) -> tuple[Mutant, httpx.Response]:
                path = f"/v1/recognize?name={mutant.name}"
                return mutant, service.client.post(path, content=mutant.data)

            with ThreadPoolExecutor(cores()) as clients:
                answers = clients.map(send, islice(mutants(clips, n, seed=26), n))
                for k, (mutant, answer) in enumerate(answers):
                    statuses[str(answer.status_code)] += 1
                    if answer.status_code not in (200, 422):
                        print(mutant.what, answer.text)
                    if k % MB_EVERY == MB_EVERY - 1:
                        memory.append(round(service.memory_mb()))
            up = service.client.get("/healthz").status_code == 200
            restarts = service.client.get("/metrics").text
            log = service.log.read_text()
    line = next(each for each in restarts.splitlines() if each.startswith("avtca_worker_restarts_"))
    found = {
        "recordings": n,
        "statuses": dict(sorted(statuses.items())),
        "memory_mb": memory,
        "worker_restarts": round(float(line.split()[-1])),
        "internal_errors": log.count("internal error"),
        "up": up,
    }
    print(found)
    return found


def cores() -> int:
    return len(os.sched_getaffinity(0))


def tables(found: dict) -> str:
    """The tables of the page."""
    lines = []
    if rows := found.get("load"):
        lines += [
            f"{found['workers']} workers on {found['cores']} cores, {found['clips']} clips of "
            f"CREMA-D of {found['seconds_of_a_clip']} s on average, clients on the same machine, "
            f"{found['seconds_a_run']:g} s each:",
            "",
            "| clients | answers | a second | p50 | p95 | p99 | memory, all processes | lost "
            "| wrong |",
            "|---|---|---|---|---|---|---|---|---|",
        ]
        lines += [
            f"| {each['clients']} | {each['answers']} | {each['a_second']} | {each['p50_s']} s | "
            f"{each['p95_s']} s | {each['p99_s']} s | {each['memory_mb']} MB | {each['lost']} | "
            f"{each['wrong']} |"
            for each in rows
        ]
        over = found["overload"]
        refused = ", ".join(f"{n} with {status}" for status, n in over["refused"].items())
        lines += [
            "",
            f"Overload, {over['clients']} clients and a queue of 4: {over['answers']} answered "
            f"(p99 {over['p99_s']} s), refused {refused or 'none'} and `Retry-After`, "
            f"{over['lost']} lost, {over['wrong']} wrong.",
        ]
    if damaged := found.get("faults"):
        answers = ", ".join(f"{n} with {status}" for status, n in damaged["statuses"].items())
        memory = damaged["memory_mb"]
        lines += [
            "",
            f"{damaged['recordings']} mutated recordings: {answers}; memory of all processes "
            f"{memory[0]} MB after {MB_EVERY}, {memory[-1]} MB at the end, at most {max(memory)} "
            f"MB; {damaged['worker_restarts']} workers were replaced, "
            f"{damaged['internal_errors']} internal errors.",
        ]
    return "\n".join(lines)


def write(found: dict) -> None:
    """Write the figures, and the tables between the marks of the page."""
    write_json(RESULTS, found)
    page = PAGE.read_text()
    head, start, rest = page.partition("<!-- load -->\n")
    _, end, tail = rest.partition("<!-- /load -->")
    write_atomic(PAGE, head + start + "\n" + tables(found) + "\n\n" + end + tail)


def main() -> None:
    mode, number = sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 0
    found = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    if mode == "load":
        found |= load(number or 60.0)
    else:
        found["faults"] = faults(round(number) or 1000)
    write(found)


if __name__ == "__main__":
    main()
