from dataclasses import replace

import numpy as np
import pytest
import torch
from made_samples import SPEC, make_samples

from avtca.data.augment_config import Augmentation, check_augmentation
from avtca.data.dataset import mapped_targets
from avtca.data.normalise import speaker_normalise
from avtca.data.training import EpochSampler, TrainingDataset, training_loader
from avtca.data.windows import WindowDataset, evaluation_loader, mean_by_sample
from avtca.errors import ConfigError, CorpusError
from avtca.preprocess import WindowExtractor, window_start_steps
from avtca.training.trainer import network_spec_check, new_network

PLAIN = Augmentation(crop=False)


def test_evaluation_items_equal_those_of_the_extractor_bit_for_bit():
    samples = make_samples(9)
    extractor = WindowExtractor(SPEC)
    batches = list(evaluation_loader(WindowDataset(samples), batch=4))
    for field in ("video", "video_mask", "audio", "audio_mask"):
        ours = torch.cat([getattr(batch, field) for batch in batches]).numpy()
        theirs = np.concatenate([getattr(extractor.windows(raw), field) for raw in samples.samples])
        np.testing.assert_array_equal(ours, theirs)
    sample = torch.cat([batch.sample for batch in batches]).tolist()
    assert sample == [
        i for i, s in enumerate(samples.durations) for _ in window_start_steps(s, samples.spec)
    ]


def test_an_item_of_the_data_set_is_all_windows_of_a_sample():
    samples = make_samples(9)
    wanted = WindowExtractor(SPEC).windows(samples.samples[8])
    assert len(wanted) > 1
    for field in ("video", "video_mask", "audio", "audio_mask"):
        np.testing.assert_array_equal(getattr(samples[8], field), getattr(wanted, field))


def test_a_training_item_is_a_window_of_the_sample():
    samples = make_samples(24)
    data = TrainingDataset(samples, Augmentation(), 0)
    starts = set()
    for index in range(24):
        video, _, audio, _ = data.draw(5, index)
        last = window_start_steps(samples.durations[index], SPEC)[-1]
        same = [
            start
            for start in range(last + 1)
            if np.array_equal(video, samples.video(index, start)[0])
        ]
        assert len(same) == 1
        np.testing.assert_array_equal(audio, samples.audio(index, same[0])[0])
        starts.add(same[0])
    assert len(starts) > 3


def test_the_middle_window_is_the_same_in_every_epoch():
    samples = make_samples(24)
    data = TrainingDataset(samples, Augmentation(crop="middle"), 0)
    for index in range(24):
        middle = window_start_steps(samples.durations[index], SPEC)[-1] // 2
        for epoch in (0, 5):
            video, _, audio, _ = data.draw(epoch, index)
            np.testing.assert_array_equal(video, samples.video(index, middle)[0])
            np.testing.assert_array_equal(audio, samples.audio(index, middle)[0])


def test_items_are_a_function_of_seed_epoch_and_sample_alone():
    wild = Augmentation(
        speed=0.1, waveform=0.5, gain_db=6, step_dropout=0.2,
        video_noise=0.3, crop_slack_s=0.3,
    )  # fmt: skip
    one, other = TrainingDataset(make_samples(), wild, 4), TrainingDataset(make_samples(), wild, 4)
    for index in (7, 3, 20):
        other.draw(1, index)
    for a, b in zip(one.draw(2, 7), other.draw(2, 7), strict=True):
        np.testing.assert_array_equal(a, b)
    changed = [one.draw(3, 7), TrainingDataset(make_samples(), wild, 5).draw(2, 7)]
    for item in changed:
        assert not np.array_equal(item[2], one.draw(2, 7)[2])


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"crop": True}, 0),
        ({"crop": True, "crop_slack_s": 0.3}, 2),
        ({"speed": 0.2}, 0),
        ({"speed": 0.2}, 2),
        ({"waveform": 0.9}, 2),
        ({"gain_db": 6.0}, 2),
        ({"channel_db": 3.0}, 2),
        ({"background": 0.9}, 2),
        ({"step_dropout": 0.3}, 1),
        ({"video_noise": 0.2}, 0),
    ],
)
def test_every_augmentation_fires(change, field):
    samples = make_samples(24)
    plain = TrainingDataset(samples, PLAIN, 0)
    varied = TrainingDataset(samples, Augmentation(**{"crop": False, **change}), 0)
    differ = [
        not np.array_equal(plain.draw(0, i)[field], varied.draw(0, i)[field]) for i in range(24)
    ]
    assert np.mean(differ) > 0.5
    assert [x.shape for x in plain.draw(0, 0)] == [x.shape for x in varied.draw(0, 0)]


