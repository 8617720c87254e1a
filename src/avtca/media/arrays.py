"""A clip given as arrays: a waveform, frames, or both."""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avtca.errors import MediaError
from avtca.image import ArrayImage
from avtca.media.audio import Resampler
from avtca.media.clock import HALF_MS, dense_frames
from avtca.media.mixdown import SURVEYED, Mixdown, Mono, to_mono
from avtca.media.types import Frame, Moment, require_positive

KEYS = ("waveform", "sample_rate", "frames", "timestamps", "fps")
"""Keys of a clip that is given as a dictionary."""
_ACTION = "read the arrays"
_USAGE = 'give {"waveform", "sample_rate"}, {"frames", "timestamps" or "fps"}, or both'

Images = NDArray[np.uint8] | Sequence[NDArray[np.uint8]]


class MediaArrays:
    """Frames and audio in memory, with the interface of :class:`MediaFile`.

    Args:
        arrays: ``"waveform"``: floating point -1..1 or int16, ``(n,)`` or ``(channels, n)``, with
            ``"sample_rate"`` in Hz. ``"frames"``: uint8 RGB, an array ``(n, h, w, 3)`` or a
            sequence of ``(h, w, 3)``, with either ``"timestamps"``, their seconds ``(n,)`` on the
            clock of the waveform, or ``"fps"``, their number a second. Either stream may be
            absent.

    Raises:
        MediaError: A key is missing or unknown, or a value has the wrong shape, type or range.
    """

    def __init__(self, arrays: Mapping[str, Any]) -> None:
        if unknown := [str(key) for key in arrays if key not in KEYS]:
            raise _error(f"unknown key {unknown[0]!r}", _USAGE)
        given = {key: value for key, value in arrays.items() if value is not None}
        for key, partners in (
            ("waveform", ("sample_rate",)),
            ("sample_rate", ("waveform",)),
            ("frames", ("timestamps", "fps")),
            ("timestamps", ("frames",)),
            ("fps", ("frames",)),
        ):
            if key in given and not any(partner in given for partner in partners):
                raise _error(f"{key!r} without {' or '.join(map(repr, partners))}", _USAGE)
        if not given:
            raise _error("there is neither a waveform nor frames", _USAGE)
        self.name = "arrays"
        self.warnings: list[str] = []
        self._rate, self._wave = 1, np.zeros(0, np.float32)
        self._frames: Images = ()
        self._times: list[float] = []
        if "waveform" in given:
            self._rate = _sample_rate(given["sample_rate"])
            values, full_scale = _waveform(given["waveform"])
            start = values[:, : SURVEYED // len(values)] / np.float32(full_scale)
            mixdown = Mixdown.of(start.astype(np.float32), self._rate)
            self.warnings += mixdown.warnings
            channel, gain = mixdown.channel, mixdown.gain
            self._wave = to_mono(values, full_scale, channel=channel, gain=gain)
        if "frames" in given:
            self._frames = _images(given["frames"])
            self._times = _timestamps(given, len(self._frames))
        last = self._times[-1] if self._times else 0.0
        self.duration_s = max(last, len(self._wave) / self._rate)

    @property
    def has_video(self) -> bool:
        """Whether frames were given."""
        return len(self._frames) > 0

    @property
    def has_audio(self) -> bool:
        """Whether a waveform was given."""
        return len(self._wave) > 0

    @property
    def sample_rate(self) -> int | None:
        """Hz of the waveform, ``None`` where none was given."""
        return self._rate if self.has_audio else None

    @property
    def damaged(self) -> bool:
        """Never: nothing is decoded."""
        return False

    def decoded_share(self) -> float:
        """Always 1."""
        return 1.0

    def frames(self, rate: float, dense_rate: float = 0.0) -> Iterator[Frame]:
        """See :meth:`MediaFile.frames`."""
        require_positive(rate)
        timed = (
            (time, HALF_MS, image) for time, image in zip(self._times, self._frames, strict=True)
        )
        for step, time_s, image, dense in dense_frames(timed, rate, dense_rate):
            moments = tuple(Moment(t, ArrayImage(np.ascontiguousarray(one))) for t, one in dense)
            yield Frame(step, time_s, ArrayImage(np.ascontiguousarray(image)), dense=moments)

    def audio(self, rate: int) -> Iterator[Mono]:
        """See :meth:`MediaFile.audio`."""
        require_positive(rate)
        resampler = Resampler(self._rate, rate)
        for start in range(0, len(self._wave), self._rate):
            yield from resampler(self._wave[start : start + self._rate])
        if self.has_audio:
            yield from resampler(np.zeros(0, np.float32), last=True)


def _error(problem: str, fix: str) -> MediaError:
    return MediaError(_ACTION, problem, fix)


def _array(value: Any, key: str) -> NDArray[Any]:
    try:
        return np.asarray(value)
    except (ValueError, TypeError, RuntimeError) as error:
        raise _error(f"{key!r} is not an array ({error})", "give a numpy array") from error


def _positive(value: Any, key: str) -> float:
    number = _array(value, key)
    if number.size != 1 or number.dtype.kind not in "iuf":
        raise _error(f"{key!r} is {value!r}", "give a number")
    if not (np.isfinite(number.item()) and number.item() > 0):
        raise _error(f"{key!r} is {number.item()}", "give a positive number")
    return float(number.item())


def _sample_rate(value: Any) -> int:
    rate = _positive(value, "sample_rate")
    if rate != int(rate):
        raise _error(f"'sample_rate' is {rate}", "give whole Hz")
    return int(rate)


def _waveform(value: Any) -> tuple[NDArray[Any], int]:
    """Samples ``(channels, n)`` and the value of full scale."""
    wave = _array(value, "waveform")
    shape = "float (n,) or (channels, n), -1..1, or int16"
    if wave.dtype.kind != "f" and wave.dtype != np.int16:
        raise _error(f"'waveform' has the type {wave.dtype}", f"give {shape}")
    if wave.ndim not in (1, 2) or not wave.size:
        raise _error(f"'waveform' has the shape {wave.shape}", f"give {shape}")
    if wave.ndim == 2 and wave.shape[0] > wave.shape[1]:
        raise _error(f"'waveform' has the shape {wave.shape}, (n, channels)", "transpose it")
    return np.atleast_2d(wave), 2**15 if wave.dtype == np.int16 else 1


def _images(value: Any) -> Images:
    shape = "uint8 RGB (n, h, w, 3), or a sequence of (h, w, 3)"
    images = value if isinstance(value, list | tuple) else _array(value, "frames")
    if isinstance(images, np.ndarray) and images.ndim != 4:
        raise _error(f"'frames' has the shape {images.shape}", f"give {shape}")
    if not len(images):
        raise _error("'frames' is empty", f"give {shape}")
    images = images if isinstance(images, np.ndarray) else [_array(x, "frames") for x in images]
    for image in images:
        if image.dtype != np.uint8:
            raise _error(f"'frames' has the type {image.dtype}", f"give {shape}")
        if image.ndim != 3 or image.shape[2] != 3 or not image.size:
            raise _error(f"'frames' has an image of the shape {image.shape}", f"give {shape}")
    return images


def _timestamps(given: Mapping[str, Any], n: int) -> list[float]:
    if "fps" in given:
        if "timestamps" in given:
            raise _error("both 'timestamps' and 'fps'", "give one of them")
        fps = Fraction(_positive(given["fps"], "fps")).limit_denominator(10**6)
        return [float(k / fps) for k in range(n)]
    times = _array(given["timestamps"], "timestamps")
    if times.dtype.kind not in "iuf" or times.shape != (n,):
        raise _error(
            f"'timestamps' has the shape {times.shape} and the type {times.dtype} for {n} frames",
            "give one number of seconds for each frame",
        )
    if not np.isfinite(times).all() or times.min() < 0 or (np.diff(times) < 0).any():
        raise _error("'timestamps' do not ascend from 0", "give ascending seconds, 0 or more")
    return [float(time) for time in times]
