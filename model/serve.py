"""A SageMaker container on this machine: /ping and /invocations around the code of an unpacked archive.

`serve.py --model-dir DIR --port 0` prints `{"url": "http://127.0.0.1:<port>"}` once it answers, and ends when its
standard input ends. With SERVE_PREFIX, `/<random>` say, each path begins so, and who was not told asks the model nothing.
What the archive's code prints goes to standard error. Requests and errors are treated as SageMaker's inference toolkit
treats them: https://github.com/aws/sagemaker-inference-toolkit

The model has no network, as in a container with network isolation: Python's own calls out of this machine are refused,
and are an error even if the model goes on without.
"""

import argparse
import http.server
import importlib
import json
import multiprocessing
import os
import platform
import queue
import socket
import sys
import threading
import traceback
import types
from pathlib import Path
from typing import NamedTuple

FUNCTIONS = ("model_fn", "input_fn", "predict_fn", "output_fn")
BODY_BYTES = 6_291_456  # https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html


class Answer(NamedTuple):
    status: int
    phrase: str
    content_type: str
    body: bytes


class ToolkitError(Exception):
    """Takes the place of sagemaker_inference.errors.GenericInferenceToolkitError, which the image has."""

    def __init__(self, status_code, message=None, phrase=None):
        self.status_code = status_code
        self.message = message or "Invalid Request"
        self.phrase = phrase or self.message
        super().__init__(status_code, self.message, self.phrase)


def load(model_dir: Path):
    """Imports the archive's inference.py and loads its model with it: gives both."""
    errors = types.ModuleType("sagemaker_inference.errors")
    errors.GenericInferenceToolkitError = ToolkitError
    toolkit = types.ModuleType("sagemaker_inference")
    toolkit.errors = errors
    sys.modules.update({"sagemaker_inference": toolkit, "sagemaker_inference.errors": errors})
    sys.dont_write_bytecode = True  # the archive's folder stays as it is
    # Its packages are the container's: on another kind of machine those of this environment take their place.
    of_this_kind = (sys.platform, platform.machine()) == ("linux", "x86_64")
    sys.path.insert(0 if of_this_kind else len(sys.path), str(model_dir / "code"))
    code = importlib.import_module("inference")
    missing = [name for name in FUNCTIONS if not callable(getattr(code, name, None))]
    if missing:
        raise SystemExit(f"code/inference.py must have {', '.join(FUNCTIONS)}; it lacks {', '.join(missing)}.")
    return code, code.model_fn(str(model_dir))


class Offline:
    """Refuses this process all networks but its own loopback, and keeps what it has tried to reach."""

    ASKING = ("socket.getaddrinfo", "socket.gethostbyname", "socket.connect", "socket.sendto", "socket.sendmsg")

    def __init__(self):
        self.own = (None, "", "localhost", "127.0.0.1", "::1", socket.gethostname())
        self.reached = []
        sys.addaudithook(self.refuse)

    def refuse(self, event, arguments):
        if event not in self.ASKING:
            return
        address = arguments if event.startswith("socket.get") else arguments[1]
        if not isinstance(address, tuple):
            return  # a socket in the file system
        host = address[0].decode("ascii", "replace") if isinstance(address[0], bytes) else address[0]
        if host in self.own:
            return
        self.reached.append(host)
        raise OSError(self.fault())

    def fault(self):
        """What is wrong with the model, if anything."""
        if not self.reached:
            return None
        needs = "on SageMaker it has no network, so what it needs must be in its archive."
        return f"The model reached out to {self.reached[0]}: {needs}"


def answer(code, model, body: bytes, content_type: "str | None", accept: "str | None") -> Answer:
    """What the toolkit makes of a request with the four functions: their answer, or the error with its trace."""
    try:
        accept = "application/json" if accept in (None, "", "*/*") else accept
        text = body.decode("utf-8") if content_type in ("application/json", "text/csv") else body
        result = code.output_fn(code.predict_fn(code.input_fn(text, content_type), model), accept)
        answered, answered_type = result if isinstance(result, tuple) else (result, accept)
        answered = answered.encode("utf-8") if isinstance(answered, str) else answered
        if not isinstance(answered, bytes):
            raise TypeError(f"output_fn must return text or bytes, got {type(answered).__name__}")
        return Answer(200, "OK", answered_type, answered)
    except Exception as error:
        refused = error if isinstance(error, ToolkitError) else ToolkitError(500, str(error))
        phrase = refused.phrase.replace("\r", " ").replace("\n", " ")
        text = f"{refused.message}\n{traceback.format_exc()}"
        return Answer(refused.status_code, phrase, "application/json", text.encode("utf-8", "replace"))


