"""Encodes with a registered model in a Python of its own: run as a script, it imports nothing of this package.

``python -I pyfunc_worker.py models:/kosparse/3``. One JSON object per line: ``{"kind": ..., "texts": [...]}`` comes in,
a list of ``{term: weight}`` goes out. The first line out says where a ``kosparse`` was loaded from, if one was.
"""

from __future__ import annotations

import json
import os
import sys


def main(model_uri: str) -> None:
    """Load the model and answer until nothing more comes in."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print is no answer
    import mlflow
    import pandas as pd

    model = mlflow.pyfunc.load_model(model_uri)
    ours = sys.modules.get("kosparse")
    print(json.dumps({"kosparse": getattr(ours, "__file__", "") or ""}), file=answers, flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        encoded = model.predict(pd.DataFrame({"text": asked["texts"]}), params={"kind": asked["kind"]})
        print(json.dumps(list(encoded["weights"])), file=answers, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
