"""Small networks with random weights."""

import torch
from small_spec import SPEC

from avtca.model import ModelConfig, build_model

SMALL = {"video_widths": (8, 8, 8, 8), "audio_widths": (8, 8, 8, 8)}


def small_network(variant, spec=SPEC, **sizes):
    """A network of eight channels, in evaluation mode."""
    torch.manual_seed(0)
    return build_model(variant, ModelConfig.for_spec(spec, **SMALL, **sizes)).eval()
