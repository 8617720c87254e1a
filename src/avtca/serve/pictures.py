"""Pictures of live sessions: JPEGs, decoded in a process of each session within limits.

A JPEG that crashes or stalls the decoder ends this process, which is replaced; the service and the
other sessions go on.
"""

import json
import multiprocessing
import signal
from contextlib import suppress
from io import BytesIO
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import ImageOps

from avtca.errors import AvtcaError
from avtca.serve.sandbox import limit_memory, restrict

MIN_PX = 16
"""Smallest width and height."""
ORIENTATION = 0x0112
"""Number of the EXIF tag."""
MAX_SCANS = 32
"""Scans of a progressive JPEG, each of which is a pass over the whole picture."""
START_S, DECODE_S = 30.0, 5.0
"""Longest start of the process, and longest decoding of a picture."""
MEMORY_MB, BYTES_PER_PX = 64, 40
"""Memory that decoding may take."""
ACTION = "read a picture"


class BadPicture(AvtcaError):
    """A picture that cannot be used."""

    def __init__(self, problem: str, fix: str) -> None:
        super().__init__(ACTION, problem, fix)


class PictureDecoder:
    """Decodes pictures in a separate process, which starts with the first of them.

    Args:
        max_pixels: Most pixels of a picture.
    """

    def __init__(self, max_pixels: int) -> None:
        self.max_pixels = max_pixels
        self.process: BaseProcess | None = None
        self._connection: Connection | None = None
        self._is_new = True

    def ready(self) -> None:
        """Start the process, and wait until it can decode."""
        with suppress(BadPicture):
            self.decode(b"")

    def decode(self, data: bytes | memoryview) -> NDArray[np.uint8]:
        """RGB ``(h, w, 3)`` of a JPEG, upright.

        Raises:
            BadPicture: It is no JPEG, damaged, too small or too large, or it ended the process.
        """
        try:
            connection = self._connection or self._start()
            connection.send_bytes(data)
            answer = json.loads(self._receive(connection, 4096))
            if "problem" in answer:
                raise BadPicture(str(answer["problem"]), str(answer["fix"]))
            width, height = int(answer["width"]), int(answer["height"])
            pixels = self._receive(connection, 3 * self.max_pixels)
            return np.frombuffer(pixels, np.uint8).reshape(height, width, 3)
        except (EOFError, OSError, ValueError, KeyError, TypeError) as error:
            self.close()
            problem = "the process that decoded it took too long, or ended"
            raise BadPicture(problem, "send another JPEG") from error

    def close(self) -> None:
        """End the process."""
        if self._connection is not None:
            self._connection.close()
        if self.process is not None:
            self.process.kill()
            self.process.join(START_S)
        self.process = self._connection = None

    def _start(self) -> Connection:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        process = context.Process(target=main, args=(theirs, self.max_pixels), daemon=True)
        process.start()
        theirs.close()
        self.process = process
        self._is_new = True
        return self._connection

    def _receive(self, connection: Connection, max_bytes: int) -> bytes:
        seconds, self._is_new = START_S if self._is_new else DECODE_S, False
        if not connection.poll(seconds):
            raise TimeoutError
        return connection.recv_bytes(max_bytes)


def main(connection: Connection, max_pixels: int) -> None:
    """Decode pictures until the connection closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the service ends its processes
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    PillowImage.preinit()
    restrict([])
    limit_memory(MEMORY_MB + max_pixels * BYTES_PER_PX // 2**20)
    while True:
        try:
            data = connection.recv_bytes()
            try:
                rgb = decode_picture(data, max_pixels)
            except BadPicture as error:
                answer = {"problem": error.problem, "fix": error.fix}
                connection.send_bytes(json.dumps(answer).encode())
                continue
            height, width, _ = rgb.shape
            connection.send_bytes(json.dumps({"width": width, "height": height}).encode())
            connection.send_bytes(np.ascontiguousarray(rgb).data.cast("B"))
        except (EOFError, OSError):
            return


def decode_picture(data: bytes, max_pixels: int) -> NDArray[np.uint8]:
    """RGB ``(h, w, 3)`` of a JPEG, upright, decoded in this process.

    Raises:
        BadPicture: It is no JPEG, damaged, too small or too large.
    """
    if data.count(b"\xff\xda") > MAX_SCANS:
        raise BadPicture(f"it has more than {MAX_SCANS} scans", "send baseline JPEG")
    try:
        with PillowImage.open(BytesIO(data), formats=["JPEG"]) as image:
            width, height = image.size
            if min(width, height) >= MIN_PX and width * height <= max_pixels:
                turned = image.getexif().get(ORIENTATION, 1) != 1
                upright = ImageOps.exif_transpose(image) if turned else image
                return np.asarray(upright if upright.mode == "RGB" else upright.convert("RGB"))
    except PillowImage.DecompressionBombError as error:
        fix = "send smaller pictures"
        raise BadPicture(f"it has over {max_pixels} pixels", fix) from error
    except Exception as error:  # Pillow raises errors of many kinds for damaged files
        problem = "it is damaged, or not a JPEG"
        raise BadPicture(problem, "send another JPEG") from error
    problem = f"it has {width} x {height} pixels"
    fix = f"send at least {MIN_PX} x {MIN_PX} and at most {max_pixels} pixels"
    raise BadPicture(problem, fix)
