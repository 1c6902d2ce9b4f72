"""Memory counted before any weight is loaded."""

import pytest

from kosparse.errors import InputError
from kosparse.llm.memory import check_gpu_memory, needed_bytes, weight_count


def test_this_machine_is_among_the_devices():
    cpu = check_gpu_memory()[-1]
    assert cpu.device == "cpu" and 0 < cpu.free <= cpu.total


def test_weights_are_counted_from_the_headers_alone(tiny_llm):
    import torch
    from safetensors.torch import load_file

    tensors = load_file(tiny_llm / "model.safetensors")
    assert weight_count(tiny_llm) == sum(torch.numel(tensor) for tensor in tensors.values())


@pytest.mark.parametrize(("precision", "gigabytes"), [("bf16", 44.0), ("int8", 23.1), ("int4", 13.2)])
def test_twenty_billion_weights_take_what_the_precision_says(precision, gigabytes):
    # 20e9 weights x 2.0, 1.05 or 0.6 bytes, and a tenth for activations.
    assert needed_bytes(20_000_000_000, precision) == pytest.approx(gigabytes * 1e9)


def test_the_kv_cache_counts_too():
    assert needed_bytes(0, "bf16", kv_cache_bytes=1000) == 1100


@pytest.mark.parametrize("content", [b"", b"\xff" * 16, b"\x02\x00\x00\x00\x00\x00\x00\x00[}"])
def test_a_broken_checkpoint_is_named(tmp_path, content):
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(InputError, match="not a safetensors file"):
        weight_count(tmp_path)


def test_a_folder_without_weights_is_named(tmp_path):
    with pytest.raises(InputError, match="no safetensors files"):
        weight_count(tmp_path)
