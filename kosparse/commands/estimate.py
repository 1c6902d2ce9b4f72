"""``kosparse estimate``: what a run will ask, take and cost, before it starts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from kosparse.commands.step_settings import read_settings
from kosparse.config import GenerateQueriesConfig, IngestCorpusConfig, ServeLlmConfig, TrainSparseConfig
from kosparse.corpus.readers import Location, Reading, locate, read_corpus
from kosparse.corpus.text import normalise
from kosparse.llm.accounting import Prices
from kosparse.llm.estimate import Collection, estimate
from kosparse.records import Reject

_STARTING_SECONDS, _SECONDS_PER_PASSAGE = 300.0, 0.25
"""The steps beside the language model and the training, on two cores: starting their processes, and encoding. Of the
first run on the sample corpus (1,519 passages), rounded up."""
_STATE_BYTES_PER_PASSAGE = 250_000
"""Token states that training reads again and again, in ``KOSPARSE_CACHE``; of the same run."""


def run(corpus: str, config: str, changes: Sequence[str], tokens_per_second: float) -> None:
    """Print one line per step that asks the language model, their sum, and what the rest takes.

    Args:
        corpus: As for ``ingest_corpus``, on this machine.
        config: A JSON or YAML file of step -> key -> value, such as a run's ``arguments.json``; ``-`` is
            standard input, empty takes the defaults.
        changes: ``step.key=value`` on top.
        tokens_per_second: Written by the server for all requests together; 0 when unknown.

    Raises:
        InputError: There is no such corpus.
        ConfigError: Not such settings.
    """
    settings = read_settings(config, changes)
    ingest = IngestCorpusConfig.parse(settings.get("ingest_corpus", {}), step="ingest_corpus")
    collection = Collection.measure(_texts(corpus, ingest), ingest)
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
    _print_rest(collection, settings, sum(row.hours(tokens_per_second) for row in rows))
    if not tokens_per_second:
        print(
            "Hours are the steps' time budgets, the most they take; --tokens-per-second tells how fast the server is."
        )
    if prices == Prices():
        print("No prices are set: LLM_PRICE_INPUT and LLM_PRICE_OUTPUT, per million tokens.")
    print("Answers in the cache cost nothing and are not taken off here.")


def _print_rest(collection: Collection, settings: dict[str, dict[str, Any]], asking: float) -> None:
    """Time, memory and disk of everything."""
    train = TrainSparseConfig.parse(settings.get("train_sparse", {}), step="train_sparse")
    encoding = (_STARTING_SECONDS + collection.passages * _SECONDS_PER_PASSAGE) / 3600
    training = train.max_seconds / 3600
    print(
        f"time    {asking + encoding + training:.1f} hours: language model {asking:.1f}, "
        f"training at most {training:.1f}, all else about {encoding:.1f} on two cores"
    )
    print(f"memory  {_language_model_memory(settings)}")
    print(f"disk    {collection.passages * _STATE_BYTES_PER_PASSAGE / 1e9:.1f} GB of token states in KOSPARSE_CACHE")


def _language_model_memory(settings: dict[str, dict[str, Any]]) -> str:
    from kosparse.llm.checkpoint import read_checkpoint
    from kosparse.llm.memory import need
    from kosparse.models import PREFIX, find

    served = ServeLlmConfig.parse(settings.get("serve_llm", {}), step="serve_llm")
    name = served.model
    if name.startswith(PREFIX):
        if not find(name).is_ready:
            return f"of {name} is known once it is fetched: kosparse models {name.removeprefix(PREFIX)}"
        name = str(find(name).folder)
    total = need(read_checkpoint(name), served.quantization, served.max_model_length, _concurrency(settings)).total
    shape = f"{served.quantization}, {_concurrency(settings)} requests of {served.max_model_length:,} tokens at once"
    return f"{total / 1e9:.1f} GB for {Path(name).name} ({shape}); which card that fits: kosparse check-gpu"


def _concurrency(settings: dict[str, dict[str, Any]]) -> int:
    return int(settings.get("generate_queries", {}).get("concurrency", GenerateQueriesConfig().concurrency))


def _line(step: str, calls: int, prompt: int, written: int, hours: float, money: float) -> None:
    print(f"{step:24}{calls:>10,}{prompt:>14,}{written:>12,}{hours:>9.2f}{money:>10.2f}")


def _texts(corpus: str, ingest: IngestCorpusConfig) -> Iterator[str]:
    count = 0
    for _, row in read_corpus(locate(Location(Path(corpus), corpus)).corpus, ingest.columns, Reading()):
        if isinstance(row, Reject) or not isinstance(row.get("text"), str):
            continue  # ingest_corpus counts these
        if ingest.max_documents and count >= ingest.max_documents:
            return
        count += 1
        yield normalise(row["text"])
