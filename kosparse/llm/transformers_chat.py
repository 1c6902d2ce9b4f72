"""A chat model in this process, through transformers: where no server can run, and in notebooks."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from kosparse import progress
from kosparse.errors import ConfigError, ResourceError
from kosparse.llm import harmony
from kosparse.llm.memory import MemoryWatch
from kosparse.llm.quantization import measure
from kosparse.ports import ChatRequest, never
from kosparse.records import AnswerToken, Completion, Reject
from kosparse.settings import EFFORTS

_TURN = "\n\nuser:"
"""Where a model without a chat template begins to write the other side's part."""


class TransformersChat:
    """Answers requests in batches of equal sampling settings, left-padded.

    There is no grammar here: a JSON schema is left to the prompt, and the parser rejects what does
    not fit. A batch that does not fit into memory is halved, and stays so. The most memory held goes
    to the events file as one ``memory`` event.

    Args:
        model: A causal language model, loaded.
        tokenizer: Its tokenizer. Without a chat template a plain completion prompt is built.
        name: Recorded in provenance; by default the model's own.
        revision: Recorded likewise.
        batch_size: Requests answered at once.
        reasoning_effort: ``low``, ``medium`` or ``high``: for models that think first (gpt-oss).

    Raises:
        ConfigError: No such reasoning effort.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        name: str = "",
        revision: str = "",
        batch_size: int = 8,
        reasoning_effort: str = "low",
    ) -> None:
        if reasoning_effort not in EFFORTS:
            raise ConfigError(
                f"there is no reasoning effort {reasoning_effort!r}",
                where="reasoning_effort",
                fix=f"Choose of {', '.join(EFFORTS)}.",
            )
        self._model, self._tokenizer, self._batch_size = model, _for_batches(tokenizer), batch_size
        self._effort, self._harmony = reasoning_effort, harmony.speaks_harmony(tokenizer)
        self._ends = _end_tokens(model, tokenizer)
        self._watch = MemoryWatch(model.device)
        self.model = name or str(getattr(model.config, "_name_or_path", "") or type(model).__name__)
        self.revision, self.quantization = revision, measure(model).precision

    def complete(
        self, requests: Sequence[ChatRequest], *, stop: Callable[[], bool] = never
    ) -> Iterator[tuple[int, Completion | Reject]]:
        """See ``ports.ChatModel.complete``; ``stop`` is asked between batches."""
        fitting = []
        for position, request in enumerate(requests):
            text = self._prompt(request)
            reject = self._too_long(text, request)
            if reject:
                yield position, reject
            else:
                fitting.append((position, request, text))
        groups: dict[tuple[Any, ...], list[tuple[int, ChatRequest, str]]] = {}
        for item in fitting:
            groups.setdefault(_settings(item[1]), []).append(item)
        for group in groups.values():
            while group and not stop():
                batch = group[: self._batch_size]
                answers = self._answer([text for _, _, text in batch], batch[0][1])
                if answers is None:
                    continue  # the batch size has been halved
                del group[: len(batch)]
                yield from zip((position for position, _, _ in batch), answers, strict=True)
        self._watch.report()

    def _prompt(self, request: ChatRequest) -> str:
        messages: Sequence[dict[str, str]] = request.messages
        if self._harmony and request.json_schema is not None:
            messages = harmony.with_schema(messages, request.json_schema)
        text = chat_text(self._tokenizer, messages, self._effort)
        # Asked for the first token's probabilities, a model must not think first.
        return text + harmony.FINAL if self._harmony and request.top_logprobs else text

    def _too_long(self, text: str, request: ChatRequest) -> Reject | None:
        limit = int(getattr(self._model.config.get_text_config(), "max_position_embeddings", 0) or 0)
        tokens = len(self._encode([text])["input_ids"][0]) + request.max_tokens
        if not limit or tokens <= limit:
            return None
        detail = f"prompt and answer take {tokens:,} tokens, the model has {limit:,}"
        return Reject(stage="llm", reason="context_too_long", detail=detail)

    def _encode(self, texts: Sequence[str], **options: Any) -> Any:
        # A chat template writes the special tokens itself. GPT-NeoX models refuse token types.
        templated = has_template(self._tokenizer)
        return self._tokenizer(list(texts), add_special_tokens=not templated, return_token_type_ids=False, **options)

    def _answer(self, texts: Sequence[str], request: ChatRequest) -> list[Completion | Reject] | None:
        """One answer per prompt; None when the batch did not fit and the batch size is now half of it.

        Raises:
            ResourceError: Not even one request fits.
        """
        try:
            return self._generate(texts, request)
        except torch.OutOfMemoryError as error:
            if len(texts) == 1:
                raise ResourceError(
                    "one request alone does not fit into memory",
                    where=str(self._model.device),
                    fix="Shorten prompts or max_tokens, or load the model at fewer bits (`kosparse check-gpu`).",
                ) from error
        self._batch_size = len(texts) // 2
        progress.note(f"out of memory with {len(texts)} requests at once; going on with {self._batch_size}")
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return None

    def _generate(self, texts: Sequence[str], request: ChatRequest) -> list[Completion | Reject]:
        inputs = self._encode(texts, return_tensors="pt", padding=True).to(self._model.device)
        options: dict[str, Any] = {"do_sample": False}
        if request.temperature > 0:
            torch.manual_seed(request.seed + request.sample)
            options = {"do_sample": True, "temperature": request.temperature, "top_p": request.top_p}
        if not has_template(self._tokenizer):
            options |= {"stop_strings": [_TURN], "tokenizer": self._tokenizer}
        with torch.inference_mode():
            out = self._model.generate(
                **inputs,
                max_new_tokens=request.max_tokens,
                pad_token_id=self._tokenizer.pad_token_id,
                return_dict_in_generate=True,
                output_logits=request.top_logprobs > 0,
                **options,
            )
        self._watch.look()
        length = inputs["input_ids"].shape[1]
        prompts = inputs["attention_mask"].sum(dim=1).tolist()
        return [
            self._completion(
                out.sequences[row, length:].tolist(), self._alternatives(out, row, request), prompts[row], request
            )
            for row in range(len(texts))
        ]

    def _alternatives(self, out: Any, row: int, request: ChatRequest) -> list[dict[str, float]]:
        """The most likely tokens with their natural-log probabilities, before any sampling setting.

        Of the first place, or of every one, as the request asks.
        """
        if not request.top_logprobs:
            return []
        found = []
        for logits in out.logits if request.every_token else out.logits[:1]:
            best = torch.log_softmax(logits[row].float(), dim=-1).topk(request.top_logprobs)
            pairs = zip(best.indices.tolist(), best.values.tolist(), strict=True)
            found.append({self._tokenizer.decode([token]): value for token, value in pairs})
        return found

    def _completion(
        self, tokens: list[int], alternatives: list[dict[str, float]], prompt_tokens: int, request: ChatRequest
    ) -> Completion | Reject:
        end = next((position for position, token in enumerate(tokens) if token in self._ends), None)
        kept = tokens[:end]
        text = self._tokenizer.decode(kept, skip_special_tokens=not self._harmony)
        stopped = end is not None
        if self._harmony:
            answer = harmony.final_answer(harmony.FINAL + text if request.top_logprobs else text)
            if answer is None and not request.top_logprobs:
                detail = f"{len(kept)} tokens, none of them in the final channel"
                return Reject(stage="llm", reason="empty_answer", detail=detail)
            text = answer or ""
        elif not has_template(self._tokenizer) and _TURN in text:
            text, stopped = text.partition(_TURN)[0].strip(), True
        return Completion(
            text=text,
            finish_reason="stop" if stopped else "length",
            prompt_tokens=prompt_tokens,
            completion_tokens=len(kept),
            first_token_logprobs=alternatives[0] if alternatives else {},
            tokens=[
                AnswerToken(text=self._tokenizer.decode([token]), logprobs=told)
                for token, told in zip(kept, alternatives, strict=False)
                if request.every_token
            ],
        )


def has_template(tokenizer: Any) -> bool:
    """Whether the tokenizer turns messages into a prompt itself."""
    return bool(getattr(tokenizer, "chat_template", None))


def chat_text(tokenizer: Any, messages: Sequence[dict[str, str]], reasoning_effort: str = "low") -> str:
    """The prompt as one text: by the tokenizer's chat template, else role names and line breaks.

    A template that knows no system role (Gemma's) gets the system text at the head of the first question.
    """
    if not has_template(tokenizer):
        lines = [f"{message['role']}: {message['content']}" for message in messages]
        return "\n\n".join([*lines, "assistant:"])
    from jinja2 import TemplateError

    options = {"tokenize": False, "add_generation_prompt": True, "reasoning_effort": reasoning_effort}
    try:
        text: str = tokenizer.apply_chat_template(list(messages), **options)
    except TemplateError:
        text = tokenizer.apply_chat_template(_without_system(messages), **options)
    return text


def _without_system(messages: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    system = [message["content"] for message in messages if message["role"] == "system"]
    first, *rest = [message for message in messages if message["role"] != "system"]
    return [{**first, "content": "\n\n".join([*system, first["content"]])}, *rest]


def _end_tokens(model: Any, tokenizer: Any) -> frozenset[int]:
    """Ids after which nothing counts: the model's own ends, the tokenizer's, and padding."""
    ends = model.generation_config.eos_token_id
    ends = ends if isinstance(ends, list) else [ends]
    return frozenset(token for token in (*ends, tokenizer.eos_token_id, tokenizer.pad_token_id) if token is not None)


def _for_batches(tokenizer: Any) -> Any:
    """A copy that pads on the left, so that a batch gives the same text as one by one."""
    tokenizer = copy.deepcopy(tokenizer)
    tokenizer.padding_side = "left"
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def _settings(request: ChatRequest) -> tuple[Any, ...]:
    settings = (request.max_tokens, request.temperature, request.top_p, request.seed, request.sample)
    return (*settings, request.top_logprobs, request.every_token)
