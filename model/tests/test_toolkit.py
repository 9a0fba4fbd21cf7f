"""serve.py beside AWS's own inference toolkit, whose Python TOOLKIT_PYTHON names: `npm run test:model` makes it."""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import golden

JSON = {"Content-Type": "application/json"}
TRANSFORM = Path(__file__).parent / "toolkit" / "transform.py"

ECHO = """
import json
from sagemaker_inference import errors
def model_fn(folder): return "model"
def input_fn(body, content_type): return body
def predict_fn(body, model): return body
def output_fn(answer, accept): return {answer}
def fail(*told): raise errors.GenericInferenceToolkitError(*told)
"""
ANSWERS = {
    "a text": '"é"',
    "bytes": '"é".encode()',
    "a type of its own": '("é", "text/plain")',
    "what was asked for": "accept",
    "an error": "[][0]",
    "an error with a status": 'fail(424, "no", "no\\r\\nway")',
    "an error with a status alone": "fail(400)",
}
BODIES = [
    ({"Content-Type": "application/json", "Accept": "text/csv"}, b"a"),
    ({"Content-Type": "application/json", "Accept": "*/*"}, b"a"),
    ({"Content-Type": "text/csv"}, "é".encode()),
    ({"Content-Type": "application/json"}, b"\xff"),
    ({"Content-Type": "application/octet-stream"}, b"\xff"),
    ({}, b"a"),
]


def process_of(arguments, folder, *packages):
    path = os.pathsep.join([str(folder / "code"), *packages])
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)], env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def packages():
    purelib = [os.environ["TOOLKIT_PYTHON"], "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    return subprocess.run(purelib, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


@pytest.fixture
def both(packages, monkeypatch):
    """What the toolkit and serve.py make of requests to an archive."""

    def ask(folder, requests):
        lines = [json.dumps({"headers": headers, "body": base64.b64encode(body).decode()}) for headers, body in requests]
        toolkit = process_of([TRANSFORM, folder], folder, packages)
        said, _ = toolkit.communicate("\n".join(lines))
        ours = process_of([TRANSFORM.parent / "answer.py", folder], folder, str(TRANSFORM.parent.parent.parent))
        answered, _ = ours.communicate("\n".join(lines))
        assert (toolkit.returncode, ours.returncode) == (0, 0)
        return [[plain(json.loads(line)) for line in text.splitlines()] for text in (said, answered)]

    return ask


def plain(answer):
    """An answer without the lines of an error's trace, and the module of its class: there the toolkit and serve.py are named."""
    status, phrase, content_type, body = answer
    if status == 200:
        return answer
    first, second, *_, last = body.splitlines()
    return [status, phrase, first, second, last.partition(": ")[2]]


def test_answers_and_refuses_the_golden_requests_as_the_toolkit_does(archives, both):
    requests = [(JSON, each["request"].encode()) for name in ("predictions", "instances") for each in golden(name)]
    requests += [({"Content-Type": each["contentType"]}, each["request"].encode()) for each in golden("refusals")]
    toolkit, ours = both(archives["batched"], requests)
    assert len(toolkit) == len(requests)
    assert ours == toolkit


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_treats_requests_and_answers_as_the_toolkit_does(answer, both, tmp_path):
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "inference.py").write_text(ECHO.replace("{answer}", answer))
    toolkit, ours = both(tmp_path, BODIES)
    assert len(toolkit) == len(BODIES)
    assert ours == toolkit
