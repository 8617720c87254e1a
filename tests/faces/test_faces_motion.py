"""Photographs and people who hold still."""

import numpy as np
import pytest

from avtca.faces import TEMPLATE, TrackedFace, track_faces
from avtca.faces.motion import StillFaces
from avtca.image import ArrayImage
from avtca.media import Frame

SCENE = np.random.default_rng(0).normal(120, 40, (12, 16, 1)).clip(0, 255)
SCENE = np.kron(SCENE, np.ones((10, 10, 3)))


def face(step, x=50.0, person=0):
    box = np.array([x, 30, x + 40, 80], np.float32)
    return TrackedFace(box, box[:2] + TEMPLATE * 40, 0.9, person, step, step / 10)


def still(pictures, places=None, held=0):
    """People found still; each picture is a step of 0.1 s, repeated ``held`` times."""
    found = StillFaces()
    for k, rgb in enumerate(pictures):
        for h in range(held + 1):
            step = k * (held + 1) + h
            frame = Frame(
                step, k * (held + 1) / 10, ArrayImage(rgb.astype(np.uint8)), held_s=h / 10
            )
            found.add(frame, [face(step, places[k] if places else 50)])
    return found.people()


def test_a_photograph_with_camera_noise_is_still():
    random = np.random.default_rng(1)
    noisy = [(SCENE + random.normal(0, 3, SCENE.shape)).clip(0, 255) for _ in range(20)]
    assert still(noisy) == {0}
    assert still([*noisy[:19], 0.9 * SCENE]) == {0}  # the light changes a little


def test_a_mouth_that_opens_is_motion():
    talking = []
    for k in range(20):
        rgb = SCENE.copy()
        rgb[65 : 65 + 6 * (k % 3), 62:78] = 20
        talking.append(rgb)
    assert still(talking) == set()


def test_a_face_that_walks_away_has_moved():
    walk = [SCENE] * 20
    assert still(walk, [50.0] * 10 + [80.0] * 10) == set()


def test_less_than_a_second_is_not_judged():
    assert still([SCENE] * 10) == set()
    assert still([SCENE] * 12) == {0}


def test_a_repeated_frame_counts_once():
    assert still([SCENE], held=20) == {0}
    assert still([SCENE, SCENE.T.reshape(160, 120, 3, order="F")[:120, :, :]] * 2, held=5) == set()


@pytest.mark.slow
def test_nobody_in_the_real_clips_is_a_photograph(shared, slime):
    from avtca.media import open_media

    talking = [*shared.glob("talking/*.m[p]*"), *shared.glob("corpora/cremad/*.flv")]
    people = 0
    for path in [*talking, *shared.glob("samples/*.m[po]*")]:
        if path.suffix != ".md":
            found = StillFaces()
            for frame, faces in track_faces(open_media(path).frames(10), slime, 48):
                found.add(frame, faces)
                people += len(faces)
            assert found.people() == set(), path.name
    assert people > 800
