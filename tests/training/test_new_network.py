"""Networks that fit their ClipSpec."""

from dataclasses import replace

from made_takes import SPEC

from avtca.training.trainer import new_network


def test_level_is_for_decibels() -> None:
    logmel, mfcc = replace(SPEC, sound="logmel"), replace(SPEC, sound="mfcc")
    assert new_network("best", logmel).sound_front.by_level
    assert not new_network("best", mfcc).sound_front.by_level
    assert new_network("best", mfcc).sound_front.norm is not None
    assert new_network("best", mfcc, sound_norm="level").sound_front.by_level
    assert new_network("released", mfcc).sound_front.norm is None
