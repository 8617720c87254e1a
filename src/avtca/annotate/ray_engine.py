"""Recordings on a Ray cluster, by Ray Data."""

import functools
import json
import logging
import os
import socket
from collections.abc import Generator, Sequence
from typing import Any

from avtca import __version__
from avtca.annotate.recordings import Recording
from avtca.annotate.result import Options, annotate_recording, died
from avtca.errors import ConfigError, MissingExtra
from avtca.worker_pool import LoneWorker

CHUNK = 20_000
"""Recordings that are handed to Ray at once: each is a block of a data set."""
CONNECT_S = 10.0
ACTION = "annotate with Ray"


class RayWorker:
    """An actor, which recognises in a separate process.

    A file that kills the process is a failed recording. The actor dies only with its node, and
    then Ray repeats what it had in work on another node.

    Args:
        options: How to recognise.
        version: Version of avtca of the driver.
    """

    def __init__(self, options: Options, version: str) -> None:
        if version != __version__:
            raise RuntimeError(f"avtca {__version__} is installed on a node, and {version} here")
        self._options, self._worker = options, LoneWorker[str]()

    def __call__(self, row: dict[str, Any]) -> dict[str, str]:
        """The line of a recording."""
        recording = Recording(*json.loads(row["recording"]))
        line = self._worker.run(functools.partial(annotate_recording, self._options, recording))
        return {"line": died(recording) if line is None else line}


def ray_lines(
    options: Options, recordings: Sequence[Recording], jobs: int | None
) -> Generator[str, None, None]:
    """The line of each recording, in the order they finish.

    Joins the cluster of ``RAY_ADDRESS`` or the one of this machine, else starts Ray here. Reports
    nothing to the makers of Ray.

    Args:
        options: How to recognise.
        recordings: The recordings.
        jobs: Workers, by default one for each processor of the cluster.

    Raises:
        MissingExtra: Ray is not installed.
        ConfigError: Ray cannot be used, or its workers cannot start.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    try:
        import ray
        import ray.data
        from ray.exceptions import RayError
    except ImportError as error:
        fix = "pip install 'avtca[ray]', on each node of the cluster"
        raise MissingExtra(ACTION, f"{error.name} is not installed", fix) from error
    logging.getLogger("ray").setLevel(logging.ERROR)
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    begun = not ray.is_initialized()
    try:
        if begun:
            _join(jobs)
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        jobs = jobs or max(1, int(ray.cluster_resources().get("CPU", 1)))
        for first in range(0, len(recordings), CHUNK):
            chunk = recordings[first : first + CHUNK]
            rows = [{"recording": json.dumps(one)} for one in chunk]
            data = ray.data.from_items(rows, override_num_blocks=len(rows)).map(
                RayWorker,
                fn_constructor_args=(options, __version__),
                compute=ray.data.ActorPoolStrategy(min_size=1, max_size=jobs),
                num_cpus=1,
            )
            for row in data.iter_rows():
                yield row["line"]
    except (RayError, ConnectionError, ValueError) as error:
        problem = str(error).strip().splitlines()[-1].strip()
        fix = "check the cluster (ray status); the same command then resumes"
        raise ConfigError(ACTION, problem, fix) from error
    finally:
        if begun:
            ray.shutdown()


def _join(jobs: int | None) -> None:
    import ray

    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    address = os.environ.get("RAY_ADDRESS", "auto")
    _check(address)
    try:
        ray.init(address=address, **quiet)
    except ConnectionError:
        if "RAY_ADDRESS" in os.environ:
            raise
        ray.init(address="local", include_dashboard=False, num_cpus=jobs, **quiet)


def _check(address: str) -> None:
    """Fail at once where nothing answers; Ray itself tries for minutes, with warnings."""
    host, colon, port = address.rpartition(":")
    if not colon or "/" in host or not port.isdecimal():
        return  # "auto", "local", ray://
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_S).close()
    except (OSError, OverflowError, UnicodeError) as error:  # UnicodeError: a name such as "a..b"
        problem = f"no cluster at RAY_ADDRESS={address}: {getattr(error, 'strerror', 0) or error}"
        raise ConfigError(ACTION, problem, "start it, correct RAY_ADDRESS, or unset it") from error
