"""How busy does the client keep a server? Against a simulated one, beside a bare loop and distilabel.

``python -m benchmarks.bench_llm_client [--distilabel PYTHON]``
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openai

from benchmarks import report
from benchmarks.batching_server import ideal_seconds, tokens_of
from kosparse.adapters.chat_openai import OpenAiChatModel
from kosparse.llm.ask import ask
from kosparse.llm.cache import CachedChatModel
from kosparse.ports import ChatRequest, LlmEndpoint
from kosparse.records import Completion

REQUESTS = {1: 10, 16: 160, 64: 640, 256: 1280}
"""Concurrency -> how many are asked."""
MAX_TOKENS = 256
INSTRUCTIONS = "문서를 읽고 그 문서에서 답을 찾을 사람이 칠 만한 검색어를 세 가지 쓰세요. " * 5


def chats(count: int, seed: int) -> list[tuple[dict[str, str], ...]]:
    """Different questions for each seed, alike in size."""
    passage = "시트의 셀을 보호하려면 도구 메뉴에서 시트 보호를 고릅니다. " * 10
    system = {"role": "system", "content": INSTRUCTIONS}
    return [(system, {"role": "user", "content": f"<<<{seed}-{number} {passage}>>>"}) for number in range(count)]


def by_kosparse(base_url: str, concurrency: int, asked: list[Any], folder: Path) -> float:
    """Our client behind its cache, which is empty."""
    endpoint = LlmEndpoint(base_url, "simulated")
    model = CachedChatModel(OpenAiChatModel(endpoint, concurrency=concurrency), folder / f"{time.time_ns()}.sqlite")
    requests = [ChatRequest(chat, max_tokens=MAX_TOKENS) for chat in asked]
    started = time.perf_counter()
    answers = ask(model, requests, what="bench", budget_seconds=1e6)
    seconds = time.perf_counter() - started
    assert all(isinstance(answer, Completion) and not answer.cached for answer in answers)
    return seconds


def by_bare_loop(base_url: str, concurrency: int, asked: list[Any], folder: Path) -> float:
    """AsyncOpenAI behind a semaphore, as short as it can be written."""

    async def run() -> list[str | None]:
        places = asyncio.Semaphore(concurrency)
        async with openai.AsyncOpenAI(base_url=base_url, api_key="none") as client:

            async def one(chat: Any) -> str | None:
                async with places:
                    answer = await client.chat.completions.create(
                        model="simulated", messages=list(chat), max_tokens=MAX_TOKENS, temperature=0.0
                    )
                    return answer.choices[0].message.content

            return await asyncio.gather(*(one(chat) for chat in asked))

    started = time.perf_counter()
    assert all(asyncio.run(run()))
    return time.perf_counter() - started


def by_distilabel(python: str, base_url: str, concurrency: int, asked: list[Any], folder: Path) -> tuple[float, str]:
    """distilabel's OpenAILLM in the environment it is installed in; seconds and its version."""
    job = folder / "job.json"
    content = {"base_url": base_url, "concurrency": concurrency, "max_tokens": MAX_TOKENS, "chats": asked}
    job.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    script = Path(__file__).with_name("distilabel_client.py")
    done = subprocess.run([python, str(script), str(job)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"distilabel failed:\n{done.stderr[-2000:]}")
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["answered"] == len(asked)
    return result["seconds"], result["version"]


@contextmanager
def server(places: int, step: float) -> Iterator[str]:
    """The simulated server in its own process; its address."""
    command = [sys.executable, "-m", "benchmarks.batching_server", "--places", str(places), "--step", str(step)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    """Run all and write ``results/llm_client.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--distilabel", default="", metavar="PYTHON", help="interpreter that has distilabel[openai]")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--places", type=int, default=64, help="of the server's batch")
    parser.add_argument("--step", type=float, default=0.02, help="seconds per token of one request")
    options = parser.parse_args()
    rows, versions = [], {}
    with server(options.places, options.step) as base_url, tempfile.TemporaryDirectory() as folder:
        for concurrency, count in REQUESTS.items():
            ratios: dict[str, list[float]] = {}
            for seed in range(options.rounds):
                asked = chats(count, seed)
                lengths = [tokens_of(chat[-1]["content"]) for chat in asked]
                ideal = ideal_seconds(lengths, min(concurrency, options.places), options.step)
                seconds = {
                    "kosparse": by_kosparse(base_url, concurrency, asked, Path(folder)),
                    "AsyncOpenAI loop": by_bare_loop(base_url, concurrency, asked, Path(folder)),
                }
                if options.distilabel:
                    seconds["distilabel"], versions["distilabel"] = by_distilabel(
                        options.distilabel, base_url, concurrency, asked, Path(folder)
                    )
                for name, value in seconds.items():
                    ratios.setdefault(name, []).append(value / ideal)
                told = ", ".join(f"{name} {value:.2f} s" for name, value in seconds.items())
                print(f"concurrency {concurrency}, round {seed + 1}: ideal {ideal:.2f} s, {told}", flush=True)
            rows += [
                {
                    "concurrency": concurrency,
                    "requests": count,
                    "client": name,
                    "over_ideal": round(statistics.median(values), 3),
                    "best": round(min(values), 3),
                    "worst": round(max(values), 3),
                }
                for name, values in ratios.items()
            ]
    if not options.distilabel:
        print("distilabel is left out: name an interpreter that has it with --distilabel")
    report.finish(
        "llm_client",
        rows,
        command="make bench-llm" + (" DISTILABEL=<python with distilabel[openai]>" if options.distilabel else ""),
        notes=[
            f"Simulated continuous batching: {options.places} places, a token per {options.step * 1000:g} ms each, "
            f"answers of 16 to 112 tokens, queue beyond; over_ideal is wall time over the shortest possible.",
            f"Median, best and worst of {options.rounds} rounds, the clients taking turns on the same requests. The "
            "machine is shared with other work: compare within a row of one run, not between runs.",
            "kosparse writes every answer to its (empty) cache; distilabel sends batches of the concurrency.",
        ],
        packages=["openai"],
        versions=versions,
    )


if __name__ == "__main__":
    main()
