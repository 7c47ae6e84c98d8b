"""Makes expected.json beside it: what scikit-learn and NumPy give for random scores, labels and inputs.

    python -m venv venv && venv/bin/pip install scikit-learn==1.9.1 && venv/bin/python make.py
"""

import json
import pathlib

import numpy as np
import sklearn
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

folder = pathlib.Path(__file__).parent
rng = np.random.default_rng(7)


def calibration_error(scores, labels, bins=10):
    which = np.minimum(bins - 1, np.floor(scores * bins)).astype(int)
    error = 0.0
    for one in range(bins):
        inside = which == one
        if inside.any():
            error += inside.mean() * abs(scores[inside].mean() - labels[inside].mean())
    return error


def hanley_mcneil(auc, positives, negatives):
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    spread = auc * (1 - auc) + (positives - 1) * (q1 - auc**2) + (negatives - 1) * (q2 - auc**2)
    return np.sqrt(spread / (positives * negatives))


def scored(size, share, digits):
    labels = rng.random(size) < share
    labels[:2] = [True, False]
    logits = rng.normal(size=size) + 1.2 * labels - 1
    # Rounded, many of them tie.
    scores = np.round(1 / (1 + np.exp(-logits)), digits)
    auc = roc_auc_score(labels, scores)
    return {
        "scores": scores.tolist(),
        "labels": labels.tolist(),
        "auc": auc,
        "aucError": hanley_mcneil(auc, labels.sum(), (~labels).sum()),
        "averagePrecision": average_precision_score(labels, scores),
        "brier": brier_score_loss(labels, scores),
        "calibrationError": calibration_error(scores, labels),
    }


def drift(before, now, inner):
    """Nulls are NaN, in a bin of their own; empty bins count half a value."""

    def shares(values):
        kept = values[~np.isnan(values)]
        counts, _ = np.histogram(kept, [-np.inf, *inner, np.inf])
        smoothed = np.maximum([*counts, np.isnan(values).sum()], 0.5)
        return smoothed / smoothed.sum()

    left, right = shares(before), shares(now)
    none = lambda values: [None if np.isnan(value) else value for value in values.tolist()]
    return {
        "before": none(before),
        "now": none(now),
        "edges": list(inner),
        "psi": float(np.sum((right - left) * np.log(right / left))),
    }


def normal(size, mean, nulls):
    values = np.round(rng.normal(mean, 1, size), 3)
    values[rng.random(size) < nulls] = np.nan
    return values


sets = [scored(size, share, digits) for size, share, digits in [(5, 0.5, 1), (200, 0.3, 1), (500, 0.05, 2), (400, 0.5, 6)]]
drifts = [
    drift(normal(400, 0, nulls), normal(300, mean, nulls + more), inner)
    for mean, nulls, more, inner in [
        (0, 0, 0, [-1.0, 0.0, 1.0]),
        (0.3, 0.1, 0, [-1.2, -0.5, 0.0, 0.5, 1.2]),
        (2, 0, 0.3, [-0.5, 0.5]),
        (9, 0, 0, [-1.0, 1.0]),
    ]
]
versions = {"scikit-learn": sklearn.__version__, "numpy": np.__version__}
(folder / "expected.json").write_text(json.dumps({"versions": versions, "sets": sets, "drifts": drifts}) + "\n")
