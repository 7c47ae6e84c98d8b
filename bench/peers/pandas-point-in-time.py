"""Per label the user's count and sum of orders in [t - length, t), with pandas: rolling windows over the union of both.

    python pandas-point-in-time.py EVENTS.parquet LABELS.parquet OUTPUT.parquet

Prints the seconds from the first byte read to the last one written; starting Python and importing pandas are not in it.
"""

import sys
import time

import pandas as pd

events_path, labels_path, output_path = sys.argv[1:]
start = time.perf_counter()
events = pd.read_parquet(events_path, columns=["user", "at", "amount"])
labels = pd.read_parquet(labels_path)
asked = pd.DataFrame({"user": labels["user"], "at": labels["asked_at"], "place": range(len(labels))})
both = pd.concat([events, asked]).sort_values(["user", "at"], kind="stable")
windows = {}
for name, length in (("1h", "1h"), ("1d", "1D")):
    rolling = both.groupby("user", sort=False).rolling(length, on="at", closed="left")["amount"]
    windows[f"count_{name}"] = rolling.count().to_numpy()
    windows[f"sum_{name}"] = rolling.sum().to_numpy()
found = both[["place"]].assign(**windows)
found = found[found["place"].notna()].sort_values("place")
for name in ("1h", "1d"):
    labels[f"count_{name}"] = found[f"count_{name}"].fillna(0).to_numpy().astype("int64")
    labels[f"sum_{name}"] = found[f"sum_{name}"].fillna(0).to_numpy()
labels.to_parquet(output_path)
print(time.perf_counter() - start)
