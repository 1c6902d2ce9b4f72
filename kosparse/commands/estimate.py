"""``kosparse estimate``: what a run will ask, take and cost, before it starts."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from kosparse.commands.hardware import Hardware, this_machine
from kosparse.commands.step_settings import read_settings
from kosparse.config import (
    BuildTrainingSetConfig,
    GenerateQueriesConfig,
    IngestCorpusConfig,
    PrepareBackboneConfig,
    ServeLlmConfig,
    TrainSparseConfig,
)
from kosparse.corpus.readers import Location, Reading, locate, read_corpus
from kosparse.corpus.text import normalise
from kosparse.llm.accounting import Prices
from kosparse.llm.estimate import Collection, estimate
from kosparse.llm.memory import DeviceMemory
from kosparse.records import Reject
from kosparse.settings import settings as current_settings
from kosparse.steps.inputs import bring

_STARTING_SECONDS, _SECONDS_PER_PASSAGE, _MEASURED_CORES, _MOST_CORES = 300.0, 0.25, 2, 8
"""The steps beside the language model and the training, on two cores: starting their processes, and encoding. Of the
first run on the sample corpus (1,519 passages), rounded up; encoding is taken to gain from up to eight cores."""
_STEP_BYTES = 3_000_000_000
"""Memory of training beside the passages: encoder, gradients and AdamW's moments (118 million weights of four bytes,
four times), and a gigabyte for the fused head (``make bench-train``)."""
_BYTES_PER_PASSAGE, _BYTES_PER_CHARACTER = 4_200, 8
"""Memory of ``evaluate``, which holds the most: passage and document as Python holds them (700 bytes and two a
character, each), the dense vector (384 floats), the sparse one (150 dimensions of eight bytes), and BM25's counts (a
morpheme in three characters, twelve bytes each)."""
_UNITS_PER_ROOT_CHARACTER = 8.5
"""Distinct morphemes grow with the square root of the characters (Heaps' law): 8.2 to 8.9 on parts of the sample."""
_MATCH_BYTES = 2
"""Of a passage and a dimension, which training the head holds."""
_STATE_BYTES_PER_PASSAGE = 250_000
"""Token states that training reads again and again, in ``KOSPARSE_CACHE``; of the same run."""


def run(corpus: str, config: str, changes: Sequence[str], tokens_per_second: float) -> None:
    """Print one line per step that asks the language model, their sum, and what the rest takes.

    Args:
        corpus: As for ``ingest_corpus``.
        config: A JSON or YAML file of step -> key -> value, such as a run's ``arguments.json``; ``-`` is
            standard input, empty takes the defaults.
        changes: ``step.key=value`` on top.
        tokens_per_second: Written by the server for all requests together; 0 when unknown.

    Raises:
        InputError: There is no such corpus.
        ConfigError: Not such settings.
        ServiceError: The corpus is in an object store that cannot be reached.
    """
    settings = read_settings(config, changes)
    ingest = IngestCorpusConfig.parse(settings.get("ingest_corpus", {}), step="ingest_corpus")
    with tempfile.TemporaryDirectory(prefix="kosparse-corpus-") as folder:
        collection = Collection.measure(_texts(bring(corpus, Path(folder)), ingest), ingest)
    prices, rows = Prices.from_settings(), estimate(collection, settings)
    print(f"{collection.documents:,} documents, about {collection.passages:,} passages")
    print(f"{'step':24}{'calls':>10}{'tokens in':>14}{'tokens out':>12}{'hours':>9}{'money':>10}")
    for row in rows:
        _line(
            row.step,
            row.calls,
            row.prompt_tokens,
            row.completion_tokens,
            row.hours(tokens_per_second),
            row.cost(prices),
        )
    _line(
        "all",
        sum(row.calls for row in rows),
        sum(row.prompt_tokens for row in rows),
        sum(row.completion_tokens for row in rows),
        sum(row.hours(tokens_per_second) for row in rows),
        sum(row.cost(prices) for row in rows),
    )
    _print_rest(collection, settings, sum(row.hours(tokens_per_second) for row in rows), this_machine())
    if not tokens_per_second:
        print(
            "Hours are the steps' time budgets, the most they take; --tokens-per-second tells how fast the server is."
        )
    if prices == Prices():
        print("No prices are set: LLM_PRICE_INPUT and LLM_PRICE_OUTPUT, per million tokens.")
    print("Answers in the cache cost nothing and are not taken off here.")


def _print_rest(collection: Collection, settings: dict[str, dict[str, Any]], asking: float, machine: Hardware) -> None:
    """Time, memory and disk of everything, on this machine."""
    train = TrainSparseConfig.parse(settings.get("train_sparse", {}), step="train_sparse")
    slower = _MEASURED_CORES / min(machine.cores, _MOST_CORES)
    encoding = (_STARTING_SECONDS + collection.passages * _SECONDS_PER_PASSAGE) * slower / 3600
    training = train.max_seconds / 3600
    print(f"machine {machine}")
    print(
        f"time    {asking + encoding + training:.1f} hours: language model {asking:.1f}, "
        f"training at most {training:.1f}, all else about {encoding:.1f} "
        f"on {machine.counted_cores}{', less by the GPU' if machine.gpus else ''}"
    )
    print(f"memory  {_language_model_memory(settings, machine)}")
    print(f"memory  {_step_memory(collection, settings, machine)}")
    states = _ranked(collection, settings) * _STATE_BYTES_PER_PASSAGE
    print(f"disk    {states / 1e9:.1f} GB of token states in KOSPARSE_CACHE")


def _step_memory(collection: Collection, settings: dict[str, dict[str, Any]], machine: Hardware) -> str:
    """Of the steps after ``ingest_corpus``: those that hold all passages, or the training of the head."""
    held = collection.passages * (_BYTES_PER_PASSAGE + _BYTES_PER_CHARACTER * collection.passage_characters)
    ranked, units = _ranked(collection, settings), _units(collection, settings)
    matches = ranked * units * _MATCH_BYTES
    total = int(_STEP_BYTES + max(held, matches))
    told = f"about {total / 1e9:.1f} GB for the other steps: {held / 1e9:.1f} for passages in evaluate"
    if matches:
        told += f", {matches / 1e9:.1f} for {ranked:,} passages times about {units:,} words in train_sparse"
    return f"{told}; {_fits(total, machine.memory)}"


def _ranked(collection: Collection, settings: dict[str, dict[str, Any]]) -> int:
    """Passages that are trained on."""
    most = BuildTrainingSetConfig.parse(settings.get("build_training_set", {}), step="build_training_set").max_passages
    return min(most or collection.passages, collection.passages)


def _units(collection: Collection, settings: dict[str, dict[str, Any]]) -> int:
    """Dimensions of which the training of a head holds a number for each passage; 0 where none is held."""
    backbone = PrepareBackboneConfig.parse(settings.get("prepare_backbone", {}), step="prepare_backbone")
    train = TrainSparseConfig.parse(settings.get("train_sparse", {}), step="train_sparse")
    if backbone.units == "pieces" or train.train == "all":
        return 0
    grown = _UNITS_PER_ROOT_CHARACTER * math.sqrt(collection.passages * collection.passage_characters)
    return min(backbone.max_units, round(grown))


def _fits(total: int, device: DeviceMemory) -> str:
    fits = "fits" if total <= device.free else "does NOT fit"
    return f"{fits} into the {device.free / 1e9:.1f} GB free on {device.device}"


def _language_model_memory(settings: dict[str, dict[str, Any]], machine: Hardware) -> str:
    from kosparse.llm.checkpoint import read_checkpoint
    from kosparse.llm.memory import most_concurrent, need
    from kosparse.models import PREFIX, find

    served = ServeLlmConfig.parse(settings.get("serve_llm", {}), step="serve_llm")
    name = served.model
    if name.startswith(PREFIX):
        if not find(name).is_ready:
            return f"of {name} is known once it is fetched: kosparse models {name.removeprefix(PREFIX)}"
        name = str(find(name).folder)
    checkpoint, length, together = read_checkpoint(name), served.max_model_length, _concurrency(settings)
    total = need(checkpoint, served.quantization, length, together).total
    shape = f"{served.quantization}, {together} requests of {length:,} tokens at once"
    told = f"{total / 1e9:.1f} GB for {Path(name).name} ({shape})"
    if current_settings().llm_base_url:
        return f"{told}, where LLM_BASE_URL serves it"
    device = machine.roomiest
    fewer = most_concurrent(checkpoint, served.quantization, length, device.free)
    hint = f"; {fewer} requests at once would" if 0 < fewer < together else ""
    return f"{told}: {_fits(total, device)}{hint}; other precisions and cards: kosparse check-gpu"


def _concurrency(settings: dict[str, dict[str, Any]]) -> int:
    return int(settings.get("generate_queries", {}).get("concurrency", GenerateQueriesConfig().concurrency))


def _line(step: str, calls: int, prompt: int, written: int, hours: float, money: float) -> None:
    print(f"{step:24}{calls:>10,}{prompt:>14,}{written:>12,}{hours:>9.2f}{money:>10.2f}")


def _texts(corpus: Location, ingest: IngestCorpusConfig) -> Iterator[str]:
    count = 0
    for _, row in read_corpus(locate(corpus).corpus, ingest.columns, Reading()):
        if isinstance(row, Reject) or not isinstance(row.get("text"), str):
            continue  # ingest_corpus counts these
        if ingest.max_documents and count >= ingest.max_documents:
            return
        count += 1
        yield normalise(row["text"])
