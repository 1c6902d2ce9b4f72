"""``kosparse ablate``: train variants of a finished run, several seeds each, and compare them on its test queries."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import jinja2

from kosparse import progress
from kosparse.config import TrainSparseConfig
from kosparse.errors import ConfigError, InputError
from kosparse.evaluation import plots
from kosparse.evaluation.ablation import REFERENCE, VARIANTS, AblationRow, SeedResult, Variant, summarise
from kosparse.evaluation.judgements import Judgements, load_real
from kosparse.evaluation.metrics import PRIMARY, evaluate_run
from kosparse.evaluation.systems import sparse_run
from kosparse.evaluation.verdict import p_text
from kosparse.jsonl import read_json, read_records, write_json, write_lines
from kosparse.records import Document, Passage, SynonymCandidate, SynonymEntry
from kosparse.settings import settings
from kosparse.sparse.training_set import TrainingSet

_DEPTH = 100


def run(folder: Path, variants: Sequence[str], seeds: Sequence[int], output: Path) -> None:
    """Train and evaluate what is not there yet, then write ``ablation.json`` and ``ablation.html``.

    Args:
        folder: A finished run.
        variants: Of ``VARIANTS``; the reference is always among them.
        seeds: At least one.
        output: Where each training's result is kept, so that a second call goes on where the first ended.

    Raises:
        ConfigError: There is no such variant.
        InputError: The folder is not a finished run, or it has no real test queries.
    """
    unknown = sorted(set(variants) - set(VARIANTS))
    if unknown:
        raise ConfigError(f"no such variant: {', '.join(unknown)}", where="--variants", fix=f"Known: {_names()}.")
    finished = FinishedRun(folder)
    chosen = list(dict.fromkeys([REFERENCE, *variants]))
    wanted = [(name, seed) for name in chosen for seed in (seeds if name != "untrained" else seeds[:1])]
    results = []
    for name, seed in progress.track(wanted, "ablation", unit="trainings"):
        kept = output / "trainings" / f"{name}-{seed}.json"
        if not kept.exists():
            write_json(kept, finished.train(name, VARIANTS[name], seed).model_dump())
        results.append(SeedResult.model_validate(read_json(kept)))
    rows = summarise(results)
    write_json(
        output / "ablation.json", {"queries": len(results[0].values), "rows": [row.model_dump() for row in rows]}
    )
    write_lines(output / "ablation.html", [_html(rows, len(results[0].values))])
    print(_table(rows))
    print(f"{output}/ablation.html")


class FinishedRun:
    """What every variant shares.

    Args:
        folder: Of the run.
    """

    def __init__(self, folder: Path) -> None:
        self.tasks = task_folder(folder)
        self.data = TrainingSet.load(self.tasks / "build-training-set" / "training_set")
        collection = self.tasks / "ingest-corpus"
        known = {document.id for document in read_records(collection / "documents", Document)}
        judged = load_real(collection / "evaluation", "test", known)
        if judged is None:
            raise InputError(
                "this run has no real test queries", where=str(folder), fix="Run with QUERIES= and QRELS= first."
            )
        self.judged: Judgements = judged
        self.passages = list(read_records(collection / "passages", Passage))
        self.config = _settings(folder)

    def train(self, name: str, variant: Variant, seed: int) -> SeedResult:
        """Train one variant with one seed and measure it."""
        from kosparse.sparse.cached_weights import document_weights
        from kosparse.sparse.fit import fit
        from kosparse.sparse.model import load_sparse_model
        from kosparse.steps.train_sparse import dense_teacher

        progress.note(f"{name}, seed {seed}: {variant.shown}")
        # Equal steps: only max_steps ends a training.
        config = self.config.model_copy(update={"max_seconds": 1e9, **variant.config, "seed": seed})
        cache, started = settings().cache / "states", time.monotonic()
        with tempfile.TemporaryDirectory() as scratch:
            model = Path(scratch) / "model"
            data = self.data.where(variant.learns_from)
            fit(
                config,
                data,
                self.tasks / "prepare-backbone" / "backbone",
                model,
                idf=read_json(self.tasks / "compute-idf" / "idf"),
                boosts=read_json(self.tasks / "detect-trends" / "trends")["terms"],
                entries=self._entries(variant),
                cache=cache,
                teacher=dense_teacher(data) if config.closed_form else None,
            )
            seconds = time.monotonic() - started
            loaded = load_sparse_model(model)
            weights = document_weights(loaded, [row.text for row in self.passages], cache)
            asked = loaded.encode_queries(list(self.judged.queries.values()))
        ranked = sparse_run(
            list(self.judged.queries), [row.document_id for row in self.passages], asked, weights, _DEPTH
        )
        return SeedResult(
            variant=name,
            seed=seed,
            values=evaluate_run(self.judged.qrels, ranked)[PRIMARY],
            active_dims_doc=weights.nnz / weights.shape[0],
            seconds=round(seconds, 1),
        )

    def _entries(self, variant: Variant) -> list[SynonymEntry]:
        if variant.dictionary == "none":
            return []
        if variant.dictionary == "verified":
            return list(read_records(self.tasks / "enhance-dictionary" / "dictionary", SynonymEntry))
        mined = read_records(self.tasks / "mine-synonyms" / "candidates", SynonymCandidate)
        return [SynonymEntry(ko=row.ko, en=row.en, p=1.0, sources=[row.source]) for row in mined]


def task_folder(folder: Path) -> Path:
    """Where a finished run keeps the outputs of its tasks.

    Raises:
        InputError: The folder is not a finished run.
    """
    found = sorted(path for path in (folder / "outputs").glob("*") if (path / "train-sparse").is_dir())
    if not found:
        raise InputError("this is not a finished run", where=str(folder), fix="Run `make run` first, or name --run.")
    return found[-1]


def _settings(folder: Path) -> TrainSparseConfig:
    given = folder / "arguments.json"
    values = read_json(given).get("train_sparse", {}) if given.exists() else {}
    return TrainSparseConfig.parse(values, step="train_sparse")


def _names() -> str:
    return ", ".join(VARIANTS)


def _table(rows: Sequence[AblationRow]) -> str:
    lines = [f"{'variant':18}{PRIMARY:>9}{'± seeds':>9}{'Δ':>9}{'p':>9}{'dims':>7}{'seconds':>9}"]
    for row in rows:
        p = "" if row.p_corrected is None else p_text(row.p_corrected).replace("= ", "")
        lines.append(
            f"{row.variant:18}{row.metric:9.4f}{row.spread:9.4f}{row.difference:+9.4f}{p:>9}"
            f"{row.active_dims_doc:7.0f}{row.seconds:9.0f}"
        )
    return "\n".join(lines)


def _html(rows: Sequence[AblationRow], queries: int) -> str:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("kosparse.evaluation"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals.update(bar=plots.bar, p_text=p_text)
    top = max(row.interval[1] for row in rows)
    page = environment.get_template("ablation.html.jinja")
    return page.render(rows=rows, queries=queries, top=top, metric=PRIMARY)
