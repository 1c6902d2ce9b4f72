"""What a checkpoint says of itself before any weight is read."""

import json

import pytest

from kosparse.errors import InputError
from kosparse.llm.checkpoint import published_precision, read_checkpoint, stored_bytes
from tests.fakes.tiny_gpt_oss import EXPERTS, HIDDEN, INTERMEDIATE, LAYERS, VOCABULARY


def test_a_dense_model_is_counted(tiny_llm):
    from safetensors.torch import load_file

    tensors = load_file(tiny_llm / "model.safetensors").values()
    found = read_checkpoint(str(tiny_llm))

    assert found.weights == sum(tensor.numel() for tensor in tensors)
    assert found.stored_bytes == sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    assert (found.precision, found.quantized, found.experts) == ("fp32", False, 0)
    assert (found.layers, found.kv_heads, found.head_dim, found.context) == (2, 2, 16, 512)


def test_packed_experts_are_counted_unpacked(tiny_gpt_oss):
    packed, plain = read_checkpoint(str(tiny_gpt_oss("mxfp4"))), read_checkpoint(str(tiny_gpt_oss("bf16")))

    assert packed.experts == plain.experts == LAYERS * EXPERTS * 3 * HIDDEN * INTERMEDIATE
    assert (packed.precision, packed.quantized) == ("mxfp4", True)
    assert (plain.precision, plain.quantized) == ("bf16", False)
    assert packed.kept > 2 * VOCABULARY * HIDDEN  # embeddings and head
    assert packed.stored_bytes < plain.stored_bytes
    assert (packed.window, packed.sliding_layers, packed.layers) == (128, 1, 2)


def test_known_models_need_no_network_nor_torch():
    assert published_precision("openai/gpt-oss-20b") == published_precision("gpt-oss-20b") == "mxfp4"
    assert published_precision("someone/else") == ""


@pytest.mark.parametrize(
    ("settings", "precision"),
    [
        ({"quant_method": "awq", "bits": 4}, "awq"),
        ({"quant_method": "gptq", "bits": 4}, "gptq"),
        ({"quant_method": "fp8"}, "fp8"),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "int4"),
        ({"quant_method": "bitsandbytes", "load_in_8bit": True}, "int8"),
        (
            {
                "quant_method": "compressed-tensors",
                "config_groups": {"group_0": {"weights": {"num_bits": 8, "type": "int"}}},
            },
            "int8",
        ),
    ],
)
def test_a_packed_checkpoint_says_how(tiny_llm, tmp_path, settings, precision):
    config = json.loads((tiny_llm / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "quantization_config": settings}))

    found = read_checkpoint(str(tmp_path))
    assert (found.precision, found.quantized, found.stored_bytes) == (precision, True, 0)


@pytest.mark.parametrize("content", [b"", b"\xff" * 16, b"\x02\x00\x00\x00\x00\x00\x00\x00[}"])
def test_a_broken_weight_file_is_named(tmp_path, content):
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(InputError, match="not a safetensors file"):
        stored_bytes(tmp_path)


def test_a_missing_weight_file_is_named(tmp_path):
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(InputError, match="2 of 2 weight files are missing, model-1"):
        stored_bytes(tmp_path)


def test_a_folder_without_a_config_is_named(tmp_path):
    with pytest.raises(InputError, match="cannot load the language model") as error:
        read_checkpoint(str(tmp_path))
    assert str(tmp_path) in error.value.where
