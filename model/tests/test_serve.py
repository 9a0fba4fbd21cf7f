import http.client
import json
import os
import shutil
import subprocess
import sys
import threading
from urllib.parse import urlsplit

import pytest
from conftest import golden

import serve

JSON = {"Content-Type": "application/json"}


def start(model_dir, workers):
    return subprocess.Popen(
        [sys.executable, serve.__file__, "--model-dir", str(model_dir), "--port", "0", "--workers", str(workers)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def ask(url, method, path, body=None, headers=JSON):
    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    answered = response.status, response.read().decode(), response.headers["Content-Type"], response.reason
    connection.close()
    return answered


def files_of(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


@pytest.fixture(scope="module")
def url(archives):
    process = start(archives["batched"], 2)
    before = files_of(archives["batched"])
    yield json.loads(process.stdout.readline())["url"]
    said, _ = process.communicate()  # ends its standard input, and so the server
    assert (process.returncode, said) == (0, "")
    assert files_of(archives["batched"]) == before


@pytest.mark.parametrize("name", ["predictions", "instances"])
def test_answers_the_golden_requests_with_the_archives_own_code(name, url):
    for each in golden(name):
        answered = ask(url, "POST", "/invocations", each["request"].encode())
        assert answered == (200, each["response"], "application/json", "OK")


def test_answers_the_golden_refusals_with_their_message_and_trace_as_the_toolkit_does(url):
    for each in golden("refusals"):
        headers = {"Content-Type": each["contentType"]}
        status, body, _, reason = ask(url, "POST", "/invocations", each["request"].encode(), headers)
        assert (status, body.splitlines()[:2]) == (each["status"], [each["message"], "Traceback (most recent call last):"])
        assert reason == each["message"]


def test_is_pinged(url):
    assert ask(url, "GET", "/ping")[:2] == (200, "")


def test_knows_no_other_paths(url):
    expected = (404, "there is no /models, only GET /ping and POST /invocations")
    assert ask(url, "GET", "/models")[:2] == ask(url, "POST", "/models", "{}")[:2] == expected


def test_takes_a_body_as_large_as_sagemaker_does_and_no_larger(url):
    pair = json.dumps({"seq_0": "choir", "seq_1": "Friday"})
    assert ask(url, "POST", "/invocations", pair.ljust(6_291_456))[0] == 200
    status, body, *_ = ask(url, "POST", "/invocations", pair.ljust(6_291_457))
    assert (status, body) == (413, "the body must be at most 6291456 bytes, got 6291457")


def test_refuses_a_body_of_unknown_length(url):
    headers = {**JSON, "Transfer-Encoding": "chunked"}
    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    connection.request("POST", "/invocations", headers=headers)
    assert connection.getresponse().status == 411
    connection.close()


def test_fails_on_bytes_that_are_no_utf8_as_the_toolkit_does(url):
    status, body, *_ = ask(url, "POST", "/invocations", b"\xff")
    assert (status, body.splitlines()[0].split(":")[0]) == (500, "'utf-8' codec can't decode byte 0xff in position 0")


def test_goes_on_after_a_refusal_on_the_same_connection(url):
    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    for body, status in (("{", 400), (golden("predictions")[0]["request"].encode(), 200)):
        connection.request("POST", "/invocations", body, JSON)
        response = connection.getresponse()
        response.read()
        assert response.status == status
    connection.close()


def code_of(archive, folder, source):
    """The archive with other code."""
    shutil.copytree(archive, folder, dirs_exist_ok=True)
    (folder / "code" / "inference.py").write_text(source)
    return folder


MEETING = """
import os, time
from pathlib import Path
def model_fn(folder): return Path(folder)
def input_fn(body, content_type): return body
def predict_fn(body, folder):
    print("the model says hello")
    (folder / body).touch()
    while not ((folder / "one").exists() and (folder / "two").exists()): time.sleep(0.01)
    return f"{body} met the other, with {os.environ['OMP_NUM_THREADS']} threads"
def output_fn(answer, accept): return answer
"""


def test_works_on_as_many_requests_at_once_as_there_are_workers(archives, tmp_path, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    process = start(code_of(archives["one"], tmp_path, MEETING), 2)
    url = json.loads(process.stdout.readline())["url"]
    answers = {}
    asking = [
        threading.Thread(target=lambda name=name: answers.update({name: ask(url, "POST", "/invocations", name)}))
        for name in ("one", "two")
    ]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    said, noted = process.communicate()
    threads = max(1, len(os.sched_getaffinity(0)) // 2)
    for name, answered in answers.items():
        assert answered == (200, f"{name} met the other, with {threads} threads", "application/json", "OK")
    assert (said, noted.splitlines()) == ("", ["the model says hello"] * 2)


REACHING = """
import socket
def reach():
    try: socket.create_connection(("huggingface.co", 443))
    except OSError: return "alone"
def model_fn(folder): return AT_START and reach()
def input_fn(body, content_type): return body
def predict_fn(body, model):
    if body == "itself":
        with socket.create_server(("127.0.0.1", 0)) as server:
            socket.create_connection(server.getsockname()).close()
            return "reached"
    return reach()
def output_fn(answer, accept): return answer
"""
REACHED = "The model reached out to huggingface.co: on SageMaker it has no network, so what it needs must be in its archive."


def test_has_no_model_that_reaches_out_when_it_is_loaded_even_if_it_goes_on_without(archives, tmp_path):
    served = code_of(archives["one"], tmp_path, REACHING.replace("AT_START", "True"))
    process = start(served, 1)
    said, noted = process.communicate()
    assert (process.returncode, said) == (1, "")
    assert noted == f"The model in {served} cannot be loaded:\n{REACHED}\n"


def test_has_no_answer_of_a_model_that_reaches_out(archives, tmp_path):
    process = start(code_of(archives["one"], tmp_path, REACHING.replace("AT_START", "False")), 1)
    url = json.loads(process.stdout.readline())["url"]
    assert ask(url, "POST", "/invocations", "itself")[:2] == (200, "reached")
    assert ask(url, "POST", "/invocations", "hub")[:2] == (500, REACHED)
    process.communicate()


def test_ends_with_the_reason_when_a_worker_dies(archives, tmp_path):
    dying = MEETING.replace('print("the model says hello")', "os._exit(9)")
    process = start(code_of(archives["one"], tmp_path, dying), 1)
    url = json.loads(process.stdout.readline())["url"]
    assert ask(url, "POST", "/invocations", "one")[:2] == (500, "the worker died")
    assert process.wait() == 1
    assert process.stderr.read() == "A worker died, out of memory perhaps.\n"
    for stream in (process.stdin, process.stdout, process.stderr):
        stream.close()


def test_says_why_a_model_cannot_be_loaded(archives, tmp_path):
    shutil.copytree(archives["one"], tmp_path, dirs_exist_ok=True)
    (tmp_path / "tokenizer.json").write_text("{")
    process = start(tmp_path, 2)
    said, noted = process.communicate()
    assert (process.returncode, said) == (1, "")
    assert noted.startswith(f"The model in {tmp_path} cannot be loaded:\nTraceback")
    assert "EOF while parsing" in noted


@pytest.mark.parametrize(
    ("served", "workers", "reason"),
    [("archive", 0, "--workers must be 1 or more, got 0"), ("nothing", 1, "there is no code/inference.py in ")],
)
def test_refuses_what_it_cannot_serve(served, workers, reason, archives, tmp_path):
    process = start({"archive": archives["one"], "nothing": tmp_path}[served], workers)
    said, noted = process.communicate()
    assert (process.returncode, said) == (2, "")
    assert reason in noted


def test_leaves_no_process_behind_when_it_is_killed(archives):
    process = start(archives["one"], 2)
    json.loads(process.stdout.readline())
    process.kill()
    # Its workers hold its standard error: reading ends when the last of them has ended.
    assert process.communicate(timeout=60)[1] == ""
