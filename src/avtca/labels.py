"""Label sets of the corpora, and mappings between them.

Every set is in the order of the corpus's codes. The outputs of a network are in the order of the
``labels`` of its checkpoint.
"""

from collections.abc import Sequence

SEVEN = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
"""Labels of the packaged model, in alphabetical order."""

RAVDESS = ("neutral", "calm", "happy", "sad", "angry", "fear", "disgust", "surprise")
"""RAVDESS emotion codes 01..08 (Livingstone and Russo 2018)."""

CREMAD = {
    "ANG": "angry",
    "DIS": "disgust",
    "FEA": "fear",
    "HAP": "happy",
    "NEU": "neutral",
    "SAD": "sad",
}
"""CREMA-D's emotion codes in file names (Cao et al. 2014)."""

MOSEI = ("happy", "sad", "angry", "surprise", "disgust", "fear")
"""CMU-MOSEI's six emotions, in the order of ``CMU_MOSEI_Labels`` after sentiment."""

SENTIMENT = "sentiment"
"""Target and only output of a network that predicts CMU-MOSEI's sentiment, -3..3."""

SENTIMENT7 = ("-3", "-2", "-1", "0", "1", "2", "3")
"""Classes of rounded sentiment."""

FERPLUS = ("neutral", "happy", "surprise", "sad", "angry", "disgust", "fear", "contempt")
"""FERPlus's eight emotions, in the order of its vote columns (Barsoum et al. 2016)."""

FER2013 = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""FER2013's codes 0..6; the order of RAVDESS's published face sequences."""

EMODB = {
    "W": "angry",
    "L": "boredom",
    "E": "disgust",
    "A": "fear",
    "F": "happy",
    "T": "sad",
    "N": "neutral",
}
"""Letters in EMO-DB's file names (Burkhardt et al. 2005)."""

NEMO = {
    "anger": "angry",
    "fear": "fear",
    "happiness": "happy",
    "neutral": "neutral",
    "sadness": "sad",
    "surprised": "surprise",
}
"""Label names of nEMO (Christop 2024)."""

SYNONYMS = {
    "anger": "angry",
    "disgusted": "disgust",
    "fearful": "fear",
    "afraid": "fear",
    "happiness": "happy",
    "joy": "happy",
    "sadness": "sad",
    "surprised": "surprise",
}
"""Other names of the same label."""


def canonical(name: str) -> str:
    """The canonical name of a label: lower case, synonyms merged ("Fearful" -> "fear")."""
    word = name.strip().lower()
    return SYNONYMS.get(word, word)


def to_seven(name: str) -> str | None:
    """The label of :data:`SEVEN`, or ``None``; "calm" becomes "neutral"."""
    word = canonical(name)
    word = "neutral" if word == "calm" else word
    return word if word in SEVEN else None


def order_map(source: Sequence[str], target: Sequence[str]) -> list[int]:
    """Position in ``source`` of each label of ``target``.

    ``scores[..., order_map(source, target)]`` has the order of ``target``. Raises ``ValueError``
    where a target label is not in ``source``.
    """
    return [list(source).index(name) for name in target]