def work(connection, model_dir: Path) -> None:
    """A worker: answers one request after the other, until its server has gone."""
    os.dup2(2, 1)  # standard output is the server's
    offline = Offline()
    try:
        code, model = load(model_dir)
    except SystemExit as end:
        connection.send(str(end))
        return
    except Exception:
        connection.send(offline.fault() or traceback.format_exc())
        return
    connection.send(offline.fault())
    while True:
        try:
            answered = answer(code, model, *connection.recv())
            fault = offline.fault()
            connection.send(Answer(500, fault, "text/plain", fault.encode("utf-8")) if fault else answered)
        except (EOFError, BrokenPipeError, KeyboardInterrupt):
            return


class Workers:
    """Processes with the model loaded, each with its share of the cores. A request takes one, or waits for one."""

    def __init__(self, model_dir: Path, count: int):
        os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores() // count)))  # of a worker, which inherits it
        context = multiprocessing.get_context("spawn")
        self.free = queue.Queue()
        for _ in range(count):
            ours, theirs = context.Pipe()
            context.Process(target=work, args=(theirs, model_dir), daemon=True).start()
            theirs.close()
            self.free.put(ours)
        failures = {failure for failure in (_received(ours) for ours in list(self.free.queue)) if failure}
        if failures:
            raise SystemExit(f"The model in {model_dir} cannot be loaded:\n{failures.pop()}")

    def ask(self, *request) -> Answer:
        """@raises EOFError when the worker has died"""
        worker = self.free.get()
        worker.send(request)
        answered = worker.recv()
        self.free.put(worker)
        return answered


def _received(connection):
    try:
        return connection.recv()
    except EOFError:
        return "The process that loads it died."


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def handler(workers: Workers, end, prefix: str):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            if self.path == f"{prefix}/ping":
                self.send(Answer(200, "OK", "application/json", b""))
            else:
                self.refuse(404, f"there is no {self.path}, only GET /ping and POST /invocations")

        def do_POST(self):
            length = self.headers.get("Content-Length", "")
            if self.path != f"{prefix}/invocations":
                self.refuse(404, f"there is no {self.path}, only GET /ping and POST /invocations")
            elif not length.isdecimal():
                self.refuse(411, "a request must say its length")
            elif int(length) > BODY_BYTES:
                for _ in range(int(length) // BODY_BYTES):
                    self.rfile.read(BODY_BYTES)  # a caller that is cut off while it sends reads no answer
                self.rfile.read(int(length) % BODY_BYTES)
                self.refuse(413, f"the body must be at most {BODY_BYTES} bytes, got {length}")
            else:
                body = self.rfile.read(int(length))
                try:
                    self.send(workers.ask(body, self.headers.get("Content-Type"), self.headers.get("Accept")))
                except (EOFError, BrokenPipeError):
                    self.refuse(500, "the worker died")
                    end("A worker died, out of memory perhaps.")

        def refuse(self, status, reason):
            """Answers what was not meant for the model. Its body may be unread, so the connection ends."""
            self.close_connection = True
            self.send(Answer(status, reason, "text/plain", reason.encode("utf-8")))

        def send(self, answered: Answer):
            self.send_response(answered.status, answered.phrase.encode("latin-1", "replace").decode("latin-1"))
            self.send_header("Content-Type", answered.content_type)
            self.send_header("Content-Length", str(len(answered.body)))
            if self.close_connection:
                self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(answered.body)

        def log_message(self, *_):
            """Says nothing of a request: the caller knows what it asked and what it got."""

    return Handler


def await_end_of_input(end) -> None:
    while os.read(0, 4096):  # not sys.stdin, whose lock a thread that waits would hold when Python ends
        pass
    end()


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def main() -> None:
    parser = argparse.ArgumentParser(description="Serves an unpacked model archive as SageMaker's container does.")
    parser.add_argument("--model-dir", type=Path, required=True, help="the folder of the unpacked archive")
    parser.add_argument("--port", type=int, default=8080, help="on 127.0.0.1; 0 takes a free one (default: 8080)")
    count = os.environ.get("SAGEMAKER_MODEL_SERVER_WORKERS") or cores()
    more = "(default: SAGEMAKER_MODEL_SERVER_WORKERS, or the cores)"
    parser.add_argument("--workers", type=int, default=count, help=f"processes with the model {more}")
    arguments = parser.parse_args()
    if arguments.workers < 1:
        parser.error(f"--workers must be 1 or more, got {arguments.workers}")
    if not (arguments.model_dir / "code" / "inference.py").is_file():
        parser.error(f"there is no code/inference.py in {arguments.model_dir}")

    workers = Workers(arguments.model_dir.resolve(), arguments.workers)
    failures = []

    def end(failure=None):
        failures.extend([failure] if failure else [])
        threading.Thread(target=server.shutdown).start()  # not from a thread that it would wait for

    prefix = os.environ.get("SERVE_PREFIX", "")
    server = Server(("127.0.0.1", arguments.port), handler(workers, end, prefix))
    print(json.dumps({"url": f"http://127.0.0.1:{server.server_port}{prefix}"}), flush=True)
    threading.Thread(target=await_end_of_input, args=(end,), daemon=True).start()
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    if failures:
        raise SystemExit(failures[0])


if __name__ == "__main__":
    main()
