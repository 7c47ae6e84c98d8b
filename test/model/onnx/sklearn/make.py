"""Makes the ONNX files beside it, and what scikit-learn itself gives for some rows (expected.json).

    python -m venv venv && venv/bin/pip install scikit-learn skl2onnx && venv/bin/python make.py
"""

import json
import pathlib

import numpy as np
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

folder = pathlib.Path(__file__).parent
rng = np.random.default_rng(1)
X = rng.normal(size=(500, 4)).astype(np.float32)
y = (X[:, 0] + X[:, 1] > 0).astype(int)
gaps = X.copy()
gaps[::7, 2] = np.nan

models = {
    "logistic": (make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression()), gaps),
    "forest": (RandomForestClassifier(5, max_depth=4, random_state=1), X),
    "network": (make_pipeline(StandardScaler(), MLPClassifier((8,), max_iter=300, random_state=1)), X),
}
expected = {}
for name, (model, data) in models.items():
    model.fit(data, y)
    file = convert_sklearn(
        model,
        initial_types=[("x", FloatTensorType([None, 4]))],
        options={id(model): {"zipmap": False}},
        target_opset=17,
    )
    (folder / f"{name}.onnx").write_bytes(file.SerializeToString())
    rows = data[:8]
    expected[name] = {
        "rows": [[None if np.isnan(value) else float(value) for value in row] for row in rows],
        "labels": model.predict(rows).tolist(),
        "probabilities": model.predict_proba(rows)[:, 1].tolist(),
    }
(folder / "expected.json").write_text(json.dumps(expected, indent=2) + "\n")
