import html
import json
import shutil
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from made_samples import SPEC, make_samples
from recording_backend import RecordingBackend
from typer.testing import CliRunner

from avtca.cli import build_app
from avtca.data.caveats import Caveat, CaveatKind
from avtca.data.dataset import EmotionDataset, LazySamples
from avtca.errors import ConfigError
from avtca.evaluation.cached_faces import CachedFaces
from avtca.evaluation.degradations import CONDITIONS, blurred, remove_modality, through_codec
from avtca.evaluation.open_model import open_trained_model
from avtca.evaluation.report import SplitInfo
from avtca.evaluation.robustness import degrade_once, measure_robustness
from avtca.plots.html import robustness_html
from avtca.preprocess import RawSample

pytestmark = pytest.mark.slow


FEATURES = [name for name, one in CONDITIONS.items() if one.fits(SPEC)]
PIXELS = replace(SPEC, video="pixels", crop_px=32, video_features="", video_dim=0, colour="grey")


def pixel_sample():
    rng = np.random.default_rng(0)
    crops = rng.integers(1, 256, (12, 32, 32)).astype(np.uint8)
    wave = rng.standard_normal(9600).astype(np.float32) * 0.1
    return RawSample(np.arange(12), crops, wave, 1.2)


def test_conditions_fit_what_the_clipspec_holds():
    assert "feature noise" in FEATURES and "blur" not in FEATURES
    assert CONDITIONS["blur"].fits(PIXELS) and not CONDITIONS["feature noise"].fits(PIXELS)
    shipped = replace(SPEC, audio="features")
    assert not CONDITIONS["noise"].fits(shipped) and CONDITIONS["shift"].fits(shipped)


@pytest.mark.parametrize("name", FEATURES)
def test_each_condition_changes_what_it_says_and_is_the_same_each_time(name):
    condition, samples = CONDITIONS[name], make_samples(6)
    assert condition.apply(samples, condition.levels[0]) is samples
    for level in condition.levels[1:]:
        once, again = condition.apply(samples, level), condition.apply(samples, level)
        changed = 0
        for i in range(6):
            a, b, plain = once.samples[i], again.samples[i], samples.samples[i]
            np.testing.assert_array_equal(a.wave, b.wave)
            np.testing.assert_array_equal(a.video, b.video)
            heard = not np.array_equal(a.wave, plain.wave)
            seen = not (
                np.array_equal(a.video, plain.video) and np.array_equal(a.steps, plain.steps)
            )
            changed += heard or seen
            if name in ("noise", "reverberation", "codec", "shift"):
                assert not seen and len(a.wave) == len(plain.wave)
            if name in ("dropped frames", "feature noise"):
                assert not heard
        assert changed == 6 or name in ("length", "dropped frames")
        assert once.cache is not samples.cache


@pytest.mark.parametrize("name", ["black frames", "blur", "occlusion"])
def test_pictures_get_worse(name):
    condition, raw = CONDITIONS[name], pixel_sample()
    before = 0.0
    for level in condition.levels[1:]:
        out = condition.degrade(raw, PIXELS, level, np.random.default_rng(0))
        assert out.video.dtype == np.uint8 and out.video.shape == raw.video.shape
        error = float(np.abs(out.video.astype(float) - raw.video).mean())
        assert error >= before and error > 0
        before = error
    if name == "occlusion":
        assert (out.video == 0).mean() == pytest.approx(0.6, abs=0.05)


def test_a_shift_moves_the_audio_alone():
    raw = make_samples(1).samples[0]
    late = CONDITIONS["shift"].degrade(raw, SPEC, 0.2, np.random.default_rng(0))
    np.testing.assert_array_equal(late.wave[1600:], raw.wave[:-1600])
    assert not late.wave[:1600].any()
    shifts = CONDITIONS["shift"].levels
    assert min(shifts) == -1 and max(shifts) == 1 and shifts[0] == 0


def test_a_shorter_sample_is_the_middle_of_both_streams():
    raw = make_samples(24).samples[23]
    out = CONDITIONS["length"].degrade(raw, SPEC, 0.5, np.random.default_rng(0))
    first = int((raw.duration_s - 0.5) / 2 * 10)
    assert out.steps.tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(out.video, raw.video[first : first + 5])
    np.testing.assert_array_equal(out.wave, raw.wave[first * 800 : first * 800 + 4000])
    samples = CONDITIONS["length"].apply(make_samples(24), 0.5)
    assert max(samples.durations) == 0.5


