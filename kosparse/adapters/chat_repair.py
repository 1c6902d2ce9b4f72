"""What is learnt of a server from its answers, and how a request is changed so that the next answer is better."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field

from kosparse import progress
from kosparse.adapters.chat_wire import Draft
from kosparse.adapters.server_tokens import tokenized
from kosparse.llm.schema import answer_problem
from kosparse.llm.shorten import characters_to_keep, is_too_long, shorten, told_lengths
from kosparse.records import Completion

_SCHEMA_REFUSED = re.compile(r"response_format|json_schema|structured|guided|grammar|schema", re.IGNORECASE)
_MOST_ROOM = 4


@dataclass
class Server:
    """One model at one address, and what its answers have taught us; shared by all clients of a process."""

    base_url: str
    model: str
    api_key: str = field(default="", repr=False)
    holds_schemas: bool = True
    """It holds answers to a JSON schema: believed until an answer shows otherwise."""
    thinks_first: bool = False
    """Its answers begin with reasoning: a label question showed it."""
    opening: list[int] = field(default_factory=list)
    """Tokens that open the answer behind the reasoning, once they are known."""

    def refuses_schemas(self, message: str) -> bool:
        """Whether a refusal is about the schema; from then on none is sent."""
        if is_too_long(message) or not _SCHEMA_REFUSED.search(message):
            return False
        self.schemas_do_not_hold("refuses JSON schemas")
        return True

    def schemas_do_not_hold(self, what: str) -> None:
        """From now on the schema is written into the prompt, and answers are checked here as always."""
        if self.holds_schemas:
            self.holds_schemas = False
            progress.note(f"the language model server {what}: they are written into the prompt, answers are checked")


_known: dict[tuple[str, str], Server] = {}
_lock = threading.Lock()


def server_of(base_url: str, model: str, api_key: str) -> Server:
    """The one object for an address and a model."""
    with _lock:
        known = _known.setdefault((base_url, model), Server(base_url, model))
        known.api_key = api_key
        return known


def improve(draft: Draft, answer: Completion, server: Server, sent_with_grammar: bool) -> str:
    """What makes an answer worth asking again, the draft being changed for that; empty when it is to be kept.

    An empty answer is asked again with another seed, and with twice the room when reasoning took it all.
    Where that was a label question, later ones have their answer begun for them (``chat_begun``).
    A structured answer that was cut off gets twice the room, once. One that does not fit its schema gets
    one more draw; after that the parser that reads it has the last word.
    """
    cut = answer.finish_reason == "length"
    if not answer.text:
        server.thinks_first |= cut and bool(draft.request.top_logprobs)
        draft.draw += 1
        draft.room = min(draft.room * 2, _MOST_ROOM) if cut else draft.room
        return "reasoning took all the tokens" if cut else "the content was null or empty"
    schema = draft.request.json_schema
    if schema is None:
        return ""
    flaw = answer_problem(answer.text, schema)
    if flaw and cut and draft.room == 1:
        draft.room = 2
        return "cut off"
    if not flaw or cut:
        return ""
    if sent_with_grammar:
        server.schemas_do_not_hold("ignores JSON schemas")
    draft.draw += 1
    return flaw if draft.draw == 1 else ""


async def shorten_draft(draft: Draft, message: str, server: Server) -> bool:
    """Cut what may be cut of a prompt that was refused for its length; False when nothing helps."""
    whole = draft.request.may_shorten
    stretch = whole if draft.stretch is None else draft.stretch
    if not stretch or not is_too_long(message) or whole not in draft.request.messages[-1]["content"]:
        return False
    lengths = await _counted(draft, server) or told_lengths(message)
    keep = characters_to_keep(len(stretch), draft.characters, lengths, draft.max_tokens)
    shorter = shorten(stretch, keep) if keep > 0 else ""
    if not shorter:
        return False
    draft.stretch = shorter
    return True


async def _counted(draft: Draft, server: Server) -> tuple[int, int] | None:
    """(prompt tokens, context tokens) as the server itself counts them; None where it does not tell."""
    asked = {"model": server.model, "messages": draft.messages}
    counted = await tokenized(server.base_url, server.api_key, asked)
    return (counted.count, counted.max_model_len) if counted else None