@pytest.mark.parametrize("change", [{"channel_db": 3.0}, {"background": 1.0}])
def test_what_varies_bands_leaves_pitch_alone(change):
    spec = replace(SPEC, audio="logmel+pitch", audio_dim=SPEC.audio_dim + 2)
    samples = make_samples(4, spec=spec)
    varied = TrainingDataset(samples, Augmentation(**{"crop": False, **change}), 0).draw(0, 0)[2]
    plain = TrainingDataset(samples, PLAIN, 0).draw(0, 0)[2]
    assert not np.array_equal(varied[:-2], plain[:-2])
    np.testing.assert_array_equal(varied[-2:], plain[-2:])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"pixels": True}, "'pixels' varies face crops"),
        ({"crop": True}, "'crop' has no effect"),
        ({"posterior_bias": 0.5}, "'posterior_bias' varies expression7"),
        (
            {"channel_db": 3.0},
            "'channel_db' and 'background' vary mel bands in dB, the samples' audio is mfcc",
        ),
    ],
)
def test_augmentation_that_could_never_fire_is_refused(change, words):
    spec = replace(SPEC, window_s=2.0, video_steps=20, audio="mfcc")
    samples = make_samples(spec=spec)
    with pytest.raises(ConfigError, match=words):
        check_augmentation(Augmentation(**{"crop": False, **change}), samples)


def test_each_epoch_is_a_new_permutation_of_all_samples():
    order = EpochSampler(20, 4, seed=1)
    seen = []
    for epoch in (0, 1, 0):
        order.set_epoch(epoch)
        seen.append(list(order))
    assert sorted(i for _, i in seen[0]) == list(range(20))
    assert seen[0] == seen[2] != seen[1]


@pytest.mark.parametrize("world", [2, 4])
def test_processes_share_each_global_batch(world):
    whole = list(EpochSampler(37, 8, seed=2))
    parts = [list(EpochSampler(37, 8, seed=2, rank=r, world=world)) for r in range(world)]
    small = 8 // world
    for step in range(4):
        mine = whole[step * 8 : step * 8 + 8]
        theirs = [x for part in parts for x in part[step * small : step * small + small]]
        assert sorted(mine) == sorted(theirs)
    with pytest.raises(ConfigError, match="does not divide"):
        EpochSampler(37, 8, seed=2, world=3)
    with pytest.raises(ConfigError, match="3 training samples among 4 processes: there is less"):
        EpochSampler(3, 8, seed=2, world=4)
    data = TrainingDataset(make_samples(24), Augmentation(crop=False, mixup=0.2), 0)
    with pytest.raises(ConfigError, match="which has one"):
        training_loader(data, 2, world=2)
    assert len(training_loader(data, 4, world=2)) == 6


def test_few_samples_make_one_batch():
    data = TrainingDataset(make_samples(6), Augmentation(), 0)
    (batch,) = list(training_loader(data, 32))
    assert sorted(batch.sample.tolist()) == list(range(6))


def test_the_score_of_a_sample_is_the_mean_of_its_windows():
    scores = np.array([[1, 0], [0, 1], [0.5, 0.5], [1, 1]], np.float32)
    means = mean_by_sample(scores, np.array([0, 0, 2, 2]), 3)
    np.testing.assert_allclose(means[[0, 2]], [[0.5, 0.5], [0.75, 0.75]])
    assert np.isnan(means[1]).all()


def test_normalised_features_of_each_speaker_are_centred_and_labels_play_no_part():
    spec = replace(SPEC, window_s=0.5, video_steps=5)
    samples = make_samples(24, spec=spec)
    loud = [
        replace(raw, video=raw.video * (1 + i % 4) + i % 4) for i, raw in enumerate(samples.samples)
    ]
    samples = replace(samples, samples=loud)
    out = speaker_normalise(samples)
    relabelled = replace(samples, targets=samples.targets[::-1].copy())
    for speaker in sorted(set(samples.speakers)):
        mine = out.of_speakers([speaker])
        batches = list(evaluation_loader(WindowDataset(mine, hop_s=spec.window_s)))
        values = np.concatenate([b.video[b.video_mask].numpy() for b in batches])
        assert np.abs(values.mean(0)).max() < 0.2
        assert np.abs(values.std(0) - 1).max() < 0.2
        other = speaker_normalise(relabelled).normalisation[speaker]
        np.testing.assert_array_equal(other.audio[0], out.normalisation[speaker].audio[0])
    for batch in evaluation_loader(WindowDataset(out)):
        assert not batch.video[~batch.video_mask].any()
        assert not batch.audio.transpose(1, 2)[~batch.audio_mask].any()


