"""What a server's log tells of its precision."""

import pytest

from kosparse.llm.vllm_log import effective_precision, is_as_asked, weight_gigabytes

ENGINE = (
    "(EngineCore pid=7) INFO 11-22 23:17:27 [core.py:133] Initializing a V1 LLM engine (v0.32.0) with config: "
    "model='m', dtype=torch.bfloat16, max_seq_len=512, quantization={}, quantization_config=None, seed=0"
)
LOADED = "INFO [gpu_model_runner.py:5150] Model loading took 12.82 GiB memory and 9.1 seconds"


@pytest.mark.parametrize(
    ("method", "precision"),
    [
        ("None", "bf16"),
        ("mxfp4", "mxfp4"),
        ("gpt_oss_mxfp4", "mxfp4"),
        ("fp8", "fp8"),
        ("awq_marlin", "awq"),
        ("gptq", "gptq"),
    ],
)
def test_the_method_is_read_and_without_one_the_dtype(method, precision):
    assert effective_precision(f"starting\n{ENGINE.format(method)}\n{LOADED}") == precision


def test_a_log_that_does_not_tell_gives_nothing():
    assert effective_precision("WARNING something") == "" and weight_gigabytes("") == 0.0


def test_memory_of_the_weights_is_in_gigabytes():
    assert weight_gigabytes(f"{ENGINE}\n{LOADED}") == 13.77  # 12.82 x 1.0737


def test_compressed_tensors_may_hold_any_integer():
    assert is_as_asked("compressed-tensors", "int8") and is_as_asked("mxfp4", "mxfp4")
    assert not is_as_asked("bf16", "int8") and not is_as_asked("compressed-tensors", "bf16")
