"""Damaged files, made from real clips by seeded mutations."""

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from limited import Outcome
from media_clips import encode

from avtca.media import open_media
from avtca.recognize.prediction import MIN_DECODED
from avtca.synthetic.corpus import synth_clip

VIDEOS = {
    "mp4": ("libx264", "aac"),
    "mov": ("mpeg4", "pcm_s16le"),
    "mkv": ("libx264", "libopus"),
    "webm": ("libvpx", "libopus"),
    "avi": ("mpeg4", "libmp3lame"),
    "flv": ("flv1", "libmp3lame"),
    "ts": ("mpeg2video", "mp2"),
    "wmv": ("wmv2", "libmp3lame"),
    "mpg": ("mpeg1video", "mp2"),
}
"""Codecs of video and audio by suffix."""
AUDIOS = {
    "wav": "pcm_s16le",
    "flac": "flac",
    "mp3": "libmp3lame",
    "ogg": "flac",
    "opus": "libopus",
    "m4a": "aac",
    "aac": "aac",
    "aiff": "pcm_s16be",
}
IMAGES = {"jpg": "mjpeg", "png": "png", "gif": "gif", "bmp": "bmp", "tiff": "tiff"}
WITHOUT_LENGTH = ("aac", "mp3", "mpg", "ts")
"""Suffixes of files whose end is where they end; of others a missing part is known."""
SECONDS, FPS, RATE = 1.0, 12, 44_100
PAL = 25
"""Frames a second of MPEG-1 and MPEG-2, which do not know 12."""
EXTREMES = (0, 1, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0xFFFF_FF00, 0x0001_0000)
"""Values that take the place of sizes."""


@dataclass(frozen=True)
class Mutant:
    """A damaged file: its name, its content, and what was done to which clip."""

    name: str
    data: bytes
    what: str
    kept: float = 1.0
    """Share of the clip that is left, of a truncated one."""

    def fault(self, outcome: Outcome) -> str:
        """Why the outcome is not right; empty where it is."""
        without_length = self.name.endswith(WITHOUT_LENGTH)
        part = self.kept < 0.85 and not without_length
        if outcome.kind == "answered" and part and outcome.read >= MIN_DECODED:
            return f"{self.kept:.0%} of the file, read {outcome.read:.0%}"
        return outcome.fault


def recording(shared: Path, folder: Path) -> Path:
    """A real recording from the folder ``shared``, or a synthetic one where it is missing."""
    real = shared / "corpora" / "cremad" / "1001_DFA_ANG_XX.flv"
    if real.is_file():
        return real
    made = folder / "made.mp4"
    return synth_clip(made, emotion="angry", speaker=1, seed=1, size=(480, 360), fps=25)


def make_clips(source: Path, folder: Path) -> dict[str, bytes]:
    """Clips of about a second in many formats by name, from the beginning of a recording."""
    clip = open_media(source)
    pictures = [frame.rgb for frame in clip.frames(FPS)][8:][: round(SECONDS * FPS)]
    wave = np.concatenate(list(clip.audio(RATE)))[None, round(8 / FPS * RATE) :]
    wave = wave[:, : round(SECONDS * RATE)]
    clips = {}
    for suffix, (codec, audio) in VIDEOS.items():
        rate = 48_000 if audio == "libopus" else RATE
        path = folder / f"video.{suffix}"
        pal = codec in ("mpeg1video", "mpeg2video")
        encode(
            path,
            pictures=[rgb for rgb in pictures for _ in range(1 + pal)],
            fps=PAL if pal else FPS,
            video=codec,
            audios=[wave],
            audio=audio,
            rate=rate,
        )
        clips[path.name] = path.read_bytes()
    for suffix, codec in AUDIOS.items():
        path = folder / f"audio.{suffix}"
        rate = 48_000 if codec == "libopus" else RATE
        encode(path, audios=[wave], audio=codec, rate=rate)
        clips[path.name] = path.read_bytes()
    for suffix, codec in IMAGES.items():
        path = folder / f"image.{suffix}"
        _write_image(path, codec, pictures[:3] if suffix == "gif" else pictures[:1])
        clips[path.name] = path.read_bytes()
    return clips


