import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from avtca.data.windows import Batch
from avtca.errors import ConfigError
from avtca.evaluation.metrics import binary_confusions, weighted_accuracy
from avtca.training.config import ModalityDropout, TrainConfig
from avtca.training.losses import (
    EmotionLoss,
    apply_modality_dropout,
    balanced_weights,
    mixup_batch,
    positive_weights,
)


def make_batch(b=8, *, seed=0):
    g = torch.Generator().manual_seed(seed)
    return Batch(
        torch.rand(b, 5, 3, generator=g) + 1,
        torch.rand(b, 5, generator=g) < 0.9,
        torch.rand(b, 4, 7, generator=g) + 1,
        torch.rand(b, 7, generator=g) < 0.9,
        torch.eye(3)[torch.arange(b) % 3],
        torch.arange(b),
    )


def softmax(z):
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def test_cross_entropy_with_smoothing_and_weights_equals_its_formula():
    rng = np.random.default_rng(0)
    z = rng.standard_normal((6, 4))
    t = rng.dirichlet(np.ones(4), 6)
    counts = np.eye(4, dtype=np.float32)[[0, 0, 0, 1, 1, 2, 3, 3]]
    settings = TrainConfig(label_smoothing=0.1, class_weights=True)
    loss = EmotionLoss(settings, counts)
    w = 8 / (4 * np.array([3, 2, 1, 2]))
    smooth = 0.9 * t + 0.1 / 4
    wanted = -(w * smooth * np.log(softmax(z))).sum(1)
    found = loss(torch.tensor(z), torch.tensor(t))
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-5)


def test_binary_loss_equals_its_formula():
    rng = np.random.default_rng(1)
    z, t = rng.standard_normal((6, 3)), (rng.random((6, 3)) < 0.4).astype(float)
    loss = EmotionLoss(TrainConfig(loss="binary"), t.astype(np.float32))
    p = 1 / (1 + np.exp(-z))
    wanted = -(t * np.log(p) + (1 - t) * np.log(1 - p)).mean(1)
    np.testing.assert_allclose(loss(torch.tensor(z), torch.tensor(t)).numpy(), wanted)


def test_the_loss_of_a_value_is_its_absolute_error():
    z, t = torch.tensor([[1.5], [-4.0]]), torch.tensor([[3.0], [-3.0]])
    loss = EmotionLoss(TrainConfig(loss="l1"), t.numpy())
    assert loss(z, t).tolist() == [1.5, 1.0]


def test_weights_make_every_label_count_the_same():
    t = np.eye(3, dtype=np.float32)[[0] * 6 + [1] * 3 + [2]]
    w = balanced_weights(t).numpy()
    np.testing.assert_allclose(w * t.sum(0), 10 / 3, rtol=1e-6)
    assert (w @ t.T).mean() == pytest.approx(1)
    with pytest.raises(ConfigError, match="label number 1 does not occur"):
        balanced_weights(t[:, [0, 0, 1]] * np.array([1, 0, 1], np.float32))


def test_weights_of_presence_equal_absences_over_presences():
    t = np.zeros((1000, 4), np.float32)
    for label, positives in enumerate((100, 500, 1, 1000)):
        t[:positives, label] = 1
    np.testing.assert_allclose(positive_weights(t), [9, 1, 100, 0.01], rtol=1e-6)
    loss = EmotionLoss(TrainConfig(loss="binary", class_weights=True), t)
    z = np.random.default_rng(0).standard_normal((1000, 4))
    p, w = 1 / (1 + np.exp(-z)), np.array([9, 1, 100, 0.01])
    wanted = -(w * t * np.log(p) + (1 - t) * np.log(1 - p)).mean(1)
    found = loss(torch.tensor(z), torch.tensor(t, dtype=torch.float64))
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
    t[:, 1] = 0
    with pytest.raises(ConfigError, match="label number 1 does not occur"):
        positive_weights(t)