def test_a_codec_keeps_time_and_loses_detail():
    rng = np.random.default_rng(0)
    time = np.arange(16000) / 16000
    wave = (np.sin(2 * np.pi * (200 + 400 * time) * time) * 0.2).astype(np.float32)
    wave += rng.standard_normal(16000).astype(np.float32) * 0.02
    errors = []
    for kbit in (64, 24, 6):
        coded = through_codec(wave, 16000, "libopus", kbit)
        assert len(coded) == len(wave) and coded.dtype == np.float32
        lags = np.arange(-40, 41)
        match = [np.dot(wave[100:-100], np.roll(coded, -lag)[100:-100]) for lag in lags]
        assert abs(lags[int(np.argmax(match))]) <= 4
        errors.append(float(np.square(coded - wave).mean()))
    assert errors[0] < errors[2]
    assert len(through_codec(wave[:0], 16000, "libopus", 24)) == 0


def test_blur_keeps_a_flat_picture_and_its_mean():
    flat = np.full((2, 16, 16, 3), 77, np.uint8)
    np.testing.assert_array_equal(blurred(flat, 2.0), flat)
    point = np.zeros((1, 33, 33), np.uint8)
    point[0, 16, 16] = 255
    out = blurred(point, 1.0)
    assert out[0, 16, 16] == pytest.approx(255 / (2 * np.pi), abs=2)
    np.testing.assert_array_equal(out[0], out[0].T)


def test_curves_of_two_systems(made):
    systems = [open_trained_model(made / name, made / "prepared") for name in ("both", "seen")]
    action = []
    result = measure_robustness(
        systems, ["modality", "shift"], progress=lambda *where: action.append(where)
    )
    assert list(result.systems) == ["both", "seen"]
    curve = result.systems["seen"]["shift"]
    assert [point.level for point in curve] == list(CONDITIONS["shift"].levels)
    # A network of pictures alone does not care when the audio comes.
    assert len({tuple(point.accuracy) for point in curve}) == 1
    deaf = result.systems["both"]["modality"]
    assert deaf[0].accuracy != deaf[1].accuracy
    assert action == [("evaluate", n, 2 * (3 + 11)) for n in range(1, 2 * (3 + 11) + 1)]
    text = robustness_html(result)
    assert text.count('class="chart"') == 2 and "http" not in text.split("</style>")[1]


def test_differences_are_paired_with_the_untouched_samples_and_the_first_system(made):
    systems = [open_trained_model(made / name, made / "prepared") for name in ("both", "seen")]
    both, seen = measure_robustness(systems, ["modality"]).systems.values()
    for curve in (both["modality"], seen["modality"]):
        assert curve[0].change is None
        for point in curve[1:]:
            lost = point.accuracy.value - curve[0].accuracy.value
            assert point.change.value == pytest.approx(lost, abs=1e-4)
            assert point.change.low <= point.change.value <= point.change.high
    assert {point.against for point in both["modality"]} == {None}
    for one, other in zip(seen["modality"], both["modality"], strict=True):
        gain = one.accuracy.value - other.accuracy.value
        assert one.against.value == pytest.approx(gain, abs=1e-4)
    # A network of pictures alone loses nothing without audio.
    assert seen["modality"][2].change == (0.0, 0.0, 0.0)


def test_the_caveats_of_all_systems_are_on_the_page(made, standardised):
    systems = [open_trained_model(run, made / "prepared") for run in (made / "both", standardised)]
    leak = Caveat(CaveatKind.LEAK, "LEAK (allowed): 3 speakers in both subsets")
    leaking = replace(systems[0], split=SplitInfo.of([leak], corpus="made"))
    text = html.unescape(robustness_html(measure_robustness([leaking, systems[1]], ["modality"])))
    assert f'<p class="note error">{leak.text}</p>' in text
    own = "features normalised per speaker, on the test speakers' own samples"
    assert f'<p class="note warning">{own}</p>' in text


