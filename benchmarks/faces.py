"""Measurements behind the constants of the faces room, on real pictures.

python benchmarks/faces.py template [FERPLUS.npz]    places of the landmarks in FER2013
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from avtca.faces.slime import SlimeFaceDetector

SHARED = Path(__file__).resolve().parents[2] / "shared"
ENLARGE, BORDER, PICTURES = 4, 12, 3000


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
    marks = np.array(places)
    middle = np.median(marks, axis=0)
    mirror = middle[[1, 0, 2, 4, 3]] * [-1, 1] + [48, 0]
    eyes = marks[:, 1] - marks[:, 0]
    roll = np.degrees(np.arctan2(eyes[:, 1], eyes[:, 0]))
    print(f"a face in {len(marks)} of {len(chosen)} pictures, {PICTURES} asked")
    print("median, pixels of 48:", middle.round(2).tolist())
    print(
        "quartiles apart:", np.subtract(*np.percentile(marks, [75, 25], axis=0)).round(2).tolist()
    )
    print("with its mirror image:", ((middle + mirror) / 2).round(2).tolist())
    print("roll, degrees, 5 25 50 75 95 %:", np.percentile(roll, [5, 25, 50, 75, 95]).round(1))


JOBS = {"template": template}

if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in JOBS:
        sys.exit(__doc__)
    JOBS[sys.argv[1]](*sys.argv[2:])
