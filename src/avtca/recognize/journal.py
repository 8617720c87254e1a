"""Results of the networks for one recording, kept in a file, so that a stopped reading resumes.

A reading that is repeated decodes the recording again, and takes the results of the detector and
of the networks from the journal: they are found by a hash of their input, so that the report is
that of a reading without a stop.
"""

import hashlib
import io
import struct
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from avtca.faces import Detection
from avtca.recognize.recognizer import Recognizer

if TYPE_CHECKING:
    from avtca.preprocess import ModelInput

Array = NDArray[Any]
_HEAD = struct.Struct("<16sII")
"""Of an entry: hash of the input, length and checksum of the result."""


class Journal:
    """A file of results, to which each new one is appended.

    An entry that a kill cut off is dropped. Where the file cannot be written, the results are
    computed as without it.

    Args:
        path: The file.
        key: Whatever the results depend on beside their input; a journal with another one is
            started anew.
    """

    def __init__(self, path: Path, key: str) -> None:
        self._entries: dict[bytes, tuple[int, int]] = {}
        self._lock = threading.Lock()
        self._file: BinaryIO | None = None
        self._path, self._end = path, 0
        head = hashlib.blake2b(key.encode(), digest_size=16).digest()
        with suppress(OSError):
            self._file = path.open("r+b" if path.exists() else "w+b")
            if self._file.read(len(head)) != head:
                self._file.seek(0)
                self._file.truncate()
                self._file.write(head)
            self._end = len(head)
            self._scan(self._file)
            self._file.truncate(self._end)

    def result(self, kind: str, inputs: Iterable[Array], make: Callable[[], Array]) -> Array:
        """The result for some arrays, which ``make`` computes if the journal has none."""
        hashed = hashlib.blake2b(kind.encode(), digest_size=16)
        for one in inputs:
            hashed.update(f"{one.shape} {one.dtype}".encode())
            hashed.update(np.ascontiguousarray(one).data)
        digest = hashed.digest()
        with self._lock:
            if digest in self._entries and self._file is not None:
                at, size = self._entries[digest]
                self._file.seek(at)
                kept: Array = np.load(io.BytesIO(self._file.read(size)), allow_pickle=False)
                return kept
        made = make()
        with self._lock:
            self._append(digest, made)
        return made

    def close(self) -> None:
        """Close the file, and delete it if it has no results."""
        with suppress(OSError):
            if self._file is not None:
                self._file.close()
            if not self._entries:
                self._path.unlink(missing_ok=True)
        self._file = None

    def _append(self, digest: bytes, made: Array) -> None:
        data = io.BytesIO()
        np.save(data, made, allow_pickle=False)
        payload = data.getvalue()
        if self._file is None:
            return
        try:
            self._file.seek(self._end)
            self._file.write(_HEAD.pack(digest, len(payload), zlib.crc32(payload)) + payload)
            self._file.flush()
        except OSError:
            with suppress(OSError):
                self._file.close()
            self._file = None
            return
        self._entries[digest] = self._end + _HEAD.size, len(payload)
        self._end += _HEAD.size + len(payload)

    def _scan(self, file: BinaryIO) -> None:
        """Find the entries, up to one that is not complete."""
        while len(head := file.read(_HEAD.size)) == _HEAD.size:
            digest, size, checksum = _HEAD.unpack(head)
            payload = file.read(size)
            if len(payload) < size or zlib.crc32(payload) != checksum:
                return
            self._entries[digest] = self._end + _HEAD.size, size
            self._end += _HEAD.size + size


class _Kept:
    """A detector or network with other attributes unchanged."""

    def __init__(self, inner: Any, journal: Journal) -> None:
        self._inner, self._journal = inner, journal

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class _KeptDetector(_Kept):
    def detect(self, rgb: NDArray[np.uint8]) -> list[Detection]:
        def make() -> Array:
            found = self._inner.detect(rgb)
            rows = [(*one.box, *one.landmarks.ravel(), one.confidence) for one in found]
            return np.array(rows, np.float64).reshape(-1, 15)

        rows = self._journal.result("faces", [rgb], make)
        boxes, landmarks = np.split(rows[:, :14].astype(np.float32), [4], axis=1)
        places = zip(boxes, landmarks.reshape(-1, 5, 2), rows[:, 14], strict=True)
        return [Detection(box, points, float(sure)) for box, points, sure in places]


class _KeptBackend(_Kept):
    def encode_faces(self, crops: NDArray[np.uint8]) -> Array:
        return self._journal.result("features", [crops], lambda: self._inner.encode_faces(crops))

    def logits(self, batch: "ModelInput") -> Array:
        inputs = batch.video, batch.video_mask, batch.audio, batch.audio_mask
        return self._journal.result("logits", inputs, lambda: self._inner.logits(batch))


class _KeptSpeakerModel(_Kept):
    def motion(self, faces: NDArray[np.uint8]) -> Array:
        return self._journal.result("motion", [faces], lambda: self._inner.motion(faces))


@contextmanager
def journaled(recognizer: Recognizer, path: Path, key: str) -> Iterator[Recognizer]:
    """A recognizer that keeps the results of its networks in a file.

    The maps of attention, and the points on the lips, are computed again.

    Args:
        recognizer: The recognizer.
        path: File of the journal, which stays.
        key: See :class:`Journal`.
    """
    journal = Journal(path, key)
    speaker: Any = recognizer.speaker_model
    if speaker is not None:
        speaker = _KeptSpeakerModel(speaker, journal)
    backend: Any = _KeptBackend(recognizer.backend, journal)
    detector: Any = _KeptDetector(recognizer.detector, journal)
    try:
        yield Recognizer(backend, detector, speaker)
    finally:
        journal.close()
