"""What do the three strategies of verification find, and what do they cost? ``python -m benchmarks.bench_strategies``.

One pool of mined pairs labelled by hand, judged by ``low``, ``balanced`` and ``high`` in turn. The language model of
``LLM_BASE_URL`` is asked everything anew by each of them: no answer comes from a cache, and calls and seconds hold the
calibration too.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from benchmarks.bench_synonyms import mined_labels, sample_corpus
from benchmarks.report import finish
from kosparse.adapters.embedder import open_embedder
from kosparse.config import MineSynonymsConfig, VerifySynonymsConfig
from kosparse.llm.cache import CachedChatModel
from kosparse.llm.loader import open_chat_model
from kosparse.ports import ChatModel, ChatRequest, Embedder, never
from kosparse.records import Completion, Reject, SynonymCandidate
from kosparse.synonyms.calibrate import quality
from kosparse.synonyms.mine import mine_synonyms
from kosparse.synonyms.terms import pair_key
from kosparse.synonyms.verifier import Verifier

Strategy = Literal["low", "balanced", "high"]
Pool = Sequence[tuple[SynonymCandidate, bool]]
_DAY = 86_400.0
_STRATEGIES: tuple[Strategy, ...] = ("low", "balanced", "high")


class Counted:
    """A chat model that counts what it is asked."""

    def __init__(self, inner: ChatModel) -> None:
        self._inner, self.calls = inner, 0
        self.model, self.revision, self.quantization = inner.model, inner.revision, inner.quantization

    def complete(
        self, requests: Sequence[ChatRequest], *, stop: Callable[[], bool] = never
    ) -> Iterator[tuple[int, Completion | Reject]]:
        """See ``ports.ChatModel.complete``."""
        for position, answer in self._inner.complete(requests, stop=stop):
            self.calls += 1
            yield position, answer


def main() -> None:
    """Judge one pool three times."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--pairs", type=int, default=200, help="of the pool")
    parser.add_argument("--labelled", type=int, default=96, help="pairs that the model's answers are calibrated by")
    options = parser.parse_args()
    embedder = open_embedder()
    mined, pool = labelled_pool(embedder, options.pairs)
    model = open_chat_model(VerifySynonymsConfig().concurrency).inner
    rows = [judged(strategy, mined, pool, model, embedder, options.labelled) for strategy in _STRATEGIES]
    finish(
        "strategies",
        rows,
        command="python -m benchmarks.bench_strategies",
        notes=[
            f"{len(pool)} mined pairs of benchmarks/labelled/mined_synonyms.tsv, {sum(label for _, label in pool)} of "
            f"them right, none of them used for fitting; {model.model}, {model.quantization}.",
            f"Precision with its 95 % interval, and recall, at p >= {VerifySynonymsConfig().verification_threshold}. "
            f"Calls and seconds hold {options.labelled} labelled pairs, by which the answers are calibrated.",
        ],
        packages=["kiwipiepy", "numpy", "scikit-learn"],
    )


def labelled_pool(embedder: Embedder, most: int) -> tuple[list[SynonymCandidate], Pool]:
    """All that mining proposes on the sample corpus, and at most so many labelled ones of it, drawn by hash."""
    labels = mined_labels()
    mined, _ = mine_synonyms(*sample_corpus(), MineSynonymsConfig(), embedder)
    known = [row for row in mined if row.source != "curated" and pair_key(row.ko, row.en) in labels]
    drawn = sorted(known, key=lambda row: hashlib.sha256(f"{row.ko}\t{row.en}".encode()).digest())[:most]
    return mined, [(row, labels[pair_key(row.ko, row.en)]) for row in drawn]


def judged(
    strategy: Strategy,
    mined: Sequence[SynonymCandidate],
    pool: Pool,
    model: ChatModel,
    embedder: Embedder,
    labelled: int,
) -> dict[str, Any]:
    """One row: what the strategy accepts of the pool, and what that cost."""
    config = VerifySynonymsConfig(
        strategy=strategy, labelled_pairs=labelled, max_candidates=len(pool), budget_seconds=_DAY
    )
    asked = Counted(model)
    with tempfile.TemporaryDirectory() as folder:
        cached = CachedChatModel(asked, Path(folder) / "responses.sqlite")
        started = time.perf_counter()
        verdicts = Verifier(cached, config, embedder, None, pool=mined).judge(
            [row for row, _ in pool], budget_seconds=_DAY
        )
        seconds = time.perf_counter() - started
    found = quality(
        np.array([verdict.p for verdict in verdicts]),
        [label for _, label in pool],
        ["mined"] * len(pool),
        config.verification_threshold,
    )
    low, high = found["precision_interval"]
    return {
        "strategy": strategy,
        "precision": found["precision"],
        "interval": f"{low:.3f}-{high:.3f}",
        "recall": found["recall"],
        "AUROC": found["auroc"],
        "ECE": round(found["ece"], 3),
        "pairs asked": sum(verdict.asked_llm for verdict in verdicts),
        "calls": asked.calls,
        "seconds": round(seconds),
    }


if __name__ == "__main__":
    main()
