"""How much memory and time ``ingest_corpus`` takes as collections grow.

``python -m benchmarks.bench_ingest [DOCUMENTS]``. Each size runs in a process of its own, whose peak memory is the
system's figure. Texts are made up from the words of a few sentences, so that hardly any two are alike. The last row is
a collection of one-word documents, all of which are rejected.
"""

from __future__ import annotations

import json
import multiprocessing
import random
import resource
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.report import finish
from kosparse.errors import InputError
from kosparse.steps.ingest_corpus import run

_WORDS = (
    "셀을 보호하려면 먼저 시트를 보호해야 합니다 문서의 표에 행과 열을 넣고 글꼴을 바꾸면 인쇄 미리 보기에서 "
    "쪽의 모습을 "
    "확인할 수 있습니다 차트는 숫자를 그림으로 보여 주며 매크로는 되풀이되는 일을 대신합니다"
).split()


def _measure(count: int, one_word: bool, into: multiprocessing.Queue) -> None:  # type: ignore[type-arg]
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder) / "corpus.jsonl", Path(folder) / "out"
        chance = random.Random(count)
        with open(source, "w", encoding="utf-8") as file:
            for number in range(count):
                text = "셀" if one_word else " ".join(chance.choices(_WORDS, k=60))
                file.write(json.dumps({"_id": f"d{number}", "text": text}, ensure_ascii=False) + "\n")
        started = time.monotonic()
        try:
            outputs = {name: str(out / name) for name in run.outputs}
            run(corpus=str(source), queries="", qrels="", query_log="", **outputs)
        except InputError:
            assert one_word
        megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        into.put({"seconds": round(time.monotonic() - started, 1), "peak_mb": round(megabytes)})


def main(most: int = 100_000) -> None:
    """Measure ``most`` documents and fewer, and twenty times as many of one word."""
    rows = []
    for count, one_word in ((most // 100, False), (most // 10, False), (most, False), (20 * most, True)):
        context = multiprocessing.get_context("spawn")
        queue = context.Queue()
        process = context.Process(target=_measure, args=(count, one_word, queue))
        process.start()
        found = queue.get()
        process.join()
        rows.append({"documents": count, "texts": "one word" if one_word else "60 words", **found})
    finish(
        "ingest",
        rows,
        command=f"python -m benchmarks.bench_ingest {most}",
        notes=["peak_mb is of the whole process, libraries included; seconds depend on what else the machine does"],
        packages=("pyarrow", "ftfy", "kiwipiepy"),
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