def test_normalised_posteriors_are_no_probabilities_any_more():
    made = speaker_normalise(make_samples(24))
    made = replace(made, spec=replace(made.spec, video_features="expression7"))
    with pytest.raises(ConfigError, match="the samples are normalised"):
        check_augmentation(Augmentation(crop=False, posterior_bias=0.3), made)
    network = new_network("video_only", made.spec, probabilities=made.spec.video_dim)
    with pytest.raises(ConfigError, match="they are no probabilities"):
        network_spec_check(network, "cross_entropy", made, None)


def test_posteriors_are_normalised_by_their_logarithms():
    spec = replace(SPEC, video_features="expression7", video_dim=8, window_s=2.0, video_steps=20)
    rng = np.random.default_rng(0)
    raws, samples = [], make_samples(8)
    for raw in samples.samples:
        posteriors = rng.dirichlet(np.full(7, 0.2), len(raw.steps))
        other = rng.standard_normal((len(raw.steps), 1)) + 5
        raws.append(replace(raw, video=np.hstack([posteriors, other]).astype(np.float32)))
    samples = replace(samples, spec=spec, samples=raws)
    out = speaker_normalise(samples)
    mine = [i for i, speaker in enumerate(samples.speakers) if speaker == "s1"]
    rows = np.concatenate([raws[i].video for i in mine]).astype(np.float64)
    rows[:, :7] = np.log(np.maximum(rows[:, :7], 1e-3))
    mean, deviation = out.normalisation["s1"].video
    np.testing.assert_allclose(mean, rows.mean(0), rtol=1e-4)
    np.testing.assert_allclose(deviation, rows.std(0), rtol=1e-3)
    (batch,) = evaluation_loader(WindowDataset(out.subset([mine[0]])))
    seen = batch.video[0][batch.video_mask[0]].numpy()
    expected = (rows[: len(seen)] - rows.mean(0)) / rows.std(0)
    np.testing.assert_allclose(seen, expected[: len(seen)], atol=1e-3)


def test_subsets_share_what_was_computed():
    samples = make_samples(6)
    list(evaluation_loader(WindowDataset(samples)))
    n = len(samples.cache)
    list(evaluation_loader(WindowDataset(samples.subset([1, 2]))))
    assert len(samples.cache) == n > 0


def test_samples_are_chosen_by_name_and_speaker():
    samples = make_samples(8)
    assert samples.of_samples(["take03", "take01"]).sample_ids == ["take01", "take03"]
    assert set(samples.of_speakers(["s1"]).speakers) == {"s1"}
    with pytest.raises(CorpusError, match="not in the corpus"):
        samples.of_samples(["take99"])
    with pytest.raises(CorpusError, match="is there twice"):
        replace(samples, sample_ids=["a"] * 8)


def test_labels_are_mapped_and_what_has_no_place_is_marked():
    source = ("neutral", "calm", "boredom", "happy")
    targets = np.eye(4, dtype=np.float32)
    out, whole = mapped_targets(targets, source, ("happy", "neutral"))
    np.testing.assert_array_equal(out, [[0, 1], [0, 1], [0, 0], [1, 0]])
    np.testing.assert_array_equal(whole, [True, True, False, True])


def test_pitch_is_normalised_by_its_voiced_frames():
    """A speaker's own height is zero, whatever stands where nobody speaks."""
    sizes = {"audio_dim": 18, "n_fft": 1024, "window_s": 1.0, "video_steps": 10}
    samples = made_voices(replace(SPEC, audio="logmel+pitch", **sizes), (100.0, 200.0))
    out = speaker_normalise(samples)
    for speaker, octaves in (("low", -1.0), ("high", 0.0)):
        (batch,) = evaluation_loader(WindowDataset(samples.of_speakers([speaker])))
        assert batch.audio[0, -2].mean() > octaves + 0.05, "noise draws the plain mean up"
        mean, deviation = out.normalisation[speaker].audio
        assert abs(mean[-2, 0] - octaves) < 0.02 and deviation[-2, 0] < 0.05
        assert abs(mean[-1, 0] - batch.audio[0, -1, :100].mean()) < 0.02


def made_voices(spec, heights_hz):
    """One take a speaker: half a second of a tone with overtones, then soft noise."""
    time_s = np.arange(spec.sample_rate) / spec.sample_rate
    noise = 0.01 * np.random.default_rng(0).standard_normal(len(time_s))
    samples = make_samples(2)
    raws = []
    for raw, height in zip(samples.samples, heights_hz, strict=True):
        tone = sum(np.sin(2 * np.pi * k * height * time_s) / k for k in range(1, 9))
        wave = np.where(time_s < 0.5, 0.2 * tone, 0) + noise
        raws.append(replace(raw, wave=wave.astype(np.float32), duration_s=1.0))
    return replace(samples, spec=spec, samples=raws, speakers=["low", "high"], durations=[1.0, 1.0])
