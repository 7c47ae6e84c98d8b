"""pandas' own rolling windows over payments, from Parquet to Parquet, in the input's order.

The same twelve features as duckdb-sweep.ts: per payment the customer's count and mean amount over (t - length, t], and
the terminal's count and share of fraud over as long a time that ends seven days before, each as the difference of two
windows, as the published features were made. Prints the seconds it took, without the start of Python.

    python pandas-sweep.py INPUT OUTPUT
"""

import sys
import time

import numpy
import pandas

DAYS = (1, 7, 30)
OFFSET_DAYS = 7


def rolled(payments, by, column, days):
    """Count and sum over (t - days, t] of each row's group, in the order of `payments`, which is that of time."""
    rolling = payments.groupby(by).rolling(f"{days}D", on="ts")[column].agg(["count", "sum"])
    # It comes group by group, in time within each: where a stable sort by group would put the rows.
    order = payments[by].to_numpy().argsort(kind="stable")
    result = numpy.empty((len(payments), 2))
    result[order] = rolling.to_numpy()
    return pandas.DataFrame(result, columns=["count", "sum"])


def sweep(source, target):
    payments = pandas.read_parquet(source, columns=["transaction_id", "ts", "customer_id", "terminal_id", "amount", "fraud"])
    payments["ts"] = pandas.to_datetime(payments["ts"])
    payments = payments.sort_values("ts", kind="stable")
    payments = payments.reset_index(drop=True)
    features = {"transaction_id": payments["transaction_id"]}
    delay = rolled(payments, "terminal_id", "fraud", OFFSET_DAYS)
    for days in DAYS:
        customer = rolled(payments, "customer_id", "amount", days)
        features[f"c_count_{days}d"] = customer["count"]
        features[f"c_amount_mean_{days}d"] = customer["sum"] / customer["count"]
        terminal = rolled(payments, "terminal_id", "fraud", days + OFFSET_DAYS)
        count = terminal["count"] - delay["count"]
        features[f"t_count_{days}d"] = count
        features[f"t_fraud_mean_{days}d"] = (terminal["sum"] - delay["sum"]) / count.where(count > 0)
    pandas.DataFrame(features).to_parquet(target, compression="zstd")


started = time.perf_counter()
sweep(sys.argv[1], sys.argv[2])
print(time.perf_counter() - started)
