"""Says what is in a traced model, without PyTorch: `describe.py FILE` prints it as JSON."""

import json
import re
import sys
import zipfile
from typing import Any, Dict

OPERATOR = re.compile(r"\b(?:torch|ops\.aten)\.(\w+)\(")


def describe(file: str) -> Dict[str, Any]:
    """What TorchScript keeps in its zip file: the code as text, the parameters' types, and the shape that trace.py adds."""
    with zipfile.ZipFile(file) as archive:
        entries = {name.split("/", 1)[-1]: name for name in archive.namelist()}
        code = [archive.read(name).decode("utf-8") for entry, name in entries.items() if re.match(r"code/.*\.py$", entry)]
        version = next(entries[entry] for entry in (".data/version", "version") if entry in entries)
        return {
            "format": int(archive.read(version)),
            "shape": json.loads(archive.read(entries["extra/shape.json"])) if "extra/shape.json" in entries else None,
            "types": sorted({kind.decode() for kind in re.findall(rb"(\w+)Storage\b", archive.read(entries["data.pkl"]))}),
            "operators": sorted({operator for text in code for operator in OPERATOR.findall(text)}),
        }


if __name__ == "__main__":
    try:
        print(json.dumps(describe(sys.argv[1])))
    except (KeyError, OSError, StopIteration, ValueError, zipfile.BadZipFile) as error:
        raise SystemExit(f"it is no TorchScript: {error}") from error