def test_systems_that_share_windows_keep_their_own_truth():
    labels = make_samples(6)
    votes = replace(labels, targets=np.roll(labels.targets, 1, axis=1))
    for level in (None, 10):
        damaged = {}
        for samples in (votes, labels):
            found = degrade_once(damaged, CONDITIONS["noise"], level, samples)
            np.testing.assert_array_equal(found.targets, samples.targets)
        assert len(damaged) == (level is not None), "untouched samples are those of the model"


def test_what_a_level_leaves_alone_is_made_once(monkeypatch):
    """Windows of the audio are shared by the levels of the video, and the other way round."""
    samples, cut = make_samples(6), []
    plain = EmotionDataset.cut_audio

    def counted(self, index, sample, start):
        cut.append(index)
        return plain(self, index, sample, start)

    monkeypatch.setattr(EmotionDataset, "cut_audio", counted)
    windows = [samples[i] for i in range(6)]
    once = len(cut)
    for level in (0.5, 0.9):
        fewer = CONDITIONS["dropped frames"].apply(samples, level)
        for i in range(6):
            np.testing.assert_array_equal(fewer[i].audio, windows[i].audio)
            assert not np.array_equal(fewer[i].video_mask, windows[i].video_mask)
    assert len(cut) == once
    noisy = CONDITIONS["noise"].apply(samples, 0)
    assert not np.array_equal(noisy[0].audio, windows[0].audio) and len(cut) > once
    np.testing.assert_array_equal(noisy[0].video, windows[0].video)
    np.testing.assert_array_equal(samples[0].audio, windows[0].audio)


def test_samples_are_read_once_and_modalities_are_of_samples_that_have_them(made):
    system = open_trained_model(made / "both", made / "prepared")
    folds, read = [], []
    for fold in system.folds:
        n = len(fold.test)
        metadata = {"face_coverage": [0.0] * 2 + [1.0] * (n - 2), "voice_coverage": [1.0] * n}
        lazy = LazySamples(lambda one: read.append(0) or one, list(fold.test.samples))
        folds.append(replace(fold, test=replace(fold.test, samples=lazy, metadata=metadata)))
    system = replace(system, folds=tuple(folds))
    result = measure_robustness([system], ["modality", "dropped frames"])
    assert len(read) == 48 + len(folds), "each once, and the first of a fold for its size"
    video = next(p for p in result.systems["both"]["modality"] if p.level == "video only")
    table = system.predict(partial(remove_modality, modality="audio"))
    has = np.concatenate([fold.test.modalities[:, 1] for fold in folds])
    assert has.sum() == 48 - 2 * len(folds)
    assert video.accuracy.value == pytest.approx(table.at(has).correct.mean(), abs=1e-5)
    audio = next(p for p in result.systems["both"]["modality"] if p.level == "audio only")
    assert video.change is not None and audio.change is None, "other samples than with both"


def test_each_crop_is_encoded_once():
    crops = np.random.default_rng(0).integers(0, 256, (6, 8, 8)).astype(np.uint8)
    backend = RecordingBackend(replace(SPEC, video_dim=3), crop_px=8)
    cached = CachedFaces(backend)
    wanted = backend.encode_faces(crops)
    backend.crops_seen = 0
    np.testing.assert_array_equal(cached.encode_faces(crops[:4]), wanted[:4])
    np.testing.assert_array_equal(cached.encode_faces(crops[[5, 1, 5, 0]]), wanted[[5, 1, 5, 0]])
    assert backend.crops_seen == 5


def test_runs_of_one_name_are_called_by_their_paths(made, tmp_path):
    for name in ("first", "second"):
        shutil.copytree(made / "seen", tmp_path / name / "run")
    paths = [str(tmp_path / name / "run") for name in ("first", "second")]
    action = ["robustness", *paths, str(made / "prepared"), "--condition", "modality"]
    done = CliRunner().invoke(build_app(), [*action, "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "out" / "robustness.json").read_text())
    assert list(found["systems"]) == ["first/run", "second/run"]


def test_what_cannot_be_measured(made):
    system = open_trained_model(made / "both", made / "prepared")
    with pytest.raises(ConfigError, match="unknown condition 'fog'"):
        measure_robustness([system], ["fog"])
    with pytest.raises(ConfigError, match="no condition fits"):
        measure_robustness([system], ["blur"])
    with pytest.raises(ConfigError, match="the same name"):
        measure_robustness([system, system], ["shift"])
