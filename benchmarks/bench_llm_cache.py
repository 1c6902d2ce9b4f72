"""How fast are cached answers found, and what does a killed run of 100,000 requests repeat?

``python -m benchmarks.bench_llm_cache``
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks import report
from kosparse import prompts
from kosparse.llm.cache import CachedChatModel
from kosparse.ports import ChatRequest, never
from kosparse.records import Completion

KILL_AFTER = 0.6
"""Share of the requests that are answered when the run is killed."""


class InstantModel:
    """Answers at once; tells when it is first asked."""

    model, revision, quantization = "instant", "1", "none"

    def __init__(self, first: Callable[[], None] = lambda: None) -> None:
        self.asked: list[ChatRequest] = []
        self._first = first

    def complete(
        self, requests: Sequence[ChatRequest], *, stop: Callable[[], bool] = never
    ) -> Iterator[tuple[int, Completion]]:
        """See ``ports.ChatModel.complete``."""
        for position, request in enumerate(requests):
            if position == 0:
                self._first()
            self.asked.append(request)
            text = f'{{"keyword":"셀 보호 {position}","question":"셀을 어떻게 보호하나요?","colloquial":"셀 잠그기"}}'
            yield position, Completion(text=text, prompt_tokens=400, completion_tokens=40)


def requests(count: int) -> list[ChatRequest]:
    """Questions as ``generate_queries`` asks them: instructions, examples, a passage of 300 characters."""
    prompt = prompts.load("generate_queries")
    passage = "시트의 셀을 보호하려면 도구 메뉴에서 시트 보호를 고릅니다. " * 9
    *shared, last = prompt.messages(document=f"@ {passage}")
    before, after = last["content"].split("@")
    return [
        ChatRequest(
            (*shared, {"role": "user", "content": f"{before}{number}{after}"}), prompt.answer, 128, 0.3, 0.95, 13
        )
        for number in range(count)
    ]


def answer_and_log(cache: Path, log: Path, count: int) -> None:
    """The run that is killed: every answer that reached the caller is logged by its position."""
    asked = requests(count)
    print("started", flush=True)
    with log.open("w", buffering=1) as file:
        for position, _ in CachedChatModel(InstantModel(), cache).complete(asked):
            file.write(f"{position}\n")


def killed_run(cache: Path, log: Path, count: int) -> set[int]:
    """Start it in a process of its own, kill it in the middle; positions it had answered."""
    command = [sys.executable, "-m", "benchmarks.bench_llm_cache", "--run", str(cache), str(log), str(count)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while process.poll() is None and _lines(log) < KILL_AFTER * count:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    whole = log.read_text().rpartition("\n")[0]
    return {int(line) for line in whole.splitlines()}


def _lines(log: Path) -> int:
    return log.read_bytes().count(b"\n") if log.exists() else 0


def resume(cache: Path, count: int, answered: set[int]) -> dict[str, float | int | str]:
    """Ask all again: seconds until the first new request is sent, and how many old ones are repeated."""
    asked = requests(count)
    position_of = {request.messages[-1]["content"]: position for position, request in enumerate(asked)}
    sent_at: list[tuple[float, float]] = []
    model = InstantModel(lambda: sent_at.append(_clocks()))
    started = _clocks()
    done = sum(1 for _ in CachedChatModel(model, cache).complete(asked))
    repeated = sum(position_of[request.messages[-1]["content"]] in answered for request in model.asked)
    assert done == count
    return {
        "what": f"resume of {count:,} requests, killed after {len(answered):,}: seconds to the first new one",
        "must": "at most 2",
        "wall": round(sent_at[0][0] - started[0], 2),
        "processor": round(sent_at[0][1] - started[1], 2),
        "repeated": repeated,
    }


def look_up(cache: Path, count: int, rounds: int) -> dict[str, float | int | str]:
    """Answers found per second when all are there, the median of some rounds, each with a new connection."""
    asked, rates = requests(count), []
    for _ in range(rounds):
        model = InstantModel()
        started = _clocks()
        assert all(answer.cached for _, answer in CachedChatModel(model, cache).complete(asked))
        rates.append([count / (now - then) for now, then in zip(_clocks(), started, strict=True)])
        assert not model.asked
    wall, processor = (round(statistics.median(values)) for values in zip(*rates, strict=True))
    return {
        "what": f"cached answers looked up per second, {count:,} of them",
        "must": "over 20,000",
        "wall": wall,
        "processor": processor,
        "repeated": 0,
    }


def _clocks() -> tuple[float, float]:
    """Wall time and this process's processor time, in seconds."""
    return time.perf_counter(), time.process_time()


def main() -> None:
    """Run all and write ``results/llm_cache.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--run", nargs=3, metavar=("CACHE", "LOG", "COUNT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        answer_and_log(Path(options.run[0]), Path(options.run[1]), int(options.run[2]))
        return
    with tempfile.TemporaryDirectory() as folder:
        cache, log = Path(folder) / "responses.sqlite", Path(folder) / "log"
        answered = killed_run(cache, log, options.count)
        print(json.dumps({"killed_after": len(answered), "load": os.getloadavg()[0]}), flush=True)
        rows = [resume(cache, options.count, answered), look_up(cache, options.count, options.rounds)]
    report.finish(
        "llm_cache",
        rows,
        command="make bench-llm",
        notes=[
            "Requests of generate_queries, each with a passage of 300 characters; the SQLite file is on a local disk.",
            "The machine is shared with other work, and the benchmark ran below its priority: wall is what passed, "
            "processor what this process itself used.",
            "Counted are hashing, reading and parsing of every answer, not the making of the requests.",
        ],
        packages=["pydantic"],
    )


if __name__ == "__main__":
    main()