@pytest.mark.parametrize(("weighted", "reached"), [(True, 0.8), (False, 0.5)])
def test_with_class_weights_a_rare_label_is_predicted_from_a_probability_of_one_half(
    weighted, reached
):
    """A cue with recalls of 80 % on 8 % positives, as fear in CMU-MOSEI: 80 % is the optimum.

    The best classifier without weights stays below 0.5 even where the cue is there
    (0.064 / 0.248 = 26 %), so that its weighted accuracy is chance.
    """
    present = np.repeat([1.0, 1.0, 0.0, 0.0], [64, 16, 184, 736]).astype(np.float32)[:, None]
    cue = torch.from_numpy(np.repeat([1.0, 0.0, 1.0, 0.0], [64, 16, 184, 736])).float()[:, None]
    loss = EmotionLoss(TrainConfig(loss="binary", class_weights=weighted), present)
    linear = torch.nn.Linear(1, 1)
    optimiser = torch.optim.LBFGS(linear.parameters(), max_iter=100)

    def closure():
        optimiser.zero_grad()
        value = loss(linear(cue), torch.from_numpy(present)).mean()
        value.backward()
        return value

    optimiser.step(closure)
    with torch.no_grad():
        p = linear(cue).sigmoid().numpy()
    assert p[0] == pytest.approx(0.8 if weighted else 64 / 248, abs=0.01)
    matrix = binary_confusions(present > 0.5, p >= 0.5)
    assert weighted_accuracy(matrix)[0] == pytest.approx(reached, abs=1e-6)


def test_shares_that_do_not_sum_to_one_need_the_binary_loss():
    with pytest.raises(ConfigError, match="do not sum to 1"):
        EmotionLoss(TrainConfig(), np.array([[1, 1, 0]], np.float32))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_whole_dropout_never_empties_a_sample_and_fires(seed):
    batch = make_batch(64, seed=seed % 7)
    form = ModalityDropout(mode="whole", audio=0.3, video=0.3)
    out = apply_modality_dropout(batch, form, torch.Generator().manual_seed(seed))
    heard, seen = out.audio_mask.any(1), out.video_mask.any(1)
    had = batch.audio_mask.any(1) | batch.video_mask.any(1)
    assert torch.equal(heard | seen, had)
    assert not (out.audio_mask & ~batch.audio_mask).any()
    assert (~heard).any() and (~seen).any() and (heard & seen).any()
    assert torch.equal(out.audio, batch.audio)


def test_softhard_is_the_parents_four_fold_batch():
    batch = make_batch(6)
    out = apply_modality_dropout(batch, ModalityDropout(mode="softhard"), torch.Generator())
    whole, soft, seen, heard = (Batch(*(x[k : k + 6] for x in out)) for k in range(0, 24, 6))
    assert len(out.target) == 24
    assert torch.equal(out.target, batch.target.repeat(4, 1))
    assert all(torch.equal(a, b) for a, b in zip(whole, batch, strict=True))
    share = (soft.audio / batch.audio)[:, 0, 0]
    torch.testing.assert_close(soft.audio, batch.audio * share[:, None, None])
    torch.testing.assert_close(soft.video, batch.video * (1 - share)[:, None, None])
    assert ((share >= 0) & (share <= 1)).all() and share.std() > 0.1
    assert not seen.audio_mask.any() and torch.equal(seen.video_mask, batch.video_mask)
    assert not heard.video_mask.any() and torch.equal(heard.audio_mask, batch.audio_mask)


def test_softhard_leaves_something_of_samples_with_one_modality():
    batch = make_batch(4)
    batch = batch._replace(video_mask=torch.zeros_like(batch.video_mask))
    out = apply_modality_dropout(batch, ModalityDropout(mode="softhard"), torch.Generator())
    assert out.audio_mask.any(1).all()


def test_mixup_mixes_modalities_and_labels_by_one_share():
    batch = make_batch(16)
    full = batch._replace(
        video_mask=torch.ones_like(batch.video_mask), audio_mask=torch.ones_like(batch.audio_mask)
    )
    out = mixup_batch(full, 0.4, torch.Generator().manual_seed(3))
    torch.testing.assert_close(out.target.sum(1), torch.ones(16))
    assert (out.target.max(1).values >= 0.5).all()
    assert not torch.equal(out.audio, full.audio)
    # Each sample is a mixture with one other, found again by least squares on its audio.
    for i in range(16):
        fits = []
        for j in range(16):
            if j == i:
                continue
            difference = (full.audio[j] - full.audio[i]).ravel()
            moved = (out.audio[i] - full.audio[i]).ravel()
            s = float((moved @ difference) / (difference @ difference))
            fits.append((float((moved - s * difference).norm()), j, s))
        error, j, s = min(fits)
        assert error < 1e-4
        torch.testing.assert_close(
            out.video[i], full.video[i] * (1 - s) + full.video[j] * s, atol=1e-4, rtol=1e-4
        )
        torch.testing.assert_close(
            out.target[i], full.target[i] * (1 - s) + full.target[j] * s, atol=1e-4, rtol=1e-4
        )
