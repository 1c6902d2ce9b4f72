"""A server that takes its time as continuous batching does, and computes nothing.

``--places`` requests are in the batch at once, each getting a token every ``--step`` seconds; what comes
on top waits in line. How many tokens an answer has follows from its question, so every client is given the
same work, and the shortest time in which it can be done is known. Speaks just enough of the OpenAI
protocol over HTTP/1.1, with vLLM's metrics.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import heapq
import json
import re
from collections.abc import Sequence
from typing import Any

_CONTENT_LENGTH = re.compile(r"\r\ncontent-length: *(\d+)", re.IGNORECASE)
LEAST_TOKENS, MOST_TOKENS = 16, 112


def tokens_of(question: str) -> int:
    """Length of the answer: 16 to 112 tokens, 64 on average."""
    number = int.from_bytes(hashlib.sha256(question.encode()).digest()[:4], "big")
    return LEAST_TOKENS + number % (MOST_TOKENS - LEAST_TOKENS + 1)


def ideal_seconds(lengths: Sequence[int], places: int, step: float) -> float:
    """Until the last answer, when a free place is taken by the next request at once.

    >>> ideal_seconds([3, 1, 1], places=2, step=1.0)
    3.0
    """
    free_at = [0.0] * min(places, len(lengths))
    for length in lengths:
        heapq.heapreplace(free_at, free_at[0] + length * step)
    return max(free_at)


class Server:
    """The simulated server."""

    def __init__(self, places: int, step: float) -> None:
        self._places, self._step = asyncio.Semaphore(places), step
        self.waiting = self.running = 0

    async def answer(self, body: dict[str, Any]) -> dict[str, Any]:
        """One completion, after its time."""
        question = body["messages"][-1]["content"]
        tokens = tokens_of(question)
        self.waiting += 1
        async with self._places:
            self.waiting, self.running = self.waiting - 1, self.running + 1
            await asyncio.sleep(tokens * self._step)
            self.running -= 1
        message = {"role": "assistant", "content": "셀 " * tokens}
        return {
            "id": "1",
            "object": "chat.completion",
            "created": 0,
            "model": body["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
            "usage": {"prompt_tokens": 100, "completion_tokens": tokens, "total_tokens": 100 + tokens},
        }

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, kept alive."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                sizes = [
                    line.partition(":")[2] for line in head.lower().split("\r\n") if line[:15] == "content-length:"
                ]
                body = await reader.readexactly(int(sizes[0])) if sizes else b""
                data = await self._respond(head.split(" ", 2)[1], body)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
                writer.write(f"Content-Length: {len(data)}\r\n\r\n".encode() + data)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def _respond(self, path: str, body: bytes) -> bytes:
        if path == "/metrics":
            return f"vllm:num_requests_waiting {self.waiting}\nvllm:num_requests_running {self.running}\n".encode()
        return json.dumps(await self.answer(json.loads(body)), ensure_ascii=False).encode()


async def _main(places: int, step: float) -> None:
    server = await asyncio.start_server(Server(places, step).serve, "127.0.0.1", 0, backlog=1024)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--places", type=int, required=True)
    parser.add_argument("--step", type=float, required=True)
    options = parser.parse_args()
    asyncio.run(_main(options.places, options.step))
