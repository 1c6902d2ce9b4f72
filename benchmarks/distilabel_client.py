"""The same requests by distilabel, in its own environment: ``python distilabel_client.py <job.json>``.

A distilabel step sends ``input_batch_size`` requests at once and takes the next batch when all of them are
answered; that is done here with its own ``OpenAILLM``. Prints the seconds from the first request to the last
answer, and the version.
"""

from __future__ import annotations

import json
import sys
import time
from importlib import metadata
from pathlib import Path


def main(path: str) -> None:
    """Run one job: ``base_url``, ``concurrency``, ``max_tokens``, ``chats``."""
    from distilabel.models.llms import OpenAILLM

    job = json.loads(Path(path).read_text(encoding="utf-8"))
    llm = OpenAILLM(model="simulated", base_url=job["base_url"], api_key="none")
    llm.load()
    answered = 0
    started = time.perf_counter()
    for start in range(0, len(job["chats"]), job["concurrency"]):
        batch = job["chats"][start : start + job["concurrency"]]
        outputs = llm.generate_outputs(inputs=batch, max_new_tokens=job["max_tokens"], temperature=0.0)
        answered += sum(bool(output["generations"][0]) for output in outputs)
    seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "answered": answered, "version": metadata.version("distilabel")}))


if __name__ == "__main__":
    main(sys.argv[1])
