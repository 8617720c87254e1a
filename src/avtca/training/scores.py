"""Validation metrics, by the names that ``train.metric`` accepts."""

import numpy as np
from numpy.typing import NDArray

from avtca.evaluation.aggregate import BINARY_METRICS
from avtca.evaluation.metrics import METRICS, binary_confusions, confusion
from avtca.evaluation.sentiment import sentiment_classes
from avtca.labels import SENTIMENT7
from avtca.model.config import Output

MIN_PROB = 1e-7
"""Lower bound applied before taking logarithms."""


def scores(
    probabilities: NDArray[np.float64], targets: NDArray[np.float32], *, output: Output = "softmax"
) -> dict[str, float]:
    """Metrics of predicted probabilities.

    Args:
        probabilities: ``(n, n_labels)``.
        targets: ``(n, n_labels)``.
        output: "softmax": the label with the highest probability is predicted. "sigmoid": several
            labels may apply, each is predicted from 0.5 up. "linear": both are values of sentiment,
            rounded to seven labels.

    Returns:
        ``accuracy``, ``uar``, ``weighted_f1``, ``macro_f1``, and ``loss``, the mean cross-entropy
        (of values: the mean absolute error).
    """
    t = targets.astype(np.float64)
    p = np.clip(probabilities, MIN_PROB, 1 - MIN_PROB)
    metrics = BINARY_METRICS if output == "sigmoid" else METRICS
    if output == "linear":
        loss = np.abs(probabilities - t).mean()
        matrix = confusion(sentiment_classes(t), sentiment_classes(probabilities), len(SENTIMENT7))
    elif output == "sigmoid":
        loss = -(t * np.log(p) + (1 - t) * np.log(1 - p)).mean()
        matrix = binary_confusions(t > 0.5, p >= 0.5)
    else:
        loss = -(t * np.log(p)).sum(1).mean()
        matrix = confusion(t.argmax(1), p.argmax(1), t.shape[1])
    return {
        **{name: float(metric(matrix)) for name, metric in metrics.items()},
        "loss": float(loss),
    }
