"""A chat model in this process, through transformers: where no server can run, and in notebooks."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from kosparse.ports import ChatRequest, never
from kosparse.records import Completion, Reject


class TransformersChat:
    """Answers requests in batches of equal sampling settings, left-padded.

    There is no grammar here: a JSON schema is left to the prompt, and the parser rejects what does
    not fit.

    Args:
        model: A causal language model, loaded.
        tokenizer: Its tokenizer. Without a chat template a plain completion prompt is built.
        name: Recorded in provenance; by default the model's own.
        batch_size: Requests answered at once.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        name: str = "",
        revision: str = "",
        quantization: str = "",
        batch_size: int = 8,
    ) -> None:
        self._model, self._tokenizer, self._batch_size = model, _for_batches(tokenizer), batch_size
        self.model = name or str(getattr(model.config, "_name_or_path", "") or type(model).__name__)
        self.revision, self.quantization = revision, quantization or str(model.dtype).removeprefix("torch.")

    def complete(
        self, requests: Sequence[ChatRequest], *, stop: Callable[[], bool] = never
    ) -> Iterator[tuple[int, Completion | Reject]]:
        """See ``ports.ChatModel.complete``; ``stop`` is asked between batches."""
        for positions in self._batches(requests):
            if stop():
                return
            answers = self._answer([requests[position] for position in positions])
            yield from zip(positions, answers, strict=True)

    def _batches(self, requests: Sequence[ChatRequest]) -> Iterator[list[int]]:
        """Positions in batches that share their sampling settings, in order."""
        groups: dict[tuple[Any, ...], list[int]] = {}
        for position, request in enumerate(requests):
            groups.setdefault(_settings(request), []).append(position)
        for group in groups.values():
            yield from (group[start : start + self._batch_size] for start in range(0, len(group), self._batch_size))

    def _answer(self, requests: Sequence[ChatRequest]) -> list[Completion]:
        first = requests[0]
        inputs = self._tokenizer(
            [chat_text(self._tokenizer, request.messages) for request in requests],
            return_tensors="pt",
            padding=True,
            add_special_tokens=False,
        ).to(self._model.device)
        sampling: dict[str, Any] = {"do_sample": False}
        if first.temperature > 0:
            torch.manual_seed(first.seed + first.sample)
            sampling = {"do_sample": True, "temperature": first.temperature, "top_p": first.top_p}
        with torch.inference_mode():
            out = self._model.generate(
                **inputs,
                max_new_tokens=first.max_tokens,
                pad_token_id=self._tokenizer.pad_token_id,
                return_dict_in_generate=True,
                output_scores=first.top_logprobs > 0,
                **sampling,
            )
        length = inputs["input_ids"].shape[1]
        return [
            self._completion(out, row, length, int(inputs["attention_mask"][row].sum()), first)
            for row in range(len(requests))
        ]

    def _completion(self, out: Any, row: int, length: int, prompt_tokens: int, request: ChatRequest) -> Completion:
        generated = out.sequences[row, length:]
        kept = generated[generated != self._tokenizer.pad_token_id]
        logprobs = {}
        if request.top_logprobs:
            best = torch.log_softmax(out.scores[0][row].float(), dim=-1).topk(request.top_logprobs)
            logprobs = {
                self._tokenizer.decode([token]): value
                for token, value in zip(best.indices.tolist(), best.values.tolist(), strict=True)
            }
        return Completion(
            text=self._tokenizer.decode(kept, skip_special_tokens=True),
            finish_reason="length" if len(kept) >= request.max_tokens else "stop",
            prompt_tokens=prompt_tokens,
            completion_tokens=len(kept),
            first_token_logprobs=logprobs,
        )


def chat_text(tokenizer: Any, messages: Sequence[dict[str, str]]) -> str:
    """The prompt as one text: by the tokenizer's chat template, else role names and line breaks."""
    if getattr(tokenizer, "chat_template", None):
        text: str = tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=True)
        return text
    lines = [f"{message['role']}: {message['content']}" for message in messages]
    return "\n\n".join([*lines, "assistant:"])


def _for_batches(tokenizer: Any) -> Any:
    """A copy that pads on the left, so that a batch gives the same text as one by one."""
    tokenizer = copy.deepcopy(tokenizer)
    tokenizer.padding_side = "left"
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def _settings(request: ChatRequest) -> tuple[Any, ...]:
    settings = (request.max_tokens, request.temperature, request.top_p, request.seed, request.sample)
    return (*settings, request.top_logprobs)
