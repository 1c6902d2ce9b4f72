"""A random two-layer Qwen2 with a byte-level tokenizer, saved as a checkpoint folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from kosparse.ports import ChatRequest
from kosparse.records import Completion

CHAT_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def save_tiny_llm(
    folder: Path, *, chat_template: bool = True, words: Sequence[str] = (), context: int = 512, heads: int = 4
) -> Path:
    """Write config, weights (about 60,000) and tokenizer; ``words`` are tokens of their own.

    vLLM answers on a processor only if there are two heads: it knows none of 16 dimensions.
    """
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(0)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate([*_SPECIAL, *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    fast.add_special_tokens({"additional_special_tokens": ["<|im_start|>"]})
    fast.add_tokens(list(words))
    if chat_template:
        fast.chat_template = CHAT_TEMPLATE
    fast.save_pretrained(folder)
    config = Qwen2Config(
        vocab_size=len(fast),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=heads,
        num_key_value_heads=heads // 2,
        max_position_embeddings=context,
        eos_token_id=2,
        pad_token_id=0,
        tie_word_embeddings=True,
    )
    Qwen2ForCausalLM(config).save_pretrained(folder)
    return folder


def speak(model: Any, tokenizer: Any, answer: Callable[[ChatRequest], str | Completion]) -> None:
    """Make a loaded model generate what ``answer`` says to the last user turn of a prompt.

    The probabilities of a Completion become logits of the words they belong to, so these must be tokens.
    """
    import torch

    def ids(text: str) -> list[int]:
        return list(tokenizer(text, add_special_tokens=False)["input_ids"])

    def places(prompt: str, judged: bool) -> list[dict[int, float]]:
        question = prompt.rsplit("<|im_start|>user\n", 1)[1].split("<|im_end|>")[0]
        said = answer(ChatRequest(({"role": "user", "content": question},), top_logprobs=20 if judged else 0))
        if isinstance(said, str):
            told = [{token: 0.0} for token in ids(said)]
        elif said.tokens:
            told = [each for token in said.tokens for each in _alternatives(token.text, token.logprobs)]
        else:
            told = _alternatives(said.text, said.first_token_logprobs)
        return [*told, {tokenizer.eos_token_id: 0.0}]

    def _alternatives(text: str, logprobs: dict[str, float]) -> list[dict[int, float]]:
        if len(logprobs) > 1:
            return [{ids(word)[0]: value for word, value in logprobs.items()}]
        return [{token: 0.0} for token in ids(text)]

    def generate(input_ids: Any, output_logits: bool, **_: Any) -> SimpleNamespace:
        rows = [places(tokenizer.decode(each), output_logits) for each in input_ids]
        logits = torch.full((max(map(len, rows)), len(rows), len(tokenizer)), -30.0)
        logits[:, :, tokenizer.eos_token_id] = -29.0
        for row, told in enumerate(rows):
            for place, words in enumerate(told):
                for token, value in words.items():
                    logits[place, row, token] = value
        written = logits.argmax(-1).T
        return SimpleNamespace(sequences=torch.cat([input_ids, written], dim=1), logits=tuple(logits))

    model.generate = generate
