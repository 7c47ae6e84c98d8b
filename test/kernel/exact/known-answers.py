"""Writes known-answers.json: what CPython's math.fsum, fractions and statistics say. Run: python3 known-answers.py, then `npm run format`.

Doubles are written by repr, which reads back as the same double in JavaScript.
"""

import json
import math
import random
import statistics
from fractions import Fraction
from pathlib import Path

rng = random.Random(20180401)

cases = {
    "cancellation": [1e150, 1.0, -1e150, 1e-300],
    "cancellation of three sizes": [1e16, 1.0, 1e-16, -1e16],
    "tie to even": [9007199254740992.0, 1.0],
    "tie broken from far below": [9007199254740992.0, 1.0, 5e-324],
    "subnormals": [5e-324, 1e-323, -2.5e-323, 1.1125369292536007e-308],
    "ten tenths": [0.1] * 10,
    "large mean, small spread": [1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16],
    "one part in 2^52": [1.0, 1.0000000000000002, 1.0000000000000004],
    "squares beyond doubles": [2.0**500, -(2.0**500), 3.0],
    "money": [round(rng.uniform(0, 500), 2) for _ in range(40)],
    "all sizes": [rng.uniform(-1, 1) * 2.0 ** rng.randint(-300, 300) for _ in range(30)],
    "gaussian": [rng.gauss(100, 15) for _ in range(50)],
}


def answers(values):
    exact = [Fraction(value) for value in values]
    return {
        "values": values,
        "sum": math.fsum(values),
        "mean": float(sum(exact) / len(exact)),
        "variance": float(statistics.variance(exact)),
        "populationVariance": float(statistics.pvariance(exact)),
        "stddev": statistics.stdev(values),
        "populationStddev": statistics.pstdev(values),
    }


known = [{"name": name, **answers(values)} for name, values in cases.items()]
Path(__file__).with_suffix(".json").write_text(json.dumps(known, indent=2) + "\n")
