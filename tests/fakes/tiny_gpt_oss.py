"""A random gpt-oss, in bf16 and in the MXFP4 layout it is published in, with a tokenizer of its vocabulary size.

The special tokens sit at the published ids; the text tokens are bytes and fillers. The chat template follows
the Harmony format: channels ``analysis`` and ``final``, reasoning effort in the system message.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

VOCABULARY = 201_088
SPECIAL = {
    "<|startoftext|>": 199998,
    "<|endoftext|>": 199999,
    "<|return|>": 200002,
    "<|constrain|>": 200003,
    "<|channel|>": 200005,
    "<|start|>": 200006,
    "<|end|>": 200007,
    "<|message|>": 200008,
    "<|call|>": 200012,
    "<|endofprompt|>": 200018,
}
EXPERTS, HIDDEN, INTERMEDIATE, LAYERS = 4, 64, 512, 2
CHAT_TEMPLATE = (
    "<|start|>system<|message|>You are a language model.\n\nReasoning: {{ reasoning_effort or 'medium' }}\n\n"
    "# Valid channels: analysis, final.<|end|>"
    "{% for m in messages %}"
    "{% if m['role'] in ['system', 'developer'] %}"
    "<|start|>developer<|message|># Instructions\n\n{{ m['content'] }}<|end|>"
    "{% else %}<|start|>{{ m['role'] }}<|message|>{{ m['content'] }}<|end|>{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant{% endif %}"
)
_FP4 = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, -0.0, -0.5, -1.0, -1.5, -2.0, -3.0, -4.0, -6.0)
"""The sixteen values of E2M1, by their four bits."""
_SCALE = 120
"""Exponent byte of every block: 2 ** (120 - 127)."""


def save_tiny_gpt_oss(folder: Path, *, mxfp4: bool) -> Path:
    """Write config, weights and tokenizer; both layouts hold the same numbers."""
    from safetensors.torch import save_file

    model = _model()
    packed = _experts()
    state = {name: value.contiguous() for name, value in model.state_dict().items() if value.device.type != "meta"}
    for name, (blocks, scales) in packed.items():
        if mxfp4:
            del state[name]
            state[f"{name}_blocks"], state[f"{name}_scales"] = blocks, scales
        else:
            state[name] = _unpacked(blocks)
    folder.mkdir(parents=True, exist_ok=True)
    _save_tokenizer(folder)
    model.config.architectures = ["GptOssForCausalLM"]
    model.config.save_pretrained(folder)
    model.generation_config.save_pretrained(folder)
    if mxfp4:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        config["quantization_config"] = {
            "quant_method": "mxfp4",
            "modules_to_not_convert": [
                "model.layers.*.self_attn",
                "model.layers.*.mlp.router",
                "model.embed_tokens",
                "lm_head",
            ],
        }
        (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def _model() -> Any:
    import torch
    from transformers import GenerationConfig, GptOssConfig, GptOssForCausalLM

    torch.manual_seed(0)
    config = GptOssConfig(
        num_hidden_layers=LAYERS,
        num_local_experts=EXPERTS,
        num_experts_per_tok=2,
        vocab_size=VOCABULARY,
        hidden_size=HIDDEN,
        intermediate_size=INTERMEDIATE,
        head_dim=64,
        num_attention_heads=2,
        num_key_value_heads=1,
        sliding_window=128,
        max_position_embeddings=4096,
        initializer_range=0.2,
        bos_token_id=SPECIAL["<|startoftext|>"],
        eos_token_id=SPECIAL["<|return|>"],
        pad_token_id=SPECIAL["<|endoftext|>"],
        dtype="bfloat16",
    )
    model = GptOssForCausalLM(config).to(torch.bfloat16)
    model.generation_config = GenerationConfig(
        eos_token_id=[SPECIAL["<|return|>"], SPECIAL["<|endoftext|>"], SPECIAL["<|call|>"]],
        pad_token_id=SPECIAL["<|endoftext|>"],
        bos_token_id=SPECIAL["<|startoftext|>"],
    )
    return model


def _experts() -> dict[str, tuple[Any, Any]]:
    """Name -> blocks ``[experts, rows, columns / 32, 16]`` and scales ``[experts, rows, columns / 32]``, uint8."""
    import torch

    generator = torch.Generator().manual_seed(1)
    shapes = {"gate_up_proj": (2 * INTERMEDIATE, HIDDEN), "down_proj": (HIDDEN, INTERMEDIATE)}
    found = {}
    for layer in range(LAYERS):
        for name, (rows, columns) in shapes.items():
            size = (EXPERTS, rows, columns // 32)
            blocks = torch.randint(0, 256, (*size, 16), generator=generator, dtype=torch.uint8)
            scales = torch.full(size, _SCALE, dtype=torch.uint8)
            found[f"model.layers.{layer}.mlp.experts.{name}"] = (blocks, scales)
    return found


def _unpacked(blocks: Any) -> Any:
    """The blocks' numbers as bf16 ``[experts, columns, rows]``: low four bits first."""
    import torch

    values = torch.tensor(_FP4, dtype=torch.float32)
    pairs = torch.stack([values[(blocks & 15).long()], values[(blocks >> 4).long()]], dim=-1)
    matrix = pairs.reshape(*blocks.shape[:2], -1) * 2.0 ** (_SCALE - 127)
    return matrix.transpose(1, 2).contiguous().to(torch.bfloat16)


def _save_tokenizer(folder: Path) -> None:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    names = {number: token for token, number in SPECIAL.items()}
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {
        names.get(number) or (alphabet[number] if number < len(alphabet) else f"w{number}"): number
        for number in range(VOCABULARY)
    }
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<|startoftext|>",
        eos_token="<|return|>",
        pad_token="<|endoftext|>",
    )
    fast.add_special_tokens({"additional_special_tokens": list(SPECIAL)})
    fast.chat_template = CHAT_TEMPLATE
    fast.save_pretrained(folder)
