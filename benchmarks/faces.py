"""Measurements behind the constants of `avtca.faces`, on real images.

python benchmarks/faces.py template [FERPLUS.npz]    landmark positions in FER2013
"""

import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

from avtca.faces import TEMPLATE, BlazeFaceDetector, SlimeFaceDetector
from avtca.faces import scale as faces_scale
from avtca.faces.align import fit_similarity
from avtca.media import open_media

SHARED = Path(__file__).resolve().parents[2] / "shared"
SPEAKERS = [
    SHARED / "samples/01-01-01-01-01-01-01.mp4",
    *sorted((SHARED / "corpora/cremad").glob("*.flv")),
]
CLIPS = sorted(path for path in (SHARED / "samples").iterdir() if path.suffix in {".mp4", ".mov"})
ENLARGE, BORDER, PICTURES = 4, 12, 3000
RATE = 15 / 3.6
POINTS = {
    "all five": lambda landmarks: landmarks,
    "eyes, mouth's corners": lambda landmarks: landmarks[[0, 1, 3, 4]],
    "eyes, mouth's middle": lambda landmarks: np.stack(
        [*landmarks[:2], landmarks[3:].mean(axis=0)]
    ),
    "eyes": lambda landmarks: landmarks[:2],
}


def template(path: str = str(SHARED / "corpora/ferplus/ferplus.npz")) -> None:
    """Median landmarks of FER2013's faces in their own 48 pixels, averaged with their mirror."""
    images = np.load(path)["images"]
    chosen = np.random.default_rng(0).permutation(len(images))[:PICTURES]
    detector, places = SlimeFaceDetector(), []
    for image in images[chosen]:
        wide = Image.fromarray(np.pad(image, BORDER, mode="edge"))
        large = wide.resize((wide.width * ENLARGE, wide.height * ENLARGE), Image.Resampling.BICUBIC)
        faces = detector.detect(np.repeat(np.asarray(large)[:, :, None], 3, axis=2))
        if faces:
            face = max(faces, key=lambda face: face.box[2] - face.box[0])
            places.append(face.landmarks / ENLARGE - BORDER)
    landmarks = np.array(places)
    middle = np.median(landmarks, axis=0)
    mirror = middle[[1, 0, 2, 4, 3]] * [-1, 1] + [48, 0]
    eyes = landmarks[:, 1] - landmarks[:, 0]
    roll = np.degrees(np.arctan2(eyes[:, 1], eyes[:, 0]))
    print(f"a face in {len(landmarks)} of {len(chosen)} images, {PICTURES} requested")
    print("median, pixels of 48:", middle.round(2).tolist())
    print(
        "interquartile range:",
        np.subtract(*np.percentile(landmarks, [75, 25], axis=0)).round(2).tolist(),
    )
    print("with its mirror image:", ((middle + mirror) / 2).round(2).tolist())
    print("roll, degrees, 5 25 50 75 95 %:", np.percentile(roll, [5, 25, 50, 75, 95]).round(1))


def fits(*paths: str) -> None:
    """Jitter of a crop's corners from frame to frame, in pixels of 48, root mean square.

    The second difference over frames, which leaves slow movement out, over the square root of 6,
    which makes independent errors count as they are.
    """
    detector = SlimeFaceDetector()
    square = np.array([0, 48, 48j, 48 + 48j, 24 + 24j])
    totals = {name: [] for name in POINTS}
    for path in paths or SPEAKERS:
        found = [detector.detect(frame.rgb) for frame in open_media(path).frames(60)]
        landmarks = [faces[0].landmarks for faces in found if faces]
        for name, points in POINTS.items():
            turns = [fit_similarity(points(TEMPLATE * 48), points(m)) for m in landmarks]
            corners = np.array([square * turn + shift for turn, shift in turns])
            scale = np.median([abs(turn) for turn, _ in turns])
            tremble = np.abs(np.diff(corners, 2, axis=0)) / scale / np.sqrt(6)
            totals[name].append(np.sqrt((tremble**2).mean()))
    for name, values in totals.items():
        print(f"{name:24} {np.mean(values):.2f}   by clip {np.round(values, 2)}")


def detectors(*paths: str) -> None:
    """Detected faces at 4.17 frames per second and CPU time per frame, by longest side."""
    for path in paths or CLIPS:
        frames = list(open_media(path).frames(RATE))
        for detector in (SlimeFaceDetector(), BlazeFaceDetector()):
            for side in (256, 320, 480):
                faces_scale.SIDE = side
                start = time.process_time()
                found = [len(detector.detect(frame.rgb)) for frame in frames]
                took = (time.process_time() - start) / len(frames) * 1000
                size = "x".join(map(str, frames[0].rgb.shape[1::-1]))
                none = found.count(0)
                print(
                    f"{Path(path).name:28} {size:9} {detector.name:9} side {side} {took:6.1f} ms"
                    f" {sum(found):4} faces, none in {none} of {len(found)} frames"
                )


JOBS = {"template": template, "fits": fits, "detectors": detectors}

if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in JOBS:
        sys.exit(__doc__)
    JOBS[sys.argv[1]](*sys.argv[2:])
