"""Answers requests as serve.py does, as transform.py does with AWS's toolkit."""

import base64
import json
import os
import sys
from pathlib import Path

import serve


def main(model_dir):
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what the model prints goes to standard error
    code, model = serve.load(Path(model_dir))
    for line in sys.stdin:
        request = json.loads(line)
        headers = request["headers"]
        answered = serve.answer(
            code, model, base64.b64decode(request["body"]), headers.get("Content-Type"), headers.get("Accept")
        )
        told = [answered.status, answered.phrase, answered.content_type, answered.body.decode("utf-8")]
        print(json.dumps(told), file=answers, flush=True)


main(sys.argv[1])
