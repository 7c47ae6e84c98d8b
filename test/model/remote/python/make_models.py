"""Trains a logistic regression of two inputs and saves it for a server, with what scikit-learn itself gives.

    python make_models.py mlserver|mlflow FOLDER
"""

import json
import pathlib
import sys

import numpy as np
from sklearn.linear_model import LogisticRegression

kind, folder = sys.argv[1], pathlib.Path(sys.argv[2])
rng = np.random.default_rng(1)
X = rng.normal(size=(500, 2))
y = (X[:, 0] - X[:, 1] > 0).astype(int)

if kind == "mlserver":
    import joblib

    model = LogisticRegression().fit(X, y)
    joblib.dump(model, folder / "model.joblib")
    settings = {
        "name": "fraud",
        "implementation": "mlserver_sklearn.SKLearnModel",
        "parameters": {"uri": "./model.joblib", "version": "3"},
        "inputs": [{"name": "x", "datatype": "FP64", "shape": [-1, 2]}],
        "outputs": [{"name": "predict_proba", "datatype": "FP64", "shape": [-1, 2]}],
    }
    (folder / "model-settings.json").write_text(json.dumps(settings))
    server = {"parallel_workers": 0, "host": "127.0.0.1"}
    (folder / "settings.json").write_text(json.dumps(server))
else:
    import mlflow.sklearn
    import pandas as pd

    X = pd.DataFrame(X, columns=["a", "b"])
    model = LogisticRegression().fit(X, y)
    mlflow.sklearn.save_model(
        model,
        str(folder / "model"),
        signature=mlflow.models.infer_signature(X, model.predict_proba(X)),
        pyfunc_predict_fn="predict_proba",
    )

rows = X[:200]
expected = {"rows": np.asarray(rows).tolist(), "probabilities": model.predict_proba(rows)[:, 1].tolist()}
(folder / "expected.json").write_text(json.dumps(expected))
