"""Do the filters keep the good pairs, tell repetitions from neighbours, and stay quick and small?

    python -m benchmarks.bench_pairs [--judge] [--many 100000]

``--judge`` lets the language model of ``LLM_BASE_URL`` judge the survivors, too.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.pairs_scale import scale
from benchmarks.report import finish
from kosparse.adapters.embedder import open_embedder
from kosparse.config import FilterPairsConfig
from kosparse.corpus.libreoffice import fetch_sample
from kosparse.corpus.morphemes import content_morphemes_of
from kosparse.evaluation.significance import wilson
from kosparse.jsonl import read_lines, read_records
from kosparse.ports import ChatModel
from kosparse.records import Pair, Passage
from kosparse.settings import settings
from kosparse.steps import ingest_corpus
from kosparse.synonyms.calibrate import auroc
from kosparse.synthetic.filters import filter_synthetic_pairs
from kosparse.synthetic.near_duplicates import near_duplicates
from kosparse.synthetic.scores import COPIED, numbers

_LABELLED = Path(__file__).parent / "labelled"
_COSINES = (0.95, 0.96, 0.97, 0.98)
_TRIGRAMS = (0.4, 0.5, 0.6)
_FLOORS = (0.0, 2.0, 4.0, 5.0, 6.0, 7.0)
_TOGETHER = (1, 8)
"""Queries of a passage in one question to the judge."""
_SHARES = (0.67, 0.33)
"""Of the pairs judged: two ways of asking have odds of different size."""

Same = Callable[[str, str], bool]
Row = dict[str, Any]


def main() -> None:
    """Measure all of it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--judge", action="store_true")
    parser.add_argument("--many", type=int, default=100_000)
    options = parser.parse_args()
    passages = sample_passages()
    rows = filtering(passages, _model() if options.judge else None)
    if not options.judge:
        rows += [*repetitions(), *scale(list(passages.values()), options.many)]
    finish(
        "pairs_judge" if options.judge else "pairs",
        rows,
        command="make bench-pairs" + (" JUDGE=1" if options.judge else ""),
        notes=[
            "filters: pairs left after each, precision and recall of good ones among 216 labelled pairs "
            "(benchmarks/labelled). The rules of `leakage` and `form` were completed after reading these labels: their "
            "part is not an out-of-sample figure.",
            "memory: how much the filters added to a process that held the pairs and Kiwi already, and its highest; a "
            "larger collection is the sample's passages again with their sentences in another order, and the pairs are "
            "spread over all of it.",
            "throughput: random words of passages, which repeat each other more than written queries do.",
            "near-duplicates: on 70 labelled pairs of queries; trigrams: the Jaccard value that MinHash estimates.",
        ],
        packages=["kiwipiepy", "numpy"],
    )


def sample_passages() -> dict[str, Passage]:
    """The passages of the sample corpus, by id, cut as a run cuts them."""
    with tempfile.TemporaryDirectory() as folder:
        outputs = {name: Path(folder) / name for name in ingest_corpus.run.outputs}
        given = {"corpus": str(fetch_sample(settings().cache)), "queries": "", "qrels": "", "query_log": ""}
        ingest_corpus.run(config={}, **given, **outputs)
        return {row.id: row for row in read_records(outputs["passages"], Passage)}


def _model() -> ChatModel:
    from kosparse.llm.loader import open_chat_model

    return open_chat_model(16)


def filtering(passages: Mapping[str, Passage], model: ChatModel | None) -> list[Row]:
    """Precision and recall of good pairs after each stage."""
    labelled = [json.loads(line) for _, line in read_lines(_LABELLED / "pairs.jsonl")]
    labels = {row["id"]: row["label"] == "good" for row in labelled}
    names = ("id", "query", "passage_id", "origin", "query_type")
    pairs = [
        Pair(**{name: row[name] for name in names}, document_id=passages[row["passage_id"]].document_id)
        for row in labelled
    ]
    filtered = filter_synthetic_pairs(pairs, passages.values(), config=FilterPairsConfig(judge=False))
    left = dict(labels)
    rows = [_quality("nothing", left, labels)]
    stages = [stage["stage"] for stage in filtered.funnel["stages"]]
    by_stage: dict[str, list[str]] = {}
    for reject in filtered.rejects:
        by_stage.setdefault(_STAGES.get(reject.reason, reject.reason), []).append(reject.where)
    for stage in stages:
        for lost in by_stage.get(stage, []):
            left.pop(lost)
        rows.append(_quality(stage, left, labels))
    rows += copies(pairs, passages, filtered.kept, labels)
    if model is not None:
        for together in _TOGETHER:
            rows += judging(pairs, labels, passages, model, together)
    return rows