def _write_image(path: Path, codec: str, pictures: list) -> None:
    with av.open(str(path), "w", format="gif" if codec == "gif" else "image2") as out:
        stream = out.add_stream(codec, rate=2)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = {"mjpeg": "yuvj420p", "gif": "rgb8", "bmp": "bgr24"}.get(codec, "rgb24")
        for rgb in pictures:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        out.mux(stream.encode(None))


def mutants(clips: dict[str, bytes], n: int, seed: int) -> Iterator[Mutant]:
    """``n`` damaged files; number ``k`` depends on ``seed`` and ``k`` alone."""
    names = sorted(clips)
    for k in range(n):
        rng = random.Random(f"{seed} {k}")
        name = names[k % len(names)]
        mutate = MUTATIONS[(k // len(names)) % len(MUTATIONS)]
        data = mutate(clips[name], rng, clips[rng.choice(names)])
        suffix = name.partition(".")[2]
        what = f"{mutate.__name__.strip('_')} of {name}"
        kept = len(data) / len(clips[name]) if mutate is _truncate else 1.0
        yield Mutant(f"{k:05d}.{suffix}", data, what, kept)


def _truncate(data: bytes, rng: random.Random, other: bytes) -> bytes:
    return data[: round(len(data) * rng.uniform(0.02, 0.98))]


def _flip_bits(data: bytes, rng: random.Random, other: bytes) -> bytes:
    out = bytearray(data)
    end = rng.choice((256, len(out)))
    for _ in range(rng.choice((1, 4, 16, 64, 256))):
        out[rng.randrange(min(end, len(out)))] ^= 1 << rng.randrange(8)
    return bytes(out)


def _zero_blocks(data: bytes, rng: random.Random, other: bytes) -> bytes:
    out = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        start, length = _block(out, rng)
        out[start : start + length] = bytes(len(out[start : start + length]))
    return bytes(out)


def _duplicate_block(data: bytes, rng: random.Random, other: bytes) -> bytes:
    start, length = _block(data, rng)
    at = rng.randrange(len(data))
    return data[:at] + data[start : start + length] * rng.choice((1, 1, 50)) + data[at:]


def _delete_block(data: bytes, rng: random.Random, other: bytes) -> bytes:
    start, length = _block(data, rng)
    return data[:start] + data[start + length :]


def _foreign_header(data: bytes, rng: random.Random, other: bytes) -> bytes:
    cut = rng.choice((16, 64, 512, 4096))
    return other[:cut] + data[cut:]


def _foreign_block(data: bytes, rng: random.Random, other: bytes) -> bytes:
    start, length = _block(other, rng)
    at = rng.randrange(len(data))
    return data[:at] + other[start : start + length] + data[at + length :]


def _change_sizes(data: bytes, rng: random.Random, other: bytes) -> bytes:
    """Before or after a name of four characters, where containers have their sizes."""
    out = bytearray(data)
    names = [match.start() for match in re.finditer(rb"[A-Za-z][A-Za-z0-9 ]{3}", data[:4096])]
    for _ in range(rng.randint(1, 3)):
        at = rng.choice(names) + rng.choice((-4, 4)) if names else rng.randrange(64)
        value = rng.choice((*EXTREMES, rng.getrandbits(32), rng.getrandbits(12)))
        if 0 <= at <= len(out) - 4:
            out[at : at + 4] = value.to_bytes(4, rng.choice(("big", "little")))
    return bytes(out)


def _block(data: bytes | bytearray, rng: random.Random) -> tuple[int, int]:
    return rng.randrange(len(data)), rng.choice((4, 16, 128, 1024, 8192))


MUTATIONS: tuple[Callable[[bytes, random.Random, bytes], bytes], ...] = (
    _truncate,
    _flip_bits,
    _zero_blocks,
    _duplicate_block,
    _delete_block,
    _foreign_header,
    _foreign_block,
    _change_sizes,
)
