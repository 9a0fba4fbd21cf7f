"""AWS's control plane for the tests: moto with its gaps filled (gaps.py, redshift_serverless.py), which remembers every
call it was sent.

Prints {"url": "..."} on a line of its own when it is ready, and ends when its standard input does. Beside AWS it
answers
GET /moto-api/calls    what it was called: [{"service", "operation", "method", "path"}], service as in an IAM action
GET /moto-api/holdings how many of each Terraform type it holds: {"aws_sqs_queue": 2}
"""

import io
import json
import logging
import os
import sys
from http import HTTPStatus
from threading import Lock, Thread
from urllib.parse import urlparse

os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"

from moto.core.request import Request
from moto.core.routing import get_service_router
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

import gaps
import redshift_serverless
from holdings import holdings

# Names a request is signed with, where several services share one or botocore knows the service by another.
SERVICES = {
    "monitoring": ["cloudwatch"],
    "sagemaker": ["sagemaker", "sagemaker-runtime", "sagemaker-featurestore-runtime"],
}


class Recorder:
    """Passes every request on, and keeps which operation of AWS it was."""

    def __init__(self, application):
        self.application = application
        self.calls = []
        self.lock = Lock()

    def __call__(self, environ, start_response):
        answer = {"/moto-api/calls": lambda: self.calls, "/moto-api/holdings": holdings}.get(environ["PATH_INFO"])
        if answer:
            start_response("200 OK", [("Content-Type", "application/json")])
            return [json.dumps(answer()).encode()]
        signed_for = service_of(environ.get("HTTP_AUTHORIZATION", ""))
        if signed_for is None:
            return self.application(environ, start_response)
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        call = self.record(signed_for, environ, body)
        if signed_for != "redshift-serverless":
            return self.application(environ, start_response)
        with self.lock:
            status, said = redshift_serverless.answer(call["operation"], body)
        start_response(f"{status} {HTTPStatus(status).phrase}", [("Content-Type", "application/x-amz-json-1.1")])
        return [json.dumps(said).encode()]

    def record(self, signed_for, environ, body):
        call = {
            "service": "cloudwatch" if signed_for == "monitoring" else signed_for,
            "operation": operation_of(signed_for, {**environ, "wsgi.input": io.BytesIO(body)}),
            "method": environ["REQUEST_METHOD"],
            "path": urlparse(environ.get("RAW_URI", environ["PATH_INFO"])).path,
        }
        with self.lock:
            self.calls.append(call)
        return call


def service_of(authorization):
    """The service in the credential scope of a signature: .../20260101/us-east-1/sqs/aws4_request, ..."""
    scope = authorization.split(",")[0].split("/")
    return scope[3] if len(scope) == 5 else None


def operation_of(signed_for, environ):
    target = environ.get("HTTP_X_AMZ_TARGET")
    if target:
        return target.split(".")[-1]
    for service in SERVICES.get(signed_for, [signed_for]):
        try:
            return get_service_router(service).match(Request(environ.copy()))[0].name
        except Exception:  # not an operation of this one
            environ["wsgi.input"].seek(0)
    return "?"


def end_with_parent():
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    gaps.fill()
    recorder = Recorder(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, recorder, threaded=True, request_handler=MotoRequestHandler)
    Thread(target=end_with_parent, daemon=True).start()
    print(json.dumps({"url": f"http://127.0.0.1:{server.port}"}), flush=True)
    server.serve_forever()
