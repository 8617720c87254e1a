"""The picture of a recording of two people in docs/speaker.md.

    python docs/speaker_picture.py [FILM]

Two clips of the GRID corpus (Cooke et al. 2006, CC BY 4.0) side by side, in ``../shared/talking``:
the left person speaks, then the right one. The silent person is shown with the frames before and
after the own sentence, forward and back. FILM keeps the film.
"""

import os
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

import avtca
from avtca.media import open_media

ROOT = Path(__file__).resolve().parents[1]
TALKING = Path(os.environ.get("AVTCA_SHARED", ROOT.parent / "shared")) / "talking"
PICTURE = ROOT / "docs" / "img" / "speaker_turns.png"
LEFT, RIGHT = "lwbsza.mpg", "lbax4n.mpg"
FPS, AUDIO_RATE, SILENT = 25, 48_000, 8
"""Frames and samples a second, and frames at the start of a clip in which nobody speaks yet."""
UInt8 = NDArray[np.uint8]


def film(path: Path) -> None:
    """Write the film of both."""
    clips = [open_media(str(TALKING / name)) for name in (LEFT, RIGHT)]
    speaks = [[frame.rgb for frame in clip.frames(FPS)] for clip in clips]
    waves = [np.concatenate(list(clip.audio(AUDIO_RATE))) for clip in clips]
    pictures: list[UInt8] = []
    for k, own in enumerate(speaks):
        still = speaks[1 - k][:SILENT]
        silent = [still[min(n % 14, 14 - n % 14)] for n in range(len(own))]
        pair = (own, silent) if k == 0 else (silent, own)
        pictures += [np.hstack(both) for both in zip(*pair, strict=True)]
        waves[k] = np.resize(waves[k], len(own) * AUDIO_RATE // FPS)
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=FPS, options={"crf": "18"})
        video.height, video.width = pictures[0].shape[:2]
        video.pix_fmt = "yuv420p"
        audio = out.add_stream("pcm_s16le", rate=AUDIO_RATE, layout="mono")
        for k, rgb in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
            frame.pts, frame.time_base = k, Fraction(1, FPS)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        samples = (np.clip(np.concatenate(waves), -1, 1) * 32767).astype(np.int16)
        block = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        block.sample_rate = AUDIO_RATE
        out.mux([*audio.encode(block), *audio.encode(None)])


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(folder) / "two_people.mkv"
        film(path)
        report = avtca.load().predict(path, person="all")
        report.plot().savefig(PICTURE, dpi=110)
        print(report.to_turns(), end="")
        print(report)


if __name__ == "__main__":
    main()
