"""Gives a traced model that takes any shape another one to be asked by: `reshape.py FILE OUT BATCH OTHERS`.

What it computes stays the same. OTHERS is what inference.py reads: with 0 it pads as for a model that was compiled.
"""

import json
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent.parent.parent / "model"))
from inference import SHAPE, Shape  # noqa: E402

file, out, batch, others = sys.argv[1:]
within = {SHAPE: ""}
model = torch.jit.load(file, _extra_files=within)
shape = Shape(**json.loads(within[SHAPE])) if within[SHAPE] else Shape()
if not shape.others:
    raise SystemExit("it takes one shape only, so there is nothing to compare: trace.py traces one that takes others")
asked = shape._replace(batch=int(batch), others=others == "1")
torch.jit.save(model, out, _extra_files={SHAPE: json.dumps(asked._asdict())})
