"""Parts of a fine-tuning: folds, settings, heads, thresholds, and the clips of a dry run."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from made_samples import make_samples
from small_networks import small_network
from small_spec import SPEC

from avtca.corpora import SampleSource
from avtca.evaluation.evaluated_model import EvaluatedModel, FoldModel
from avtca.evaluation.report import SplitInfo
from avtca.evaluation.selective import abstention_curve
from avtca.finetune.dry_run import few_clips
from avtca.finetune.finetune import train_config_for
from avtca.finetune.held_out import fit_thresholds, held_out_predictions
from avtca.finetune.initial import load_initial_model, resize_head
from avtca.finetune.protocol import folds_of
from avtca.model import save_checkpoint
from avtca.model.variants import variant_named
from avtca.training.trainer import check_streams

pytestmark = pytest.mark.slow


class MeanVideo(torch.nn.Module):
    """Logits are the mean of the video features, with a factor."""

    def __init__(self):
        super().__init__()
        self.factor = torch.nn.Parameter(torch.tensor(6.0))

    def forward(self, video, audio, video_mask, audio_mask):
        n = video_mask.sum(1, keepdim=True).clamp(min=1)
        mean = (video * video_mask[..., None]).sum(1) / n
        return SimpleNamespace(logits=self.factor * mean)


def test_thresholds_are_fitted_on_held_out_speakers_for_each_input():
    samples = make_samples(96)
    heard = {"voice_coverage": [1.0] * 96, "face_coverage": [1.0] * 72 + [0.0] * 24}
    samples = replace(samples, metadata=heard)
    folds = []
    for name in ("s0", "s1", "s2", "s3"):
        test = samples.of_speakers([name])
        folds.append(FoldModel((MeanVideo(),), test, samples.of_speakers({"s0", "s1"} - {name})))
    model = EvaluatedModel("made", tuple(folds), None, SplitInfo(), temperatures=(0.5, 5.0))
    found = fit_thresholds(model)
    assert set(found) == {"both", "voice", "face"}
    assert found["voice"].threshold is None and found["voice"].samples == 96
    assert found["voice"].answered == 0 and found["voice"].accuracy is None
    both = found["both"]
    assert both.samples == found["face"].samples == 72
    table = held_out_predictions(model)
    table = table.at(np.concatenate([fold.test.modalities for fold in folds]).all(1))
    above = table.probs.max(1) >= both.threshold
    assert both.answered == above.mean() and both.accuracy == table.correct[above].mean() >= 0.95
    # A lower threshold would miss the accuracy, with a margin of one standard error.
    curve = abstention_curve(table.probs, table.true_labels)
    assert both.threshold == curve.threshold_for(0.95)
    assert [fold.temperature for fold in model.calibrated()] == [0.5] * 4, "held in its range"
    unnamed = replace(
        model,
        folds=tuple(
            replace(f, test=replace(f.test, speakers=["unknown"] * len(f.test))) for f in folds
        ),
    )
    assert fit_thresholds(unnamed) == {}


def test_kept_labels_keep_their_outputs_in_every_head(tmp_path):
    network = small_network("mean_posterior")
    save_checkpoint(tmp_path / "mine", network, SPEC)
    start = load_initial_model(str(tmp_path / "mine"))
    changed = resize_head(start, ("angry", "sad", "happy", "neutral"))
    video, audio = torch.rand(2, 8, 7), torch.randn(2, 16, SPEC.audio_steps)
    masks = torch.ones(2, 8, dtype=torch.bool), torch.ones(2, SPEC.audio_steps, dtype=torch.bool)
    with torch.no_grad():
        old, new = (
            net(video, audio, *masks).expert_logits["audio"] for net in (start.network, changed)
        )
    torch.testing.assert_close(new[:, 1:], old[:, [2, 0, 1]])
    again = resize_head(start, start.labels).state_dict()
    assert all(torch.equal(value, again[name]) for name, value in network.state_dict().items())


def test_speaker_folds_are_balanced_and_two_speakers_suffice():
    folds = folds_of([["a", "b"], ["c"]], named=True)
    assert [set(split.test) for split in folds.folds] == [{"a", "b"}, {"c"}]
    assert all(not split.validation for split in folds.folds)
    assert "fixed number of epochs" in folds.rule
    three = folds_of([["a"], ["b"], ["c"]], named=True)
    assert all(len(split.train) == len(split.validation) == 1 for split in three.folds)
    leak = folds_of([["t1"], ["t2"], ["t3"]], named=False)
    assert leak.unit == "sample_id" and "in the training data" in leak.warning
    few, many = (
        train_config_for(n, pixels=False, streams="both", epochs=None, learning_rate=1e-3)
        for n in (40, 9000)
    )
    assert few.epochs == 60 and many.epochs == 5


@pytest.mark.parametrize("variant", ["audio_only", "video_only", "concatenation"])
@pytest.mark.parametrize("pixels", [False, True])
def test_the_settings_fit_networks_of_one_stream(variant, pixels):
    network = small_network(variant)
    streams = variant_named(variant).streams
    config = train_config_for(40, pixels=pixels, streams=streams, epochs=None, learning_rate=1e-3)
    check_streams(network, config)
    assert config.augmentation.speed and (config.modality_dropout.mode == "whole") == (
        streams == "both"
    )


def test_the_clips_of_a_dry_run_have_labels_and_speakers_in_common():
    made = [(f"s{n}", label) for n in range(9) for label in "abcd" if n != 2 or label in "cd"]
    sources = [SampleSource(f"{s}{x}{k}", s, x) for s, x in made for k in (1, 2)]
    assert [one.sample_id for one in few_clips(sources)] == [
        *("s0c1", "s1c1", "s3c1"),
        *("s0d1", "s1d1", "s3d1"),
        *("s0a1", "s1a1", "s3a1"),
    ]
    alone = [SampleSource("1", "s1", "a"), SampleSource("2", "s2", "b")]
    assert few_clips(alone) == alone
