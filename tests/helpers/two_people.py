"""A film of two people, of whom one speaks."""

import numpy as np
from media_clips import encode

from avtca.image import resize
from avtca.media import open_media


def beside_a_listener(sample_clips, shared, path):
    """A film of 25 frames a second: on the left a speaker, on the right a larger, silent face."""
    speaks = open_media(shared / "talking" / "lwbsza.mpg")
    left = [resize(frame.rgb[:, 36:324], (240, 240)) for frame in speaks.frames(25)]
    men = open_media(sample_clips / "obama_speech.mp4").frames(25)
    right = [resize(np.ascontiguousarray(one.rgb[30:126, 38:134]), (240, 240)) for one in men]
    pictures = [np.hstack(both) for both in zip(left, right, strict=False)]
    wave = np.concatenate(list(speaks.audio(48_000)))[None]
    return encode(path, pictures=pictures, fps=25, audios=[wave])
