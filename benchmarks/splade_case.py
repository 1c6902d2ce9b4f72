"""One SPLADE model with random weights, the same for everything that is compared; each case in a process of its own."""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

Row = dict[str, Any]

LAYERS, HIDDEN, HEADS, FEED_FORWARD = 6, 384, 12, 1536
"""Of the backbone: half of multilingual-e5-small."""
BACKBONE = f"backbone: BERT with random weights, {LAYERS} layers of width {HIDDEN}, output tied to the input embeddings"


def make_encoder(vocabulary: int, length: int) -> Any:
    """A plain sentence-transformers ``SparseEncoder``: masked language model and max pooling; deterministic."""
    import torch
    from sentence_transformers import SparseEncoder
    from sentence_transformers.base.modules import Transformer
    from sentence_transformers.sparse_encoder.modules import SpladePooling
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import BertConfig, BertForMaskedLM, PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({word(number): number for number in range(vocabulary)}, unk_token=word(0)))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, unk_token=word(0), pad_token=word(1), model_max_length=length
    )
    torch.manual_seed(13)
    config = BertConfig(
        vocab_size=vocabulary,
        hidden_size=HIDDEN,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        intermediate_size=FEED_FORWARD,
        pad_token_id=1,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    with tempfile.TemporaryDirectory() as folder:
        BertForMaskedLM(config).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        transformer = Transformer(folder, transformer_task="fill-mask", max_seq_length=length)
    pooling = SpladePooling(pooling_strategy="max", activation_function="log1p_relu")
    return SparseEncoder(modules=[transformer, pooling], device="cpu")


def word(number: int) -> str:
    """The word of a vocabulary id."""
    return f"w{number}"


def texts(count: int, vocabulary: int, lengths: np.ndarray) -> list[str]:
    """Texts of drawn words, as long as ``lengths`` says in turn."""
    random = np.random.default_rng(13)
    sizes = np.resize(lengths, count)
    return [" ".join(word(number) for number in random.integers(2, vocabulary, size)) for size in sizes]


def measured(
    module: str,
    about: str,
    measure: Callable[..., Row],
    cases: Mapping[int, Sequence[Row]],
    beside: Callable[[list[Row]], list[Row]],
) -> list[Row]:
    """Rows of a benchmark's cases by its command line; a process that is to measure one case prints it and ends here.

    Args:
        module: The benchmark, as ``python -m`` takes it.
        about: Its docstring.
        measure: Called with a case.
        cases: Vocabulary -> the cases that are compared with each other.
        beside: Adds to the rows of one vocabulary what they are beside each other.
    """
    parser = argparse.ArgumentParser(description=about.split("\n", 1)[0])
    parser.add_argument("--case", type=json.loads, help="one case, as JSON")
    parser.add_argument("--vocabularies", type=int, nargs="+", choices=list(cases), default=list(cases))
    options = parser.parse_args()
    if options.case:
        print(json.dumps(measure(**options.case)))
        sys.exit()
    chosen = [compared for vocabulary, compared in cases.items() if vocabulary in options.vocabularies]
    return [row for compared in chosen for row in beside([_run_alone(module, case) for case in compared])]


def _run_alone(module: str, case: Row) -> Row:
    """Measure one case in a process of its own: its peak memory is nobody else's."""
    command = [sys.executable, "-m", module, "--case", json.dumps(case)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{case}: ended with {done.returncode}\n{done.stderr[-2000:]}")
    found: Row = json.loads(done.stdout.splitlines()[-1])
    print(found, file=sys.stderr)
    return found


class Memory:
    """Memory beyond what the process held at the start of the block.

    Attributes:
        peak_gb: The most that was held beyond it, in GB; set when the block ends.
    """

    peak_gb = 0.0

    def __enter__(self) -> Memory:
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")  # The kernel forgets the peak so far.
        self._before = _status("VmRSS")
        return self

    def __exit__(self, *_: object) -> None:
        self.peak_gb = (_status("VmHWM") - self._before) / 1e6


def _status(name: str) -> int:
    """A line of the process's status, in kB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1])
