"""An HTTP server that speaks the OpenAI protocol and answers deterministically, without a model.

Answers fit the JSON schema asked for and are made of words of the fenced text, so that filters have
something real to do; questions answered by probabilities get honest ones (known pairs are known,
passages that share words with a query are relevant). ``python -m tests.fakes.llm_server --port N --key K``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import random
import re
import threading
import time
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

_FENCED = re.compile(r"<<<\s*(.*?)\s*>>>", re.DOTALL)
_WORDS = re.compile(r"[가-힣]{2,}|[A-Za-z]{3,}")
_NUMBERED = re.compile(r"^(\d+)\. (.*)$", re.MULTILINE)
_HANGS = 15.0
"""Seconds."""
_SYNONYMS = Path(__file__).parents[2] / "kosparse" / "synonyms"


class FakeLlmServer:
    """A server on a free loopback port; a context manager.

    Args:
        api_key: Wanted from clients; empty takes any.
        model: The only model served.
        failures: What to do with the first requests, in order: a status code (429 comes with
            Retry-After), ``hang``, ``html``, ``null``, ``reset``, ``half`` (the body breaks off),
            ``reasoning`` (it took all the tokens), ``prose`` (no JSON), ``fenced`` (JSON in a code block) or
            ``cut`` (JSON that ends in the middle); None answers.
        always_yes: Say yes to every question answered by probabilities.
        port: 0 takes a free one.
        schemas: What it makes of JSON schemas: ``holds``, ``ignores`` or ``refuses``.
        places: More requests at once than this are refused with 429; 0 takes any number.
        context: Longest prompt in tokens (a token is a character here); 0 takes any.
        counts_tokens: It has vLLM's ``/tokenize``.
        vllm_metrics: It has vLLM's ``/metrics``; a prompt's prefix is cached from its second time on.
        silent: It takes connections and answers nothing at all.
        seconds: For one answer.
        thinks_first: Its answers begin with reasoning, which a label question's one token does not get beyond.
    """

    def __init__(
        self,
        api_key: str = "",
        model: str = "fake-korean-llm",
        failures: Iterable[int | str | None] = (),
        always_yes: bool = False,
        port: int = 0,
        *,
        schemas: str = "holds",
        places: int = 0,
        context: int = 0,
        counts_tokens: bool = False,
        vllm_metrics: bool = False,
        silent: bool = False,
        seconds: float = 0.0,
        thinks_first: bool = False,
    ) -> None:
        self.api_key, self.model, self.always_yes = api_key, model, always_yes
        self.schemas, self.places, self.context, self.counts_tokens = schemas, places, context, counts_tokens
        self.vllm_metrics, self.silent, self.seconds = vllm_metrics, silent, seconds
        self.thinks_first = thinks_first
        self.failures = list(failures)
        self.bodies: list[dict[str, Any]] = []
        self.prefix_queries = self.prefix_hits = 0
        self._prefixes: set[str] = set()
        self.completions = 0
        self.most_in_flight = self._in_flight = 0
        self.known = _known_pairs()
        self._count = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self._http.daemon_threads = True
        self.base_url = f"http://127.0.0.1:{self._http.server_port}/v1"

    def __enter__(self) -> FakeLlmServer:
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def next_failure(self) -> int | str | None:
        with self._count:
            self.completions += 1
            return self.failures.pop(0) if self.failures else None

    def entered(self, step: int) -> int:
        """Count a request in or out; how many there are now."""
        with self._count:
            self._in_flight += step
            self.most_in_flight = max(self.most_in_flight, self._in_flight)
            return self._in_flight

    def computed(self, body: dict[str, Any]) -> None:
        """Account for the prefix cache: all messages but the last are the prefix."""
        prefix = json.dumps(body["messages"][:-1])
        with self._count:
            self.prefix_queries += prompt_length(body)
            self.prefix_hits += len(prefix) if prefix in self._prefixes else 0
            self._prefixes.add(prefix)

    def metrics(self) -> str:
        """vLLM's page, as far as we read it."""
        values = {
            "num_requests_waiting": 0,
            "num_requests_running": self._in_flight,
            "prefix_cache_queries_total": self.prefix_queries,
            "prefix_cache_hits_total": self.prefix_hits,
        }
        lines = [f'vllm:{name}{{engine="0",model_name="{self.model}"}} {value}' for name, value in values.items()]
        return "# HELP vllm:num_requests_waiting Number of requests waiting.\n" + "\n".join(lines) + "\n"

    def complete(self, request: dict[str, Any]) -> dict[str, Any]:
        """The body of one answer."""
        question = request["messages"][-1]["content"]
        schema = request.get("response_format", {}).get("json_schema", {}).get("schema")
        if self.schemas == "ignores":
            schema = None
        rng = random.Random(hashlib.sha256(f"{question}{request.get('seed')}".encode()).hexdigest())
        text = json.dumps(_fill(schema, question, rng), ensure_ascii=False) if schema else "예"
        answered: list[list[dict[str, Any]]] = []
        if request.get("top_logprobs"):
            answered = self._answer_tokens(question)
            text = "".join(alternatives[0]["token"] for alternatives in answered)
        choice: dict[str, Any] = {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": text},
        }
        if answered and self.thinks_first:
            answered = [[{"token": "<|channel|>", "logprob": -0.01, "bytes": None}]]
            choice["message"]["content"], choice["finish_reason"] = None, "length"
        if answered:
            content = [{**alternatives[0], "top_logprobs": alternatives} for alternatives in answered]
            choice["logprobs"] = {"content": content}
        size = len(question) // 2 + 1
        usage = {"prompt_tokens": size, "completion_tokens": len(text) // 2 + 1, "total_tokens": size + len(text) // 2}
        return {
            "id": "fake",
            "object": "chat.completion",
            "created": 0,
            "model": self.model,
            "choices": [choice],
            "usage": usage,
        }

    def begin(self, request: dict[str, Any]) -> dict[str, Any]:
        """The body of an answer to a prompt of tokens (a character each), as vLLM's ``/v1/completions`` gives it."""
        answered = self._answer_tokens("".join(map(chr, request["prompt"])))[: request["max_tokens"]]
        texts = [alternatives[0]["token"] for alternatives in answered]
        told = [{token["token"]: token["logprob"] for token in alternatives} for alternatives in answered]
        choice = {
            "index": 0,
            "finish_reason": "length",
            "text": "".join(texts),
            "logprobs": {"tokens": texts, "top_logprobs": told},
        }
        usage = {"prompt_tokens": len(request["prompt"]), "completion_tokens": 1, "total_tokens": 0}
        return {"id": "fake", "object": "text_completion", "created": 0, "model": self.model} | {
            "choices": [choice],
            "usage": usage,
        }

    def _answer_tokens(self, question: str) -> list[list[dict[str, Any]]]:
        """The answer's tokens, each with its alternatives: one label, or one for each numbered query."""
        fenced, _, asked = question.rpartition(">>>")
        queries = _NUMBERED.findall(asked)
        if not queries:
            return [self._label_tokens(question)]
        answered: list[list[dict[str, Any]]] = []
        for number, query in queries:
            answered += [[_certain(f"{number}. ")], self._label_tokens(f"{fenced}>>>{query}"), [_certain("\n")]]
        return answered

    def _label_tokens(self, question: str) -> list[dict[str, Any]]:
        """First tokens with log-probabilities, the likeliest first: yes and no, in both languages."""
        p = 0.95 if self.always_yes else self._probability(question)
        options = {"예": p / 2, "Yes": p / 2, "아니": (1 - p) / 2, "No": (1 - p) / 2}
        ranked = sorted(options.items(), key=lambda item: -item[1])
        return [{"token": token, "logprob": math.log(value), "bytes": None} for token, value in ranked]

    def _probability(self, question: str) -> float:
        fenced = _FENCED.findall(question)
        if len(fenced) >= 2:  # a pair of terms
            return 0.95 if (fenced[0].strip(), fenced[1].strip().lower()) in self.known else 0.08
        passage = fenced[0] if fenced else question
        query = _FENCED.sub("", question)
        shared = {word[:2] for word in _WORDS.findall(passage)} & {word[:2] for word in _WORDS.findall(query)}
        return 0.9 if shared else 0.1


def _certain(token: str) -> dict[str, Any]:
    return {"token": token, "logprob": 0.0, "bytes": None}


def prompt_length(body: dict[str, Any]) -> int:
    """Tokens of a prompt, a character each."""
    return sum(len(message["content"]) for message in body["messages"])


def _known_pairs() -> set[tuple[str, str]]:
    """Pairs a good model would know: the labelled true ones, the starter list, the test collection's."""
    from tests.data.make_corpus import PLACES, TOPICS

    known = {(ko, en) for ko, en, _ in [*TOPICS, *PLACES]}
    for _ko, _en, what in TOPICS:
        gloss = re.search(r"([가-힣 ]+)\(([a-z ]+)\)", what)
        known |= (
            {(gloss.group(1).strip(), gloss.group(2)), (gloss.group(1).split()[-1], gloss.group(2))} if gloss else set()
        )
    for name in ("starter.tsv", "labelled.tsv"):
        for line in (_SYNONYMS / name).read_text(encoding="utf-8").splitlines():
            fields = line.split("\t")
            if len(fields) >= 2 and (len(fields) == 2 or fields[2] == "1"):
                known.add((fields[0].strip(), fields[1].strip().lower()))
    return known


def _fill(schema: dict[str, Any], question: str, rng: random.Random) -> Any:
    """A value that fits the schema, of words from the fenced text."""
    if "enum" in schema:
        return rng.choice(schema["enum"])
    match schema.get("type"):
        case "object":
            return {name: _fill(value, question, rng) for name, value in schema["properties"].items()}
        case "array":
            return [_fill(schema["items"], question, rng) for _ in range(schema.get("minItems", 1))]
        case "integer" | "number":
            return rng.randint(1, 9)
        case "boolean":
            return rng.random() < 0.5
    source = " ".join(_FENCED.findall(question)) or question
    words = sorted(set(_WORDS.findall(source)))
    return " ".join(rng.sample(words, min(3, len(words)))) or "검색"


def _handler(fake: FakeLlmServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

        def do_GET(self) -> None:
            if fake.silent:
                time.sleep(_HANGS)
                return
            if self.path == "/metrics":
                found = (
                    (200, fake.metrics(), "text/plain") if fake.vllm_metrics else (404, "no such page", "text/plain")
                )
                self._send(*found)
                return
            if not self._authorized():
                return
            model = {"id": fake.model, "object": "model", "owned_by": "fake", "max_model_len": 4096}
            self._send(200, {"object": "list", "data": [model]})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if fake.silent:
                time.sleep(_HANGS)
                return
            if not self._authorized():
                return
            if self.path == "/tokenize":
                text = body.get("prompt") or "".join(message["content"] for message in body["messages"])
                counted = {"count": len(text), "max_model_len": fake.context, "tokens": [ord(each) for each in text]}
                self._send(*((200, counted) if fake.counts_tokens else (404, {"detail": "Not Found"})))
                return
            if body["model"] != fake.model:
                self._send(404, {"error": {"message": f"no model {body['model']}"}})
                return
            if self.path == "/v1/completions":
                fake.next_failure()
                fake.bodies.append(body)
                self._send(200, fake.begin(body))
                return
            try:
                now = fake.entered(1)
                if 0 < fake.places < now:
                    self._send(429, {"error": {"message": "too many requests"}})
                elif not self._refused(body):
                    self._answer(body)
            finally:
                fake.entered(-1)

        def _refused(self, body: dict[str, Any]) -> bool:
            length, message = prompt_length(body), ""
            if 0 < fake.context < length + body["max_tokens"]:
                message = (
                    f"This model's maximum context length is {fake.context} tokens. However, you requested "
                    f"{length + body['max_tokens']} tokens ({length} in the messages, {body['max_tokens']} in the "
                    "completion). Please reduce the length of the messages."
                )
            elif fake.schemas == "refuses" and "response_format" in body:
                message = "'response_format.type' must be 'text'"
            if message:
                self._send(400, {"error": {"message": message, "type": "invalid_request_error"}})
            return bool(message)

        def _answer(self, body: dict[str, Any]) -> None:
            failure = fake.next_failure()
            fake.bodies.append(body)
            time.sleep(fake.seconds)
            answer = fake.complete(body)
            choice = answer["choices"][0]
            fake.computed(body)
            if failure is None:
                self._send(200, answer)
            elif failure in ("prose", "fenced", "cut"):
                text = choice["message"]["content"]
                texts = {"prose": "네, 알겠습니다.", "fenced": f"```json\n{text}\n```", "cut": text[:-2]}
                choice["message"]["content"] = texts[failure]
                choice["finish_reason"] = "length" if failure == "cut" else "stop"
                self._send(200, answer)
            elif failure == "reasoning":
                choice["message"] |= {"content": None, "reasoning": choice["message"]["content"]}
                choice["message"]["reasoning_content"] = choice["message"]["reasoning"]
                choice["finish_reason"] = "length"
                self._send(200, answer)
            elif failure == "half":
                self._send(200, json.dumps(answer)[:-20])
            elif failure == "hang":
                time.sleep(_HANGS)
                self.close_connection = True
            elif failure == "html":
                self._send(200, "<html>Sign in</html>", "text/html")
            elif failure == "null":
                answer["choices"][0]["message"]["content"] = None
                self._send(200, answer)
            elif failure == "reset":
                self.close_connection = True
                self.connection.close()
            else:
                self._send(int(failure), {"error": {"message": f"planted {failure}"}})

        def _authorized(self) -> bool:
            if fake.api_key and self.headers.get("Authorization") != f"Bearer {fake.api_key}":
                self._send(401, {"error": {"message": "wrong key"}})
                return False
            return True

        def _send(self, status: int, body: Any, kind: str = "application/json") -> None:
            data = (body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)).encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            if status == 429:
                self.send_header("Retry-After", "0.1")
            self.end_headers()
            self.wfile.write(data)

    return Handler


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--key", default="")
    options = parser.parse_args()
    with FakeLlmServer(options.key, port=options.port) as server:
        print(server.base_url, flush=True)
        threading.Event().wait()
