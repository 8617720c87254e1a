"""One prepared sample, in memory and as one file of the cache.

The file is safetensors, which cannot hold code: face crops as JPEG (or PNG), audio as FLAC (or
float32), feature series as float32, and the sample's columns of the manifest as JSON.
"""

import io
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avtca.clipspec import ClipSpec
from avtca.compat import KEYS, upgrade
from avtca.errors import CorpusError
from avtca.files import write_atomic
from avtca.preprocess import RawSample

JPEG_QUALITY = 85
"""Of the face crops; the mean error is 1.6 of 255 on a real face of 224 px."""
FULL_SCALE = 32_768
"""16-bit audio: the step of the waveform is 1 / 32768."""
SILENCE = 1e-3
"""Peak below which audio counts as silent: 60 dB under full scale."""


@dataclass(frozen=True)
class SampleFile:
    """The content of one file: the sample, and its measured columns of the manifest."""

    raw: RawSample
    row: dict[str, Any] = field(default_factory=dict)


def is_silent(wave: NDArray[np.float32]) -> bool:
    """Whether a mono waveform ``(n,)``, -1..1, is silent or empty."""
    return not len(wave) or float(np.abs(wave).max()) <= SILENCE


def empty_video(spec: ClipSpec) -> NDArray[Any]:
    """Video of no steps, in the shape of the spec."""
    if spec.video == "features":
        return np.zeros((0, spec.video_dim), np.float32)
    shape = (0, spec.crop_px, spec.crop_px, *((3,) if spec.colour == "rgb" else ()))
    return np.zeros(shape, np.uint8)


def encode_images(crops: Iterable[NDArray[np.uint8]], *, lossless: bool) -> list[bytes]:
    """Each crop as a JPEG, or losslessly as a PNG."""
    from PIL import Image

    out = []
    for crop in crops:
        buffer = io.BytesIO()
        image = Image.fromarray(np.ascontiguousarray(crop))
        if lossless:
            image.save(buffer, "PNG", compress_level=4)
        else:
            image.save(buffer, "JPEG", quality=JPEG_QUALITY, optimize=True)
        out.append(buffer.getvalue())
    return out


def decode_images(packed: NDArray[np.uint8], ends: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Crops ``(n, px, px[, 3])`` from concatenated images and the end of each, in bytes."""
    from PIL import Image

    data, starts = packed.tobytes(), [0, *ends[:-1].tolist()]
    images = (data[a:b] for a, b in zip(starts, ends.tolist(), strict=True))
    return np.stack([np.asarray(Image.open(io.BytesIO(image))) for image in images])


def encode_flac(wave: NDArray[np.float32], rate: int) -> bytes:
    """Mono 16-bit FLAC; samples beyond -1..1 are clipped."""
    import av

    whole = np.clip(np.rint(wave * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="flac", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("flac", rate=rate, layout="mono", format="s16")
        for start in range(0, len(whole), 4096):
            block = np.ascontiguousarray(whole[None, start : start + 4096])
            frame = av.AudioFrame.from_ndarray(block, format="s16", layout="mono")
            frame.sample_rate, frame.pts = rate, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def decode_flac(data: bytes) -> NDArray[np.float32]:
    """Inverse of :func:`encode_flac`: float32 ``(m,)``."""
    import av

    with av.open(io.BytesIO(data), "r") as container:
        blocks = [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
    if not blocks:
        return np.zeros(0, np.float32)
    return np.concatenate(blocks).astype(np.float32) / np.float32(FULL_SCALE)


def write_sample(path: Path, sample: SampleFile, spec: ClipSpec, *, lossless: bool = False) -> None:
    """Write one file atomically."""
    from safetensors.numpy import save

    raw = sample.raw
    tensors: dict[str, NDArray[Any]] = {"steps": np.asarray(raw.steps, np.int64)}
    if spec.video == "features":
        tensors["video"] = np.ascontiguousarray(raw.video, np.float32)
    elif len(raw.video):
        images = encode_images(raw.video, lossless=lossless)
        tensors["images"] = np.frombuffer(b"".join(images), np.uint8)
        tensors["image_ends"] = np.cumsum([len(one) for one in images], dtype=np.int64)
    if raw.audio is not None and raw.audio_times is not None:
        tensors["audio"] = np.ascontiguousarray(raw.audio, np.float32)
        tensors["audio_times"] = np.asarray(raw.audio_times, np.float64)
    elif len(raw.wave) and lossless:
        tensors["wave"] = np.ascontiguousarray(raw.wave, np.float32)
    elif len(raw.wave):
        tensors["flac"] = np.frombuffer(encode_flac(raw.wave, spec.sample_rate), np.uint8)
    row = json.dumps({**sample.row, "duration_s": raw.duration_s}, sort_keys=True)
    write_atomic(path, save(tensors, metadata={"row": row}))


def read_row(path: Path) -> dict[str, Any] | None:
    """The columns in a file's header; ``None`` for a file that is missing, truncated or foreign."""
    try:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            if not 0 < size < 1 << 24:
                return None
            header = json.loads(file.read(size))
        ends = [item["data_offsets"][1] for key, item in header.items() if key != "__metadata__"]
        if path.stat().st_size != 8 + size + max(ends, default=0):
            return None
        row = upgrade(json.loads(header["__metadata__"]["row"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return row if isinstance(row, dict) else None


def read_sample(data: bytes, spec: ClipSpec, *, name: str = "a sample") -> SampleFile:
    """Decode a sample from the bytes of its file.

    Raises:
        CorpusError: The bytes are broken.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        tensors = {KEYS.get(name, name): value for name, value in load(data).items()}
        size = int.from_bytes(data[:8], "little")
        row = upgrade(json.loads(json.loads(data[8 : 8 + size])["__metadata__"]["row"]))
        if "video" in tensors:
            video = tensors["video"]
        elif "images" in tensors:
            video = decode_images(tensors["images"], tensors["image_ends"])
        else:
            video = empty_video(spec)
        wave = tensors.get("wave", np.zeros(0, np.float32))
        if "flac" in tensors:
            wave = decode_flac(tensors["flac"].tobytes())
        raw = RawSample(
            tensors["steps"],
            video,
            wave,
            float(row["duration_s"]),
            tensors.get("audio"),
            tensors.get("audio_times"),
        )
    except (SafetensorError, ValueError, KeyError, OSError) as error:
        raise CorpusError(
            f"read {name} of a prepared corpus", f"its file is broken ({error})", "prepare again"
        ) from error
    return SampleFile(raw, row)
