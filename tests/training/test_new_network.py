"""Networks that fit their ClipSpec."""

from dataclasses import replace

from made_samples import SPEC

from avtca.training.trainer import new_network


def test_level_is_for_decibels() -> None:
    logmel, mfcc = replace(SPEC, audio="logmel"), replace(SPEC, audio="mfcc")
    assert new_network("experts", logmel).audio_frontend.level_norm
    assert not new_network("experts", mfcc).audio_frontend.level_norm
    assert new_network("experts", mfcc).audio_frontend.norm is not None
    assert new_network("experts", mfcc, audio_norm="level").audio_frontend.level_norm
    assert new_network("released", mfcc).audio_frontend.norm is None
