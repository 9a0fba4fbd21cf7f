"""Answers requests with AWS's own inference toolkit, as the image's server calls it: a line of JSON in, a line out.

`transform.py MODEL_DIR`, with the archive's `code/` and the toolkit in PYTHONPATH.
"""

import base64
import json
import os
import sys
from types import SimpleNamespace

from sagemaker_inference.transformer import Transformer


class Context:
    """What the server tells the toolkit of a request, and the toolkit it of the answer."""

    def __init__(self, model_dir, headers):
        self.system_properties = {"model_dir": model_dir}
        self.request_processor = [SimpleNamespace(get_request_properties=lambda: headers)]
        self.status, self.phrase, self.content_type = 200, "OK", None

    def set_response_status(self, code, phrase):
        self.status, self.phrase = code, phrase

    def set_response_content_type(self, _, content_type):
        self.content_type = content_type


def main(model_dir):
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what the model prints goes to standard error
    transformer = Transformer()
    for line in sys.stdin:
        request = json.loads(line)
        context = Context(model_dir, request["headers"])
        [answered] = transformer.transform([{"body": base64.b64decode(request["body"])}], context)
        answered = answered.decode("utf-8") if isinstance(answered, bytes) else answered
        told = [context.status, context.phrase, context.content_type, answered]
        print(json.dumps(told), file=answers, flush=True)


main(sys.argv[1])
