"""Says whether a customer will renew: a line of CSV in, `label,score` out."""

import csv
import io
from pathlib import Path

import joblib
import numpy

LABELS = ("leaves", "renews")


def model_fn(model_dir):
    return joblib.load(Path(model_dir) / "model.joblib")


def input_fn(body, content_type):
    if content_type != "text/csv":
        raise ValueError(f"the content type must be text/csv, got {content_type}")
    rows = csv.reader(io.StringIO(body))
    return numpy.array([[float(age), float(spend), float(visits), plan] for age, spend, visits, plan in rows], object)


def predict_fn(rows, model):
    return model.predict_proba(rows)[:, 1]


def output_fn(scores, accept):
    return "".join(f"{LABELS[int(score >= 0.5)]},{score:.4f}\n" for score in scores), "text/csv"
