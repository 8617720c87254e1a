"""What a network takes from another: boxes that fit, and label rows by their names."""

from dataclasses import replace

import pytest
import torch
from made_samples import SPEC

from avtca.errors import ConfigError
from avtca.model import save_checkpoint
from avtca.training.pretrained import init_weights
from avtca.training.trainer import new_network

SIZES = {"video_widths": (8, 8, 8, 8), "audio_widths": (8, 8, 8, 8), "auxiliary": True}
MINE, THEIRS = ("sad", "calm", "happy"), ("happy", "angry", "sad")


def test_output_rows_of_common_labels_are_copied_by_name(tmp_path):
    theirs = new_network("figure", replace(SPEC, labels=THEIRS), seed=1, **SIZES)
    save_checkpoint(tmp_path / "theirs", theirs, replace(SPEC, labels=THEIRS))
    mine = new_network("figure", replace(SPEC, labels=MINE), seed=2, **SIZES)
    fresh = {name: value.clone() for name, value in mine.state_dict().items()}
    found = init_weights(mine, MINE, tmp_path / "theirs")
    assert found["init_from"]["taken"] == found["init_from"]["of"] == len(fresh)
    old, new = theirs.state_dict(), mine.state_dict()
    for name in ("head.linear.weight", "auxiliary.audio.bias"):
        for label in ("sad", "happy"):
            assert torch.equal(new[name][MINE.index(label)], old[name][THEIRS.index(label)])
        assert torch.equal(new[name][1], fresh[name][1])  # calm is not among theirs
    assert torch.equal(new["audio_before.0.conv.weight"], old["audio_before.0.conv.weight"])


def test_a_network_of_which_nothing_fits_is_refused(tmp_path):
    save_checkpoint(
        tmp_path / "small", new_network("audio_only", SPEC, **SIZES | {"auxiliary": False}), SPEC
    )
    wide = {"video_widths": (16, 16, 16, 16), "audio_widths": (16, 16, 16, 16)}
    mine = new_network("video_only", replace(SPEC, labels=("other",)), **wide)
    with pytest.raises(ConfigError, match="none of its weights fits"):
        init_weights(mine, ("other",), tmp_path / "small")
