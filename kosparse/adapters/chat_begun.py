"""Label questions to a model that thinks before it answers: its answer is begun for it.

A label is read off the first token of an answer, and the first token of a model of gpt-oss's kind begins its
reasoning. The prompt as the server itself writes it, followed by the opening of Harmony's final channel, makes
the next token the answer's first.
"""

from __future__ import annotations

import openai

from kosparse.adapters.chat_repair import Server
from kosparse.adapters.chat_wire import Draft, answer_tokens, seed
from kosparse.adapters.server_tokens import tokenized
from kosparse.llm.harmony import FINAL
from kosparse.records import Completion


async def begun_answer(client: openai.AsyncOpenAI, server: Server, draft: Draft) -> Completion:
    """The first token of the answer, or every one that is asked for, with alternatives; empty from a server that
    cannot do this."""
    chat = await tokenized(server.base_url, server.api_key, {"model": server.model, "messages": draft.messages})
    if not server.opening:
        asked = {"model": server.model, "prompt": FINAL, "add_special_tokens": False}
        found = await tokenized(server.base_url, server.api_key, asked)
        server.opening = found.tokens if found else []
    if chat is None or not server.opening:
        return Completion(text="", finish_reason="length")
    request = draft.request
    response = await client.completions.create(
        model=server.model,
        prompt=[*chat.tokens, *server.opening],
        max_tokens=draft.max_tokens if request.every_token else 1,
        temperature=request.temperature,
        top_p=request.top_p,
        seed=seed(draft),
        logprobs=request.top_logprobs,
    )
    choice = response.choices[0]
    told = [dict(each or {}) for each in (choice.logprobs.top_logprobs if choice.logprobs else None) or []]
    texts = (choice.logprobs.tokens if choice.logprobs else None) or []
    first = told[0] if told else {}
    return Completion(
        text=choice.text or max(first, key=first.__getitem__, default=""),
        finish_reason=choice.finish_reason or "stop",
        prompt_tokens=response.usage.prompt_tokens if response.usage else 0,
        completion_tokens=response.usage.completion_tokens if response.usage else 0,
        first_token_logprobs=first,
        tokens=answer_tokens(request, texts, told),
        shortened_by=draft.shortened_by,
    )
