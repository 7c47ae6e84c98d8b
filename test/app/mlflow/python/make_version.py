"""Registers an ONNX file twice with a tracking server: version 1 by mlflow.onnx, version 2 as a plain Python model.

    python make_version.py SERVER FILE
"""

import sys

import mlflow
import onnx
from mlflow import MlflowClient

server, file = sys.argv[1:]
mlflow.set_tracking_uri(server)
with mlflow.start_run():
    mlflow.log_metric("auc", 0.5, step=0)
    mlflow.log_metric("auc", 0.93, step=1)
    mlflow.log_metric("loss", float("nan"))
    mlflow.set_tag("team", "risk")
    mlflow.onnx.log_model(onnx.load(file), name="model", registered_model_name="fraud")
with mlflow.start_run():
    mlflow.pyfunc.log_model(
        name="model",
        python_model=lambda model_input: model_input,
        pip_requirements=["mlflow"],
        registered_model_name="fraud",
    )
client = MlflowClient()
client.set_registered_model_alias("fraud", "champion", "1")
client.set_model_version_tag("fraud", "1", "approved by", "nobody")
