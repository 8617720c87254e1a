"""Recognition in child processes that have limits of time and memory."""

import json
import math
import multiprocessing
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

MAX_MB = 1024
"""Most memory that a child may use, its model included (about 150 MB)."""
MAX_ADDRESSES = 8 * 2**30
"""Bytes of addresses of a child: an allocation beyond them fails and spares the machine."""
MAX_S = 30.0
"""Longest time for one file."""
PEAK = Path("/proc/self/status")
RESET_PEAK = Path("/proc/self/clear_refs")

Kind = Literal["answered", "clean error", "internal error", "wrong", "died", "too slow"]


@dataclass(frozen=True)
class Outcome:
    """What became of a file.

    Attributes:
        kind: "answered" and "clean error" are right, the others are faults.
        text: The answer, or the error.
        seconds: Time it took.
        peak_mb: Largest memory of the child while it read the file, 0 where unknown.
        read: ``coverage.read`` of an answer.
        confident: Whether the answer is confident.
    """

    kind: Kind
    text: str
    seconds: float = 0.0
    peak_mb: float = 0.0
    read: float = 1.0
    confident: bool = False

    @property
    def fault(self) -> str:
        """Why this is not right; empty where it is."""
        if self.kind not in ("answered", "clean error"):
            return f"{self.kind}: {self.text}"
        if self.peak_mb > MAX_MB:
            return f"{self.peak_mb:.0f} MB"
        return ""


def recognise(paths: Iterable[Path], max_s: float = MAX_S) -> Iterator[Outcome]:
    """The outcome of each file, in order; a child that dies or hangs is replaced."""
    context = multiprocessing.get_context("spawn")
    child = pipe = None
    try:
        for path in paths:
            if child is None:
                pipe, end = context.Pipe()
                child = context.Process(target=_serve, args=(end,), daemon=True)
                child.start()
                end.close()
                pipe.recv()  # the model is loaded
            started = time.monotonic()
            pipe.send(str(path))
            outcome = None
            try:
                if pipe.poll(max_s):
                    outcome = Outcome(**pipe.recv())
                else:
                    outcome = Outcome("too slow", f"over {max_s:g} s", max_s)
                    child.kill()
            except EOFError:
                child.join()
                took = time.monotonic() - started
                outcome = Outcome("died", f"exit status {child.exitcode}", took)
            if outcome.kind in ("too slow", "died"):
                child.join()
                child = None
            yield outcome
    finally:
        if child is not None:
            child.kill()
            child.join()


def _serve(pipe) -> None:
    """Answer one path after another, in the child."""
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MAX_ADDRESSES, MAX_ADDRESSES))
    except ImportError:  # Windows
        pass
    import avtca

    recognizer = avtca.load(threads=1)
    pipe.send("ready")
    while True:
        path = pipe.recv()
        _reset_peak()
        started = time.monotonic()
        values = _answer(recognizer, path)
        pipe.send({**values, "seconds": time.monotonic() - started, "peak_mb": _peak_mb()})


def _answer(recognizer, path: str) -> dict[str, object]:
    from avtca.errors import AvtcaError

    try:
        report = recognizer.predict(path, person="all")
        text = json.dumps(report.to_dict(), allow_nan=False)
        report.to_csv()
        str(report)
        problem = _problem(json.loads(text))
    except AvtcaError as error:
        line = str(error)
        return {"kind": "internal error" if "\n" in line else "clean error", "text": line}
    except Exception as error:
        return {"kind": "internal error", "text": f"{type(error).__name__}: {error}"}
    if problem:
        return {"kind": "wrong", "text": problem}
    return {
        "kind": "answered",
        "text": f"{report.top} {report.certainty}; {'; '.join(report.warnings)}",
        "read": report.coverage.read,
        "confident": report.confident is True,
    }


def _problem(plain) -> str:
    """What is wrong with a report whatever the file; empty where nothing is."""
    coverage, rows = plain["coverage"], plain["timeline"]
    if coverage["read"] < 0.9 and any(one["sure"] for one in (plain, *plain.get("people", ()))):
        return f"confident, of {coverage['read']:.0%} of the file"
    if not all(0 <= share <= 1 for share in coverage.values()):
        return f"coverage {coverage}"
    if any(not 0 <= row["start_s"] < row["end_s"] for row in rows):
        return "a window that ends before it starts"
    for scores in [plain["scores"], *(row["scores"] for row in rows if row["scores"])]:
        if not math.isclose(sum(scores.values()), 1, abs_tol=0.01):
            return f"scores that sum to {sum(scores.values())}"
    return ""


def _reset_peak() -> None:
    if RESET_PEAK.exists():
        RESET_PEAK.write_text("5")


def _peak_mb() -> float:
    if PEAK.exists():
        for line in PEAK.read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
    return 0.0
