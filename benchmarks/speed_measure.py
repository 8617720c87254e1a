"""One measurement of benchmarks/speed.py, in a process of its own: prints a JSON object.

python benchmarks/speed_measure.py total FILE CORES     CPU and wall seconds, peak memory
python benchmarks/speed_measure.py stages FILE CORES    the same, and CPU seconds by stage
python benchmarks/speed_measure.py decode FILE CORES    FFmpeg's decoder alone

`total` also runs with earlier versions of avtca on the path.
"""

import functools
import json
import os
import resource
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av

NETWORKS = {
    "face network": ("avtca.runtime.backends.OnnxBackend", "encode_faces"),
    "speech encoder": ("avtca.preprocess", "speech_tokens"),
    "voice activity": ("avtca.recognize.scorer", "voice_activity"),
    "fusion": ("avtca.runtime.backends.OnnxBackend", "logits"),
}
"""Parts of the stage of networks: where the function of each is."""
REST_OF_NETWORKS = "filters and batches"


class Stages:
    """CPU seconds by stage; each second of a thread counts for the innermost stage it is in."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self._thread = threading.local()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count what this thread does inside for a stage."""
        outer = getattr(self._thread, "name", None)
        self._switch(name)
        try:
            yield
        finally:
            self._switch(outer)

    def _switch(self, name: str | None) -> None:
        now, inside = time.thread_time(), getattr(self._thread, "name", None)
        if inside is not None:
            self.seconds[inside] += now - self._thread.since
        self._thread.name, self._thread.since = name, now

    def calls(self, name: str, owner: Any, function: str) -> None:
        """Count the calls of a function for a stage."""
        original = getattr(owner, function)

        @functools.wraps(original)
        def timed(*args: Any, **kwargs: Any) -> Any:
            with self.stage(name):
                return original(*args, **kwargs)

        setattr(owner, function, timed)

    def iterations(self, name: str, owner: Any, function: str) -> None:
        """Count the steps of the iterators that a function returns for a stage."""
        original = getattr(owner, function)

        @functools.wraps(original)
        def timed(*args: Any, **kwargs: Any) -> Iterator[Any]:
            with self.stage(name):
                values = iter(original(*args, **kwargs))
            return self._steps(name, values)

        setattr(owner, function, timed)

    def _steps(self, name: str, values: Iterator[Any]) -> Iterator[Any]:
        while True:
            with self.stage(name):
                try:
                    value = next(values)
                except StopIteration:
                    return
            yield value


def total(path: Path) -> dict[str, Any]:
    """Recognise a file."""
    import avtca

    recognizer = avtca.load()
    return _measured(lambda: recognizer.predict(path))


def stages(path: Path) -> dict[str, Any]:
    """Recognise a file, and count its stages, which add up to the total.

    Colours of a frame are converted where they are read, and count for that stage. Decoder
    threads of FFmpeg count for the frames.
    """
    import avtca
    from avtca.media import MediaFile
    from avtca.recognize import scorer, stream
    from avtca.speaker import MouthRecorder

    counted = Stages()
    counted.iterations("frames", stream, "hold_frames")
    counted.iterations("faces", stream, "track_faces")
    counted.iterations("audio", MediaFile, "audio")
    for function in ("add", "finish"):
        counted.calls("mouths", MouthRecorder, function)
        counted.calls(REST_OF_NETWORKS, scorer.WindowScorer, function)
    for name, (where, function) in NETWORKS.items():
        counted.calls(name, _found(where), function)
    recognizer = avtca.load()

    def predict() -> Any:
        with counted.stage("rest"):
            return recognizer.predict(path)

    row = _measured(predict)
    seconds = {name: round(counted.seconds[name], 2) for name in [*NETWORKS, REST_OF_NETWORKS]}
    found = {name: counted.seconds[name] for name in ("frames", "faces", "mouths", "audio")}
    found |= {"networks": sum(counted.seconds[name] for name in seconds)}
    found |= {"rest": counted.seconds["rest"]}
    found["frames"] += max(0.0, row["cpu_s"] - sum(found.values()))
    row["stages"] = {name: round(value, 2) for name, value in found.items()}
    return row | {"networks": seconds}


def decode(path: Path) -> dict[str, Any]:
    """Decode all frames with FFmpeg on one thread, and do nothing with them."""
    before = time.process_time()
    with av.open(str(path)) as clip:
        stream = clip.streams.video[0]
        stream.codec_context.thread_count = 1
        for _ in clip.decode(stream):
            pass
    return {"cpu_s": round(time.process_time() - before, 2)}


def _measured(predict: Callable[[], Any]) -> dict[str, Any]:
    started, before = time.monotonic(), time.process_time()
    report = predict()
    wall, cpu = time.monotonic() - started, time.process_time() - before
    return {
        "seconds": round(report.duration_s, 1),
        "cpu_s": round(cpu, 2),
        "wall_s": round(wall, 2),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "face_coverage": round(report.coverage.face, 3),
    }


def _found(where: str) -> Any:
    """A module, or a class of one."""
    import importlib

    module, _, name = where.rpartition(".")
    if name[0].isupper():
        return getattr(importlib.import_module(module), name)
    return importlib.import_module(where)


def use_cores(cores: int, available: Iterable[int] | None = None) -> None:
    """Run this process on so many cores."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(available or os.sched_getaffinity(0))[:cores])


if __name__ == "__main__":
    kind, file, n_cores = sys.argv[1:]
    use_cores(int(n_cores))
    print(json.dumps({"total": total, "stages": stages, "decode": decode}[kind](Path(file))))
