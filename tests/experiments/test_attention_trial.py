"""The comparison of networks on speech tokens, and the packaged network of the paper."""

import json

import numpy as np
import package_paper
import pytest
import table
import torch
import train
from test_heads import LABELS

from avtca.model.avtca import build_model


def tuned(rng: np.random.Generator) -> dict[tuple[int, int], dict]:
    return {
        (k, number): {
            "right": {
                str(one): rng.integers(100, 200, len(train.EPOCHS)).tolist()
                for one in (k, (k + 1) % train.N_FOLDS)
            }
        }
        for k in range(train.N_FOLDS)
        for number in range(len(train.LEARNING_RATES))
    }


@pytest.mark.parametrize("k", range(train.N_FOLDS))
def test_test_speakers_have_no_part_in_the_choice_for_their_fold(k: int) -> None:
    """Whatever the fits say about fold k, or fits that trained on it say, k's choice stays."""
    found = tuned(np.random.default_rng(k))
    before = train.choose(found, k)
    after, last = (k + 1) % train.N_FOLDS, (k - 1) % train.N_FOLDS
    for (first, number), one in found.items():
        used = {k: str(after), last: str(last)}.get(first)
        for fold in one["right"]:
            if fold != used:
                one["right"][fold] = [999 - number] * len(train.EPOCHS)
    assert train.choose(found, k) == before
    found[k, 1]["right"][str(after)][2] = 5000
    assert train.choose(found, k) == (1, train.EPOCHS[2])


def windows(n: int = 40) -> train.Data:
    """Two windows of each of ``n`` samples; the audio points to the label."""
    draw = torch.Generator().manual_seed(0)
    labels = np.arange(n) % len(LABELS)
    sample = np.repeat(np.arange(n), 2)
    centres = torch.randn(len(LABELS), 512, 1, generator=draw)
    audio = centres[labels[sample]] + torch.randn(2 * n, 512, 23, generator=draw)
    return train.Data(
        LABELS,
        np.array([f"ravdess/{i % 4:02d}" for i in range(n)]),
        labels,
        sample,
        np.zeros(2 * n, np.int64),
        audio.half(),
        torch.rand(2 * n, 23, generator=draw) < 0.8,
        torch.rand(2 * n, 36, 7, generator=draw).softmax(2).half(),
        torch.rand(2 * n, 36, generator=draw) < 0.8,
        np.ones(n),
    )


def test_a_fit_learns_and_is_the_same_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "BATCH", 8)
    monkeypatch.setattr(train, "COMPONENTS", 16)
    monkeypatch.setattr(train, "AVERAGE", 0.5)
    data, rows = windows(), np.arange(40) < 24
    found = []
    for _ in range(2):
        *_, (_, network) = train.fit("concatenation", data, rows, 3e-3, 0, 8)
        found.append(train.posteriors(network, data, ~rows))
    np.testing.assert_array_equal(*found)
    assert np.isnan(found[0][rows]).all()
    assert (found[0][~rows].argmax(1) == data.labels[~rows]).mean() > 0.8


def test_the_packaged_network_of_the_paper_is_the_trained_one() -> None:
    """Components and batch norm folded into a convolution change nothing, masked steps included."""
    torch.manual_seed(0)
    sizes = {
        "n_labels": 7,
        "video": "features",
        "video_dim": 7,
        "speech": True,
        "audio_stride": 8,
        "audio_pool": "slide",
        "positions": True,
    }
    sizes |= {"video_widths": (16,) * 4, "audio_widths": (16,) * 4}
    trained = build_model("figure", audio_dim=package_paper.COMPONENTS, **sizes)
    packaged = build_model("figure", audio_dim=512, **sizes)
    norm = trained.audio_frontend.norm
    for values in (norm.running_mean, norm.weight.data, norm.bias.data):
        values.normal_(0.5)
    norm.running_var.uniform_(0.5, 2)
    parts = {"components": torch.randn(package_paper.COMPONENTS, 512), "centre": torch.randn(512)}
    package_paper.fold(trained.eval(), packaged.eval(), **parts)
    assert package_paper.parity(trained, packaged, parts) < 1e-4


def test_a_loss_is_counted_on_the_same_samples() -> None:
    """7 of 10 right, 4 when shifted: 30 points lost."""
    assert table.lost_share([7, 3, 4, 6]) == pytest.approx(0.3)
    assert table.mean_share([[7, 3], [5, 5]]) == pytest.approx(0.6)


@pytest.mark.skipif(not table.KEPT.exists(), reason="no predictions are published yet")
def test_the_published_table_comes_from_the_kept_predictions() -> None:
    published = json.loads(table.KEPT.with_suffix(".json").read_text())
    found = table.Table()
    for name, entry in published["networks"].items():
        right = found.right(name)
        assert table.share(right.sum(0)) == pytest.approx(np.array(entry["seeds"]), abs=1e-4)
        assert right.sum(-1).sum(0) == pytest.approx(1440)
