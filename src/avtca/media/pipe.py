"""Named pipes as files that can be read once, without waiting for ever."""

import io
import os
import select
import stat
from pathlib import Path
from typing import Any

from avtca.errors import MediaError
from avtca.media.container import TIMEOUT_S

STANDARD_INPUT = "standard input"
"""Name of a clip that is read from there."""


def is_pipe(path: Path) -> bool:
    """Whether a path is a named pipe, such as ``<(command)`` of a shell."""
    try:
        return stat.S_ISFIFO(path.stat().st_mode)
    except (OSError, ValueError):
        return False


class PipeReader(io.RawIOBase):
    """A named pipe in binary mode.

    Raises :class:`MediaError` where nothing is written to it for :data:`TIMEOUT_S` seconds.
    """

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        # Without O_NONBLOCK opening would wait until another process opens it for writing.
        self._pipe = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    def readable(self) -> bool:
        """Always true."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read up to the size of ``buffer``; 0 at the end."""
        if not select.select([self._pipe], [], [], TIMEOUT_S)[0]:
            raise MediaError(
                f"read {self.name}",
                f"it is a pipe, and nothing was written to it for {TIMEOUT_S:g} s",
                "start the command that writes to it, or write the recording to a file",
            )
        data = os.read(self._pipe, len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Close the pipe."""
        if not self.closed:
            os.close(self._pipe)
        super().close()
