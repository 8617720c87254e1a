"""Answers adapted to each person by their other answers."""

import numpy as np
import pytest

from avtca.evaluation.adaptation import match_priors, speaker_normalise
from avtca.evaluation.predictions import Predictions

LABELS = ("a", "b", "c")
TRUTH = np.arange(60) % 3


def softmax(z):
    powers = np.exp(z - z.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def table(z, people=3):
    names = [f"t{i}" for i in range(len(z))]
    speakers = [f"s{i * people // len(z)}" for i in range(len(z))]
    return Predictions(LABELS, names, speakers, np.eye(3)[TRUTH], softmax(z))


def logits(seed, skill=1.5):
    return np.random.default_rng(seed).standard_normal((60, 3)) + skill * np.eye(3)[TRUTH]


def test_a_habit_of_a_speaker_is_taken_out():
    z, others = logits(0), table(logits(1))
    habit = np.repeat([[2.0, -1.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, -2.0]], 20, axis=0)
    biased, plain = table(z * [[2.0]] + habit), table(z)
    assert biased.correct.mean() < plain.correct.mean() - 0.05
    found = speaker_normalise(biased, others)
    assert abs(found.correct.mean() - speaker_normalise(plain, others).correct.mean()) < 1e-9
    assert found.correct.mean() > biased.correct.mean() + 0.05
    assert found.samples == biased.samples and found.speakers == biased.speakers
    logs = np.log(found.probs) - np.log(found.probs).mean(1, keepdims=True)
    theirs = np.log(others.probs) - np.log(others.probs).mean(1, keepdims=True)
    for speaker in range(3):
        rows = slice(20 * speaker, 20 * speaker + 20)
        np.testing.assert_allclose(logs[rows].mean(0), theirs.mean(0), atol=1e-9)


def test_one_sample_of_a_speaker_is_no_reason_to_divide_by_nothing():
    one = table(logits(0)).at(np.array([0, 20, 40]))
    assert np.isfinite(speaker_normalise(one, table(logits(1))).probs).all()


def test_posteriors_get_the_shares_that_the_script_says():
    shares = np.array([0.2, 0.3, 0.5])
    answers = table(logits(2) + np.array([1.0, 0.0, -1.0]))
    found = match_priors(answers, shares)
    for speaker in range(3):
        np.testing.assert_allclose(
            found.probs[20 * speaker : 20 * speaker + 20].mean(0), shares, atol=1e-5
        )
    # One factor for each label and speaker.
    factor = np.log(found.probs) - np.log(answers.probs)
    factor -= factor.mean(1, keepdims=True)
    np.testing.assert_allclose(factor[:20], np.tile(factor[0], (20, 1)), atol=1e-6)


@pytest.mark.parametrize("shares", [[0.5, 0.5, 0.0], [0.5, 0.4, 0.4]])
def test_shares_that_are_none(shares):
    with pytest.raises(ValueError, match="positive and sum to one"):
        match_priors(table(logits(0)), np.array(shares))
