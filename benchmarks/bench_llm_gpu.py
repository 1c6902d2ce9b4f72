"""Generation on a GPU: tokens per second by precision and batch, and predicted against used memory.

    python -m benchmarks.bench_llm_gpu --model Qwen/Qwen2.5-1.5B-Instruct

Prints a table last and writes ``benchmarks/results/llm_gpu.json``. Without a GPU it says so and ends with 0.
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import sys
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results" / "llm_gpu.json"
PROMPT = "다음 문서를 읽고 사용자가 검색할 만한 질문을 하나 쓰세요. 셀 보호는 셀을 잠가 내용을 지킵니다. "
BATCHES = (1, 8, 64)
PRECISIONS = ("bf16", "int8", "int4")

Row = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure every precision at every batch size; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--model", default="packaged:qwen2.5-coder-1.5b-instruct", help="folder or hub id")
    parser.add_argument("--tokens", type=int, default=128, help="written per request (default 128)")
    options = parser.parse_args(arguments)

    import torch

    if not torch.cuda.is_available():
        print("There is no GPU here: nothing measured. Run this where torch.cuda.is_available() is true.")
        return 0
    rows = [row for precision in PRECISIONS for row in measure_precision(options.model, precision, options.tokens)]
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(report(options.model, rows), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(table(rows))
    return 0


def measure_precision(model_name: str, precision: str, tokens: int) -> list[Row]:
    """One row per batch size; the model is loaded once and freed at the end."""
    from kosparse.errors import KosparseError
    from kosparse.llm.loader import load_llm_model

    try:
        model, tokenizer = load_llm_model(model_name, device="cuda", quantization=precision, context=512, batch_size=64)
    except KosparseError as error:
        print(error.message, file=sys.stderr)
        return []
    rows = [measure_batch(model, tokenizer, model_name, precision, batch, tokens) for batch in BATCHES]
    del model
    release()
    return rows


def measure_batch(model: Any, tokenizer: Any, model_name: str, precision: str, batch: int, tokens: int) -> Row:
    """Speed of one batch after a warm-up, and its memory."""
    import torch

    from kosparse.llm.checkpoint import read_checkpoint
    from kosparse.llm.memory import need
    from kosparse.models import resolve

    inputs = tokenizer([PROMPT] * batch, return_tensors="pt", return_token_type_ids=False).to(model.device)
    length = inputs["input_ids"].shape[1]
    settings = {"do_sample": False, "pad_token_id": tokenizer.pad_token_id or tokenizer.eos_token_id}
    model.generate(**inputs, max_new_tokens=4, **settings)
    release()
    torch.cuda.reset_peak_memory_stats()
    torch.cuda.synchronize()
    started = time.perf_counter()
    # Every row writes to the end, so that tokens per second mean the same for all.
    model.generate(**inputs, max_new_tokens=tokens, min_new_tokens=tokens, **settings)
    torch.cuda.synchronize()
    seconds = time.perf_counter() - started
    predicted = need(read_checkpoint(str(resolve(model_name))), precision, length + tokens, batch)
    return row(precision, batch, batch * tokens / seconds, predicted.total, torch.cuda.max_memory_reserved())


def row(precision: str, batch: int, rate: float, predicted: int, used: int) -> Row:
    """One line of the table; the difference is of the predicted memory to the used, in percent."""
    return {
        "precision": precision,
        "batch": batch,
        "tokens_per_second": round(rate, 1),
        "predicted_gb": round(predicted / 1e9, 2),
        "used_gb": round(used / 1e9, 2),
        "difference_percent": round(100 * (predicted - used) / used, 1),
    }


def table(rows: Sequence[Row]) -> str:
    """The rows as text."""
    lines = [f"{'precision':>9}  {'batch':>5}  {'tokens/s':>9}  {'predicted':>9}  {'used':>9}  {'difference':>10}"]
    lines += [
        f"{item['precision']:>9}  {item['batch']:>5}  {item['tokens_per_second']:>9,.1f}  "
        f"{item['predicted_gb']:>6.2f} GB  {item['used_gb']:>6.2f} GB  {item['difference_percent']:>+9.1f}%"
        for item in rows
    ]
    return "\n".join(lines)


def report(model_name: str, rows: Sequence[Row]) -> dict[str, Any]:
    """What was measured, where and how."""
    import torch

    return {
        "command": f"python -m benchmarks.bench_llm_gpu --model {model_name}",
        "machine": {"gpu": torch.cuda.get_device_name(0), "processor": platform.machine()},
        "versions": {name: version(name) for name in ("torch", "transformers", "bitsandbytes")},
        "rows": list(rows),
    }


def release() -> None:
    """Give memory nobody uses back to the device."""
    import torch

    gc.collect()
    torch.cuda.empty_cache()


if __name__ == "__main__":
    sys.exit(main())
