"""What a vLLM server says about itself while it starts: the precision it runs at and the memory its weights take.

A server may replace the method that was asked for without an error; its log tells.
"""

from __future__ import annotations

import re

_ENGINE = re.compile(r"Initializing a V\d LLM engine.*", re.IGNORECASE)
_METHOD = re.compile(r"\bquantization=([\w-]+)")
_DTYPE = re.compile(r"\bdtype=torch\.(\w+)")
_WEIGHTS = re.compile(r"Model loading took ([\d.]+) GiB")
_DTYPES = {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16"}
_METHODS = {"mxfp4": "mxfp4", "gpt_oss_mxfp4": "mxfp4", "fp8": "fp8", "fbgemm_fp8": "fp8"}


def effective_precision(log: str) -> str:
    """Precision of the blocks' weights; empty when the log does not tell.

    >>> effective_precision("Initializing a V1 LLM engine with config: dtype=torch.bfloat16, quantization=None,")
    'bf16'
    """
    engine = _ENGINE.search(log)
    method = _METHOD.search(engine.group()) if engine else None
    if engine is None or method is None:
        return ""
    if method.group(1) == "None":
        dtype = _DTYPE.search(engine.group())
        return _DTYPES.get(dtype.group(1), dtype.group(1)) if dtype else ""
    # awq_marlin and gptq_marlin are the same weights under faster kernels.
    return _METHODS.get(method.group(1), method.group(1).removesuffix("_marlin"))


def is_as_asked(effective: str, asked: str) -> bool:
    """Whether what a server runs at is what was asked for; compressed-tensors holds int8, int4 and fp8 alike."""
    return effective == asked or (effective == "compressed-tensors" and asked in ("int8", "int4", "fp8"))


def weight_gigabytes(log: str) -> float:
    """Memory of the weights on one GPU in GB (10 ** 9 bytes); 0 when the log does not tell."""
    found = _WEIGHTS.search(log)
    return round(float(found.group(1)) * 2**30 / 1e9, 2) if found else 0.0
