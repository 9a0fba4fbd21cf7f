"""Trains the model on customers that it makes up, always the same: `python train.py FOLDER`.

Writes it there, and beside it golden.json: what `model verify` asks, with the answers of the model itself.
"""

import json
import sys
from pathlib import Path

import joblib
import numpy
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

PLANS = ("basic", "family", "premium")
LABELS = ("leaves", "renews")
GOLDEN = 20
CUSTOMERS = 2_000


def customers():
    """Rows of age, monthly spend, visits and plan, and who of them has renewed."""
    chance = numpy.random.default_rng(1)
    age = chance.integers(18, 80, CUSTOMERS)
    plan = chance.integers(0, len(PLANS), CUSTOMERS)
    spend = 10 + 15 * plan + chance.gamma(2, 5, CUSTOMERS)
    visits = chance.poisson(8, CUSTOMERS)
    leaning = 0.25 * (visits - 8) + 0.03 * (age - 45) - 0.04 * (spend - 35) + 0.8 * (plan - 1)
    renewed = chance.random(CUSTOMERS) < 1 / (1 + numpy.exp(-leaning))
    rows = [[*numbers, PLANS[which]] for *numbers, which in zip(age, spend.round(2), visits, plan)]
    return numpy.array(rows, object), renewed.astype(int)


def main():
    rows, renewed = customers()
    columns = ColumnTransformer(
        [("numbers", StandardScaler(), [0, 1, 2]), ("plan", OneHotEncoder(handle_unknown="ignore"), [3])]
    )
    model = make_pipeline(columns, LogisticRegression())
    half = CUSTOMERS // 2
    model.fit(rows[:half], renewed[:half])
    print(f"Right for {model.score(rows[half:], renewed[half:]):.0%} of {half} customers that it has not seen")
    folder = Path(sys.argv[1])
    joblib.dump(model.fit(rows, renewed), folder / "model.joblib")
    scores = model.predict_proba(rows[:GOLDEN])[:, 1]
    golden = [
        {"request": ",".join(map(str, row)), "response": f"{LABELS[int(score >= 0.5)]},{score:.4f}\n"}
        for row, score in zip(rows, scores)
    ]
    (folder / "golden.json").write_text(json.dumps(golden, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
