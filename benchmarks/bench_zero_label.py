"""Zero-label training from the artifacts of a finished run: several seeds, read once on the test queries.

    python -m benchmarks.bench_zero_label --outputs .kosparse/runs/latest/outputs/<pipeline> --seeds 13 14 15

Prints a table last and writes ``benchmarks/results/zero_label.json``. The passages' weights come from the tables
training works on; ``tests/unit/sparse/test_fit.py`` shows that a saved model gives the same.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_matrix, vstack

from kosparse.config import TrainSparseConfig
from kosparse.corpus.morphemes import content_morphemes_of
from kosparse.corpus.units import Morphemes
from kosparse.evaluation.judgements import load_real
from kosparse.evaluation.metrics import METRICS
from kosparse.evaluation.results import compare, per_query_values, system_results
from kosparse.evaluation.systems import System, Texts, bm25_system, fusion_system, sparse_system
from kosparse.jsonl import read_json, read_records
from kosparse.records import Document, SynonymEntry
from kosparse.settings import settings
from kosparse.sparse.activation import activate
from kosparse.sparse.backbone import body_fingerprint, load_backbone
from kosparse.sparse.fit import query_weights
from kosparse.sparse.morpheme_head import load_head
from kosparse.sparse.morpheme_student import MorphemeStudent
from kosparse.sparse.states import encoder_states
from kosparse.sparse.training import Trainer
from kosparse.sparse.training_set import TrainingSet
from kosparse.sparse.wishes import dictionary_wishes

_RESULTS = Path(__file__).with_name("results") / "zero_label.json"
_DEPTH = 100


def main() -> None:
    """Train with each seed, evaluate, print and write."""
    options = _options()
    torch.set_num_threads(options.threads)
    world = World(options)
    rows = [world.untrained()] if options.untrained else []
    rows += [world.trained(seed) for seed in options.seeds]
    machine = {"machine": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    versions = {"python": platform.python_version(), "torch": torch.__version__}
    found = {**machine, **versions, "command": " ".join(sys.argv[1:]), "bm25_kiwi": world.baseline, "rows": rows}
    options.results.parent.mkdir(exist_ok=True)
    options.results.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"\nBM25-Kiwi  nDCG@10 {world.baseline['ndcg@10']:.4f}")
    print(f"{'model':12} {'nDCG@10':>8} {'MRR@10':>8} {'R@100':>7} {'fused':>7} {'dims':>6} {'p':>7} {'seconds':>8}")
    for row in rows:
        print(
            f"{row['model']:12} {row['ndcg@10']:8.4f} {row['mrr@10']:8.4f} {row['recall@100']:7.4f} {row['fused']:7.4f}"
            f" {row['active_dims']:6.1f} {row['p']:7.4f} {row['seconds']:8.1f}"
        )


class World:
    """Everything the seeds share."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options, self.data = options, TrainingSet.load(options.outputs / "build-training-set" / "training_set")
        self.config = TrainSparseConfig(**json.loads(options.config))
        network, tokenizer, longest = load_backbone(options.backbone)
        self.units, self.head, saturation = load_head(options.backbone)
        self.texts = [passage.text for passage in self.data.passages]
        body = body_fingerprint(network, tokenizer)
        cache = settings().cache / "states"
        states = encoder_states(network, tokenizer, self.texts, cache=cache, body=body, max_length=longest)
        self.saturation = saturation.of(self.units.of(self.texts), len(self.units.names))
        entries = read_records(options.outputs / "enhance-dictionary" / "dictionary", SynonymEntry)
        self.wishes = dictionary_wishes(self.units, self.texts, list(entries), self.config.dictionary_p)
        self.start = query_weights(self.units, read_json(options.idf), {})
        self.student = MorphemeStudent(self.head, states, self.saturation, self.start, self.wishes, 0)
        self.fresh = [self.student.mean.data.clone(), self.student.bias.data.clone(), self.student.query.data.clone()]
        self.asked = [np.unique(np.asarray(ids, dtype=np.int64)) for ids in _ids(self.units, self.data)]
        self._judge(options)

    def untrained(self) -> dict[str, Any]:
        """The calibrated backbone at the target."""
        self._reset(0)
        trainer = Trainer(self.config, self.data, self.student, self.asked)
        return self._row("untrained", trainer.active.hold(self.student), 0.0)

    def trained(self, seed: int) -> dict[str, Any]:
        """One seed."""
        self._reset(seed)
        started = time.monotonic()
        config = self.config.model_copy(update={"seed": seed})
        result = Trainer(config, self.data, self.student, self.asked).run()
        print(*result.history, sep="\n")
        return self._row(f"seed {seed}", result.active_dims, time.monotonic() - started)

    def _reset(self, seed: int) -> None:
        for parameter, value in zip(
            (self.student.mean, self.student.bias, self.student.query), self.fresh, strict=True
        ):
            parameter.data.copy_(value)
        self.student.threshold.copy_(self.head.threshold)
        self.student.random = np.random.default_rng(seed)

    def _judge(self, options: argparse.Namespace) -> None:
        collection = options.outputs / "ingest-corpus"
        documents = list(read_records(collection / "documents", Document))
        judged = load_real(collection / "evaluation", options.split, {document.id for document in documents})
        assert judged is not None
        self.judged = judged
        self.queries = Texts(list(judged.queries), list(judged.queries.values()))
        whole = Texts([row.id for row in documents], [row.text for row in documents])
        self.bm25 = bm25_system(self.queries, whole, content_morphemes_of, _DEPTH)
        self.baseline = system_results([self.bm25], per_query_values(judged, [self.bm25]), 0)["bm25_kiwi"].metrics
        known = set(whole.ids)
        self.rows = [row for row, passage in enumerate(self.data.passages) if passage.document_id in known]

    @torch.no_grad()
    def _row(self, name: str, active: float, seconds: float) -> dict[str, Any]:
        everything, student = np.arange(len(self.units.names)), self.student
        blocks = []
        for start in range(0, len(everything), 1000):
            weights = activate(student._logits(everything[start : start + 1000]))
            blocks.append(csr_matrix(weights[self.rows].T.numpy()))
        index = csr_matrix(vstack(blocks).T)
        asked = np.zeros((len(self.queries.texts), len(everything)), dtype=np.float32)
        for line, found in enumerate(self.units.of(self.queries.texts)):
            asked[line, found] = student.query.detach().relu().numpy()[found]
        ids = [self.data.passages[row].document_id for row in self.rows]
        sparse, _, _ = sparse_system(self.queries, ids, lambda: index, lambda: csr_matrix(asked), _DEPTH)
        fusion = fusion_system(sparse, self.bm25, weight=0.5, depth=_DEPTH)
        systems: list[System] = [self.bm25, sparse, fusion]
        values = per_query_values(self.judged, systems)
        against = compare(values, permutations=10_000, seed=0)[0]
        metrics = {metric: round(float(np.mean(list(values["sparse"][metric].values()))), 4) for metric in METRICS}
        fused = round(float(np.mean(list(values["fusion"]["ndcg@10"].values()))), 4)
        measured = {"fused": fused, "active_dims": round(index.nnz / index.shape[0], 1), "held": round(active, 1)}
        gain = {"p": against.p, "gain": against.difference, "interval": against.interval}
        return {"model": name, **metrics, **measured, **gain, "seconds": round(seconds, 1)}


def _ids(units: Morphemes, data: TrainingSet) -> list[list[int]]:
    return units.of([query.text for query in data.queries])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--outputs", type=Path, required=True, help="folder of a run's task outputs")
    parser.add_argument("--backbone", type=Path, help="default: the run's own")
    parser.add_argument("--idf", type=Path, help="default: the run's own")
    parser.add_argument("--seeds", type=int, nargs="*", default=[13, 14, 15])
    parser.add_argument("--config", default="{}", help="settings of train_sparse as JSON")
    parser.add_argument("--split", default="test", choices=["test", "validation", "train"])
    parser.add_argument("--untrained", action="store_true", help="also the model before training")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--results", type=Path, default=_RESULTS)
    options = parser.parse_args()
    options.backbone = options.backbone or options.outputs / "prepare-backbone" / "backbone"
    options.idf = options.idf or options.outputs / "compute-idf" / "idf"
    return options


if __name__ == "__main__":
    main()