def copies(
    pairs: Sequence[Pair], passages: Mapping[str, Passage], kept: Sequence[Pair], labels: Mapping[str, bool]
) -> list[Row]:
    """What share of the kept pairs are copies by each definition, how good those are, and what a cap costs."""
    rows = []
    for way in ("copy_share", "stretch_share", "order_share"):
        found = {pair.id: labels[pair.id] for pair in kept if pair.scores[way] > COPIED}
        rows.append(_quality(f"{way} > {COPIED}: {len(found) / len(kept):.1%} of {len(kept)}", found, labels))
    config = FilterPairsConfig(judge=False, max_copies=0.1)
    left = filter_synthetic_pairs(pairs, passages.values(), config=config).kept
    capped = _quality("max_copies=0.1", {pair.id: labels[pair.id] for pair in left}, labels)
    return [{**row, "what": "copies"} for row in (*rows, capped)]


def judging(
    pairs: Sequence[Pair], labels: Mapping[str, bool], passages: Mapping[str, Passage], model: ChatModel, together: int
) -> list[Row]:
    """The judge's odds on what the other filters leave: how well they order, and what each floor would keep."""
    config = FilterPairsConfig(
        max_judged=len(pairs), judge_together=together, budget_seconds=3600, min_judge_score=-math.inf
    )
    started = time.perf_counter()
    kept = filter_synthetic_pairs(pairs, passages.values(), config=config, model=model).kept
    seconds = time.perf_counter() - started
    odds = {pair.id: pair.scores["judge"] for pair in kept if "judge" in pair.scores}
    by_label = [np.array([value for name, value in odds.items() if labels[name] == good]) for good in (True, False)]
    name = f"judge, {together} at once"
    print(f"{name}: {len(odds)} of {len(kept)} judged, AUROC {auroc(*by_label):.3f}, {seconds:.0f} s with the filters")
    floors = [(f"{name} >= {floor:g}", floor) for floor in _FLOORS]
    floors += [(f"{name}, best {share:.0%}", float(np.quantile(list(odds.values()), 1 - share))) for share in _SHARES]
    return [
        _quality(what, {name: labels[name] for name, value in odds.items() if value >= floor}, labels)
        for what, floor in floors
    ]


_STAGES = {
    "unknown_passage": "passage",
    "too_short": "length",
    "too_long": "length",
    "foreign_script": "language",
    "not_korean": "language",
    "statement": "form",
    "command": "form",
}
"""Reason -> stage, where they differ."""


def _quality(name: str, left: Mapping[str, bool], labels: Mapping[str, bool]) -> Row:
    good = sum(left.values())
    low, high = wilson(good, len(left))
    share = good / max(len(left), 1)
    found = {"pairs": len(left), "precision": round(share, 3), "interval": f"{low:.3f}-{high:.3f}"}
    return {"what": "filters", "after": name, **found, "recall": round(good / sum(labels.values()), 3)}


def repetitions() -> list[Row]:
    """Precision and recall of calling two queries the same."""
    lines = [line.split("\t") for _, line in read_lines(_LABELLED / "near_duplicates.tsv")][1:]
    labelled = [(same == "1", one, other) for same, one, other in lines]
    embedder = open_embedder()

    def by_cosine(least: float) -> Same:
        return lambda one, other: bool(
            near_duplicates(
                [one, other],
                content_morphemes_of([one, other]),
                min_jaccard=FilterPairsConfig().near_duplicate_jaccard,
                min_cosine=least,
                encode=lambda texts: embedder.encode(texts, "query"),
            )
        )

    ways: dict[str, Same] = {"same morphemes and numbers": _same_key}
    ways |= {f"trigrams >= {least}": _by_trigrams(least) for least in _TRIGRAMS}
    ways |= {f"cosine >= {least}": _by_bare_cosine(least, embedder.encode) for least in _COSINES}
    ways |= {f"morphemes, names and cosine >= {least}": by_cosine(least) for least in _COSINES}
    return [_agreement(name, way, labelled) for name, way in ways.items()]


def _same_key(one: str, other: str) -> bool:
    first, second = (set(found) for found in content_morphemes_of([one, other]))
    return first == second and numbers(one) == numbers(other)


def _by_trigrams(least: float) -> Same:
    def grams(text: str) -> set[str]:
        return {text[at : at + 3] for at in range(max(1, len(text) - 2))}

    return lambda one, other: len(grams(one) & grams(other)) >= least * len(grams(one) | grams(other))


def _by_bare_cosine(least: float, encode: Callable[..., Any]) -> Same:
    def same(one: str, other: str) -> bool:
        first, second = encode([one, other], "query")
        return float(first @ second) >= least

    return same


def _agreement(name: str, same: Same, labelled: Sequence[tuple[bool, str, str]]) -> Row:
    said = [(truth, same(one, other)) for truth, one, other in labelled]
    found = sum(answer for _, answer in said)
    right = sum(truth and answer for truth, answer in said)
    low, high = wilson(right, found)
    recall = right / sum(truth for truth, _ in said)
    precision = round(right / max(found, 1), 3)
    quality = {"precision": precision, "interval": f"{low:.3f}-{high:.3f}", "recall": round(recall, 3)}
    return {"what": "near-duplicates", "after": name, "pairs": found, **quality}


if __name__ == "__main__":
    main()
