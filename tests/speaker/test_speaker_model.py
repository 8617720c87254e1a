"""A speaker model in place of the packaged score: Light-ASD, converted from its weights."""

import numpy as np
import pytest

from avtca.errors import CheckpointError
from avtca.networks import WEIGHTS
from avtca.speaker import MfccSeries, SpeakerModel, find_speakers
from avtca.speaker.model import CONTEXT, FACE_TEMPLATE, FaceSeries
from avtca.speaker.speech import UNSEEN


def reference_mfcc(wave):
    """As python_speech_features documents it, a frame and a filter at a time."""
    dct = pytest.importorskip("scipy.fft").dct
    wave = wave * 32768
    wave = np.append(wave[0], wave[1:] - 0.97 * wave[:-1])
    mel = np.linspace(0, 2595 * np.log10(1 + 8000 / 700), 28)
    edges = np.floor(513 * 700 * (10 ** (mel / 2595) - 1) / 16_000)
    out = []
    for start in range(0, len(wave) - 399, 160):
        power = np.abs(np.fft.rfft(wave[start : start + 400], 512)) ** 2 / 512
        bands = np.zeros(26)
        for k in range(26):
            for i in range(int(edges[k]), int(edges[k + 1])):
                bands[k] += power[i] * (i - edges[k]) / (edges[k + 1] - edges[k])
            for i in range(int(edges[k + 1]), int(edges[k + 2])):
                bands[k] += power[i] * (edges[k + 2] - i) / (edges[k + 2] - edges[k + 1])
        found = dct(np.log(bands), type=2, norm="ortho")[:13]
        found *= 1 + 11 * np.sin(np.pi * np.arange(13) / 22)
        found[0] = np.log(power.sum())
        out.append(found)
    return np.array(out)


def test_coefficients_are_those_of_python_speech_features():
    rng = np.random.default_rng(0)
    wave = (0.1 * rng.standard_normal(8_000)).astype(np.float32)
    series = MfccSeries()
    for block in np.array_split(wave, 5):
        series.add(block)
    expected = reference_mfcc(wave.astype(np.float64))
    assert len(series.values()) == len(expected) + 1  # the last frame is padded
    np.testing.assert_allclose(series.values()[:-1], expected, atol=2e-3)
    assert MfccSeries().values().shape == (0, 13)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ((WEIGHTS / "lips.onnx").read_bytes(), "another network, with inputs crops [64, 64]"),
        (b"no network", "no ONNX file, or is damaged"),
        (None, "No such file"),
    ],
)
def test_a_file_of_another_shape_is_one_line(tmp_path, content, problem):
    path = tmp_path / "speaker.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CheckpointError) as error:
        SpeakerModel(path)
    assert problem in str(error.value) and "\n" not in str(error.value)
    assert str(error.value).endswith(
        "convert the weights of Light-ASD with experiments/light_asd.py"
    )


def test_weights_of_another_network_are_refused(script, tmp_path):
    import torch

    state = script.LightAsd().state_dict()
    del state["lossAV.FC.bias"]
    torch.save(state, tmp_path / "other.model")
    with pytest.raises(RuntimeError, match=r"lossAV\.FC\.bias"):
        script.read(tmp_path / "other.model")


@pytest.mark.slow
def test_faces_in_batches_have_the_embeddings_of_the_whole(model_file):
    model, rng = SpeakerModel(model_file), np.random.default_rng(0)
    faces = rng.integers(0, 256, (150, 112, 112), np.uint8)
    series = FaceSeries()
    for k, face in enumerate(faces):
        series.add(k / 25, face, model)
    series.add(7.0, faces[0], model)  # after a gap
    series.finish(model)
    (first, parts), (second, rest) = series.stretches
    assert (first, second, len(np.concatenate(rest))) == (0, 175, 1) and len(parts) > 2
    np.testing.assert_allclose(np.concatenate(parts), model.motion(faces), atol=1e-3)
    assert CONTEXT == 6  # three layers of kernel 5


def test_evidence_of_a_model_counts_where_a_voice_is_heard():
    steps, voiced = 150, np.ones(600, bool)
    voiced[400:] = False
    series = {k: FaceSeries([k / 25 for k in range(steps)]) for k in (0, 1)}
    odds = {0: [(0, np.full(steps, 0.4))], 1: [(0, np.full(steps, -0.4))]}
    speech = find_speakers(series, np.zeros(steps), voiced, odds=odds)
    assert speech.share(0, 4, 0) == pytest.approx(1.0) and speech.share(0, 4, 1) == 0
    none = {k: [(0, np.full(steps, -0.4))] for k in (0, 1)}
    assert find_speakers(series, np.zeros(steps), voiced, odds=none).heard(0, 4, UNSEEN) == 1


def test_the_face_is_in_the_crop():
    assert 0.2 < FACE_TEMPLATE[0, 0] < FACE_TEMPLATE[1, 0] < 0.8
    assert FACE_TEMPLATE[3:, 1].mean() == pytest.approx(0.6)
