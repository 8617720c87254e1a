"""Names of avtca 0.1 in files that users may have, read under the names of today.

Cards, configurations, caches and reports keep their values; only keys are renamed. Writing uses
today's names alone.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

KEYS = {
    "asked": "action",
    "face_parts": "n_segments",
    "mark": "caveat",
    "remedy": "fix",
    "sound": "audio",
    "sound_dim": "audio_dim",
    "sound_front": "audio_frontend",
    "sound_hash": "audio_hash",
    "sound_norm": "audio_norm",
    "sound_sha256": "audio_sha256",
    "sound_source": "audio_source",
    "sound_stride": "audio_stride",
    "sound_times": "audio_times",
    "sound_trust": "audio_weight",
    "sound_widths": "audio_widths",
    "standardise": "normalise",
    "take": "sample_id",
    "take_features": "utterance_features",
    "takes": "samples",
    "visual": "video",
    "visual_dim": "video_dim",
    "visual_features": "video_features",
    "visual_front": "video_frontend",
    "visual_noise": "video_noise",
    "visual_widths": "video_widths",
}
"""Key of 0.1 -> key of today."""
REPORT_NAMES = {
    "audio alone": "audio only",
    "picture alone": "video only",
    "sound alone": "audio only",
    "validation people": "validation speakers",
}
"""Modalities and fitting data in reports of 0.1 -> those of today."""
SECTIONS = {"people": "speakers", "recipe": "train_config", "start": "init_from"}
"""The same for keys that are renamed only where their value is a mapping."""
TRAIN_KEYS = {"auxiliary": "auxiliary_weight", "batch": "batch_size"}
CONFIG_KEYS = {
    "config": {"clip": "input"},
    "experiment": {"clip": "input"},
    "finetune": {"start": "initial_model"},
    "model": {"start": "init_from"},
    "modality_dropout": {"form": "mode"},
    "train": TRAIN_KEYS,
    "train_config": TRAIN_KEYS,
}
"""Section of a configuration -> the keys that are renamed inside it."""
REMOVED = {"time_masks": 0, "time_mask_s": 0.25, "band_masks": 0, "band_mask_share": 0.15}
"""Keys of ``augmentation`` in 0.1 (SpecAugment) that are dropped where they have these defaults."""
MODULES = {
    "face_expert": "video_statistics",
    "sound_front": "audio_frontend",
    "take_expert": "utterance_head",
    "visual_front": "video_frontend",
    "voice_expert": "audio_statistics",
}
"""Attributes of a network in 0.1 -> attributes of today, as parts of a parameter's name."""
VARIANTS = {"best": "experts"}
"""Name of a network in 0.1 -> name of today."""


def upgrade(values: Any, section: str = "") -> Any:
    """Rename the keys and network names of 0.1 in JSON values, at every depth.

    Args:
        values: JSON values; not changed.
        section: Key that ``values`` stands under, "config" for a whole configuration.

    Returns:
        A copy with the keys of today.
    """
    if section == "arguments":  # of a user's network; 0.1 had none
        return values
    if isinstance(values, Mapping):
        out = {}
        for key, value in values.items():
            if section == "augmentation" and REMOVED.get(key) == value:
                continue
            new: str = CONFIG_KEYS.get(section, {}).get(key) or KEYS.get(key) or key
            if isinstance(value, Mapping):
                new = SECTIONS.get(new, new)
            out[new] = upgrade(value, new)
        if isinstance(variant := out.get("variant"), str):
            out["variant"] = VARIANTS.get(variant, variant)
        return out
    if isinstance(values, list):
        return [upgrade(value) for value in values]
    return values


def upgrade_report(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of an evaluation, robustness or comparison report under today's names."""
    out: dict[str, Any] = upgrade(values)
    for old in ("own_takes", "own_samples"):
        if own := out.pop(old, None):
            out["speaker_normalisation"] = {
                "min_samples": own["least"],
                "normalised": own["standardised"],
            }
    if "modalities" in out:
        found = out["modalities"]
        samples = {} if out.get("samples") is None else {"samples": out["samples"]}
        out["modalities"] = {
            REPORT_NAMES.get(name, name): {**samples, **one} for name, one in found.items()
        }
    if "fitted_on" in out:
        out["fitted_on"] = REPORT_NAMES.get(out["fitted_on"], out["fitted_on"])
    for curves in out.get("systems", {}).values():
        for point in curves.get("modality", []):
            point["level"] = REPORT_NAMES.get(point["level"], point["level"])
    return out


def upgrade_path(path: Sequence[str]) -> list[str]:
    """Rename the parts of a configuration's dotted key, e.g. ``["model", "start"]``."""
    out = ["config"]
    for part in path:
        out.append(CONFIG_KEYS.get(out[-1], {}).get(part) or KEYS.get(part, part))
    return out[1:]


def prose_names_corpus(text: str, corpus: str) -> bool:
    """Whether a sentence about training data, as cards of 0.1 have it, names a corpus."""
    return corpus in re.sub("[^a-z0-9]", "", text.lower())


def upgrade_parameter(name: str) -> str:
    """The name of a parameter or buffer of a network, e.g. ``sound_after.0.conv.weight``."""
    return ".".join(
        MODULES.get(part) or part.replace("sound", "audio").replace("visual", "video")
        for part in name.split(".")
    )
