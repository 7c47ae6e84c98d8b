"""Trains the fraud models on a training set of millrace, says how good they are, and exports them as ONNX.

    python train.py --set training.parquet --out FOLDER [--test-days 14] [--delay-days 7] [--cards 100]

The set and its manifest come from `prepare.ts`. Time splits it: the last days are for testing, and the days before them
are left out, because by then nobody would have known yet which payments were fraud.

Writes logistic.onnx and boosted.onnx; samples.json, rows as the models got them and what scikit-learn and XGBoost give
for them; golden.json, a few of these; and report.json: what the models were trained on, how good they are, and how each
input was spread.
"""

import argparse
import hashlib
import json
import pathlib

import numpy as np
import pyarrow.parquet as parquet
from onnxmltools import convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType as XgboostFloats
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import DoubleTensorType
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier

DAY_MS = 86_400_000
SAMPLES = 3_000
GOLDEN = 40


def main():
    arguments = read_arguments()
    manifest_bytes = pathlib.Path(f"{arguments.set}.manifest.json").read_bytes()
    manifest = json.loads(manifest_bytes)
    if manifest["output"]["sha256"] != sha256(pathlib.Path(arguments.set).read_bytes()):
        raise SystemExit(f"{arguments.set} is not the file that its manifest describes")
    names = [feature["name"] for feature in manifest["features"]]
    table = parquet.read_table(arguments.set)
    columns = {name: table[name].to_numpy() for name in table.column_names}
    X = np.column_stack([columns[name].astype(np.float64) for name in names])
    if np.isnan(X).any():
        raise SystemExit("the training set has gaps, and these models take none")
    y = columns["fraud"].astype(np.int64)
    at = columns["ts"].astype("datetime64[ms]").astype(np.int64)

    test_from = at.max() + 1 - arguments.test_days * DAY_MS
    train_until = test_from - arguments.delay_days * DAY_MS
    train, test = at < train_until, at >= test_from
    print(f"train: {train.sum()} payments, {y[train].sum()} fraud; test: {test.sum()}, {y[test].sum()} fraud")

    models = {
        "logistic": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1_000)),
        "boosted": XGBClassifier(
            n_estimators=60, max_depth=4, learning_rate=0.2, tree_method="hist", n_jobs=1, random_state=1
        ),
    }
    # XGBoost computes in floats of 32 bits: rounded here, its thresholds lie between values that can come.
    inputs = {"logistic": X, "boosted": X.astype(np.float32)}
    out = pathlib.Path(arguments.out)
    out.mkdir(parents=True, exist_ok=True)
    samples = np.flatnonzero(test)
    samples = samples[np.linspace(0, len(samples) - 1, min(SAMPLES, len(samples))).astype(int)]
    given = {
        "columns": names,
        "ids": columns["transaction_id"][samples].tolist(),
        "rows": X[samples].tolist(),
        "probabilities": {},
    }
    report = {
        "plan": manifest["plan"],
        "trainingSet": {"rows": int(train.sum()), "manifestSha256": sha256(manifest_bytes)},
        "bound": manifest["bound"],
        "models": {},
        "inputs": {name: spread(X[train, column]) for column, name in enumerate(names)},
    }
    for name, model in models.items():
        model.fit(inputs[name][train], y[train])
        scores = model.predict_proba(inputs[name][test])[:, 1]
        metrics = {
            "auc": float(roc_auc_score(y[test], scores)),
            "averagePrecision": float(average_precision_score(y[test], scores)),
            f"cardPrecision@{arguments.cards}": card_precision(
                scores, y[test], columns["customer_id"][test], at[test] // DAY_MS, arguments.cards
            ),
        }
        artefact = export(name, model, len(names))
        (out / f"{name}.onnx").write_bytes(artefact)
        given["probabilities"][name] = model.predict_proba(inputs[name][samples])[:, 1].astype(float).tolist()
        report["models"][name] = {"sha256": sha256(artefact), "bytes": len(artefact), "metrics": metrics}
        print(f"{name}: " + ", ".join(f"{metric} {value:.4f}" for metric, value in metrics.items()))
    (out / "samples.json").write_text(json.dumps(given))
    (out / "golden.json").write_text(json.dumps(thinned(given, GOLDEN)))
    (out / "report.json").write_text(json.dumps(report, indent=2) + "\n")


def export(name, model, width):
    if name == "boosted":
        return convert_xgboost(
            model, initial_types=[("x", XgboostFloats([None, width]))], target_opset=15
        ).SerializeToString()
    return convert_sklearn(
        model,
        initial_types=[("x", DoubleTensorType([None, width]))],
        options={id(model): {"zipmap": False}},
        target_opset=17,
    ).SerializeToString()


def card_precision(scores, y, cards, days, count):
    """Of the `count` cards that look worst on a day, the share that had a fraud that day; the mean over the days."""
    shares = []
    for day in np.unique(days):
        worst, fraud = {}, {}
        for card, score, label in zip(cards[days == day], scores[days == day], y[days == day]):
            worst[card] = max(worst.get(card, 0), score)
            fraud[card] = max(fraud.get(card, 0), label)
        top = sorted(worst, key=lambda card: (-worst[card], card))[:count]
        shares.append(sum(fraud[card] for card in top) / count)
    return float(np.mean(shares))


def thinned(given, count):
    rows = np.linspace(0, len(given["ids"]) - 1, count).astype(int)
    return {
        "columns": given["columns"],
        "ids": [given["ids"][row] for row in rows],
        "rows": [given["rows"][row] for row in rows],
        "probabilities": {name: [values[row] for row in rows] for name, values in given["probabilities"].items()},
    }


def spread(values):
    """Bins of about equal counts: `[edges[i - 1], edges[i])`, the first and the last one open. See drift.ts."""
    edges = sorted({float(edge) for edge in np.quantile(values, np.arange(1, 10) / 10, method="higher")} - {values.min()})
    counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)
    return {"edges": edges, "counts": counts.tolist(), "nulls": 0}


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--set", required=True, help="Parquet, its manifest beside it")
    parser.add_argument("--out", required=True, help="folder for models, samples and report")
    parser.add_argument("--test-days", type=int, default=14)
    parser.add_argument("--delay-days", type=int, default=7, help="until it is known what was fraud")
    parser.add_argument("--cards", type=int, default=100, help="that can be looked into on a day")
    return parser.parse_args()


if __name__ == "__main__":
    main()
