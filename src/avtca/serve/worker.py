"""A worker process: reads recordings and recognises, one after another, within limits.

Only JSON goes through the connection. Nothing that a worker sends is unpickled, so that one that a
recording took over could not run code in the service.
"""

import importlib
import json
import os
import signal
import threading
from dataclasses import dataclass, replace
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from avtca.serve.sandbox import is_memory_used_up, limit_cpu, limit_memory, restrict

if TYPE_CHECKING:
    from avtca.recognize.recognizer import Recognizer
    from avtca.serve.models import Models

STARTED, PROGRESS, DONE, FAILED = "started", "progress", "done", "failed"
"""Kinds of messages from a worker."""


LOADED_LATE = ("numpy.fft", "numpy.ma", "PIL.ImageFile")
"""Modules that load when they are first used, which would fail once memory is limited."""


@dataclass(frozen=True)
class WorkerConfig:
    """What a worker process gets at its start."""

    model: str
    model_folder: str | None
    spool: str
    max_media_s: float
    max_pixels: int
    max_read_s: float
    memory_mb: int
    speaker_model: str | None = None


class Cancelled(Exception):
    """The job that is being read was cancelled."""


def main(connection: Connection, config: WorkerConfig) -> None:
    """Serve jobs until the connection closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the service ends its workers
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    read = (config.spool, config.model_folder, config.speaker_model)
    paths = [Path(each) for each in read if each]
    limits = restrict(paths)  # before there are other threads, which would not be restricted
    from avtca.errors import AvtcaError
    from avtca.serve.models import Models

    threading.Thread(target=_watch_parent, daemon=True).start()
    try:
        models = Models(config.model, config.speaker_model)
        models.load(models.default)
    except AvtcaError as error:
        _send(connection, FAILED, detail=str(error))
        return
    for name in LOADED_LATE:
        importlib.import_module(name)
    limits += limit_memory(config.memory_mb)
    _send(connection, STARTED, limits=limits)
    while True:
        try:
            job = json.loads(connection.recv_bytes())
            if "path" not in job:
                continue  # a cancellation that came too late
            _run(connection, config, models, job)
        except (EOFError, OSError):
            return


def _run(
    connection: Connection, config: WorkerConfig, models: "Models", job: dict[str, Any]
) -> None:
    from avtca.errors import AvtcaError, MediaError

    limit_cpu(config.max_read_s)
    _send(connection, PROGRESS, done_s=0.0, duration_s=None)
    try:
        parts = _recognise(connection, config, models.load(job["model"]), job)
    except Cancelled:
        _send(connection, FAILED, detail="cancelled")
    except Exception as error:  # its text could have a file name
        is_expected = isinstance(error, AvtcaError) and not isinstance(error, MediaError)
        if isinstance(error, MemoryError) or (not is_expected and is_memory_used_up()):
            text = f"read {job['name']}: it takes more memory than this service gives; "
            _send(connection, FAILED, status=422, detail=text + "send it with smaller frames")
            return
        if isinstance(error, AvtcaError):
            text = str(error).replace(job["path"], job["name"])
            _send(connection, FAILED, status=422, detail=text)
            return
        where = error.__traceback__
        while where is not None and where.tb_next is not None:
            where = where.tb_next
        place = f"{Path(where.tb_frame.f_code.co_filename).name}:{where.tb_lineno}" if where else ""
        _send(connection, FAILED, status=500, detail=f"{type(error).__name__} at {place}")
    else:
        _send(connection, DONE, parts=len(parts))
        for part in parts:
            connection.send_bytes(part)


def _recognise(
    connection: Connection, config: WorkerConfig, recognizer: "Recognizer", job: dict[str, Any]
) -> list[bytes]:
    """JSON of the report, the track and the attention maps, empty where there is none; faces."""
    from avtca.recognize.attention import attention_json
    from avtca.serve.report_faces import pack_faces
    from avtca.serve.track import Limits, Track

    spec = recognizer.backend.spec
    limits = job["name"], config.max_media_s, config.max_pixels, spec.sample_rate
    observer = Track(*limits, 1 / spec.video_rate) if job["track"] else Limits(*limits)

    def progress(stage: str, done: int, total: int | None) -> None:
        if connection.poll():
            connection.recv_bytes()
            raise Cancelled
        _send(connection, PROGRESS, done_s=done, duration_s=observer.duration_s or None)

    found = recognizer.predict(job["path"], **job["options"], progress=progress, observer=observer)
    report = replace(found, file=job["name"])
    maps = ""
    if report.attention:
        maps = attention_json(report.file, report.model, report.attention)
    plain = json.dumps(report.to_dict(), ensure_ascii=False)
    track = observer.to_json() if isinstance(observer, Track) else b""
    return [plain.encode(), track, maps.encode(), pack_faces(report)]


def _send(connection: Connection, kind: str, **values: Any) -> None:
    connection.send_bytes(json.dumps({"kind": kind, **values}).encode())


def _watch_parent() -> None:
    """End this process with the service, also in the middle of a recording."""
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
