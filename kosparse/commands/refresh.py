"""``kosparse refresh``: bring a finished run to the collection as it is now, without training.

The collection is read anew, its documents told apart by the hash of their content. IDF and trends are counted anew and
the query side follows them; synonyms are mined from the new documents and join the dictionary; only new passages are
encoded. The result is a run like any other, which ``search``, ``serve`` and the next refresh take.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from itertools import count
from pathlib import Path
from typing import Any

from kosparse import progress
from kosparse.commands.run_folder import hold, link_outputs, point_latest, task_folder
from kosparse.commands.stored_run import bring_run, is_stored, leave_run
from kosparse.config import DetectTrendsConfig
from kosparse.corpus.changes import Changes, compare, content_hashes
from kosparse.corpus.morphemes import content_morphemes_of
from kosparse.corpus.trends import shrunk
from kosparse.errors import InputError, ResourceError, ServiceError
from kosparse.export.reweigh import Weighing, reweigh
from kosparse.jsonl import read_json, read_records, write_json, write_records
from kosparse.records import Document, Passage, SynonymCandidate, Verdict
from kosparse.settings import settings
from kosparse.steps import (
    compute_idf,
    detect_trends,
    enhance_dictionary,
    export_opensearch,
    ingest_corpus,
    mine_synonyms,
    verify_synonyms,
)

Settings = Mapping[str, Mapping[str, Any]]
"""Step -> key -> value."""
_FADED = 0.05
"""A boost that has shrunk by so much is worth a run though no document has changed."""


def run(base: str, corpus: str, *, overrides: Settings, additions: bool, every_hours: float, as_json: bool) -> None:
    """Refresh once, or again and again until Ctrl-C; then a service or disk that fails later is waited for.

    Args:
        base: Folder of a finished run, or where the object store has one (see ``bring_run``): then the refreshed run
            is left below it, and the next refresh begins there.
        corpus: As for ``ingest_corpus``; the whole collection as it is now.
        overrides: Settings other than those of the run.
        additions: ``corpus`` holds only what comes to it.
        every_hours: 0 refreshes once.

    Raises:
        InputError: No finished run, or a corpus that cannot be used.
        ServiceError, ResourceError: The first refresh failed for want of a service, or another one is under way.
    """

    def once(at: Path) -> Path:
        fresh, told = refresh(at, corpus, overrides=overrides, additions=additions)
        if is_stored(base):
            told["run"] = leave_run(fresh, base) if "passages" in told else base
        print(json.dumps(told, ensure_ascii=False) if as_json else _shown(told), flush=True)
        return fresh

    with tempfile.TemporaryDirectory(prefix="kosparse-refresh-") as folder:
        at = bring_run(base, Path(folder)) if is_stored(base) else Path(base)
        at = once(at)
        while every_hours:
            time.sleep(every_hours * 3600)
            try:
                at = once(at)
            except (ServiceError, ResourceError) as error:
                progress.note(f"this refresh failed, the next one is in {every_hours:g} hours: {error.message}")


def refresh(
    base: Path, corpus: str, *, overrides: Settings | None = None, additions: bool = False
) -> tuple[Path, dict[str, Any]]:
    """Refresh once.

    Returns:
        Folder of the refreshed run (``base`` itself when no document changed and no boost faded), and what happened.

    Raises:
        InputError: ``base`` is not a finished run, or a corpus that cannot be used.
        ResourceError: Another refresh beside this run is under way: one of the two would be lost.
    """
    base = base.resolve()
    tasks, fix = task_folder(base), "Wait for it to end, or stop it."
    taken = ResourceError("another refresh is under way", where=str(base.parent), fix=fix)
    with hold(base.parent / ".refresh.lock", taken):
        return _refresh(base, tasks, corpus, overrides or {}, additions=additions)


def _refresh(
    base: Path, tasks: Path, corpus: str, overrides: Settings, *, additions: bool
) -> tuple[Path, dict[str, Any]]:
    started = time.monotonic()
    given = _settings(base, overrides)
    target = _new_run(base.parent)
    work = target.with_name(f".{target.name}")
    out = work / "outputs" / "refresh"
    try:
        changes = _ingest(tasks / "ingest-corpus", out / "ingest-corpus", corpus, given, additions=additions)
        if not changes and not _faded(tasks, given):
            shutil.rmtree(work)
            return base, _told(changes, base, {}, started)
        numbers = _weigh(tasks, out, given) | _grow_dictionary(tasks, out, given, changes) | _encode(base, out)
        export_opensearch.run(
            config=given.get("export_opensearch", {}),
            model=out / "train-sparse/model",
            idf=out / "compute-idf/idf",
            synonyms=out / "enhance-dictionary/synonyms",
            bundle=out / "export-opensearch/bundle",
        )
        write_json(work / "arguments.json", {**given, "corpus": corpus})
        told = _told(changes, target, numbers, started)
        write_json(work / "refresh.json", {"base": base.name, **told, "run": target.name})
        link_outputs(work, {path.name.replace("-", "_"): path for path in out.iterdir()})
        work.rename(target)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)  # the base is as it was
        raise
    point_latest(target)
    return target, told


def _new_run(runs: Path) -> Path:
    """A folder named after the time, which no other run has: two refreshes may end within a second."""
    name = f"{datetime.now(UTC):%Y%m%d-%H%M%S}"
    return next(path for n in count(1) if not (path := runs / f"{name}{f'-{n}' * (n > 1)}-refresh").exists())


def _ingest(before: Path, out: Path, corpus: str, given: Mapping[str, Any], *, additions: bool) -> Changes:
    """Read the collection; with additions, put what was there before it."""
    ingest_corpus.run(
        config=given.get("ingest_corpus", {}),
        corpus=corpus,
        queries="",
        qrels="",
        query_log="",
        **{name: out / name for name in ingest_corpus.run.outputs},
    )
    old = content_hashes(read_records(before / "documents", Document))
    changes = compare(old, read_records(out / "documents", Document), additions=additions)
    if additions:
        replaced = {row.id for row in read_records(out / "documents", Document)}
        for name, kind, key in (("documents", Document, "id"), ("passages", Passage, "document_id")):
            kept = (row for row in read_records(before / name, kind) if getattr(row, key) not in replaced)
            _prepend(out / name, kept, kind)
    return changes


def _prepend(path: Path, rows: Iterable[Any], kind: Any) -> None:
    def both() -> Iterator[Any]:
        yield from rows
        yield from read_records(path, kind)

    write_records(path, both())


def _weigh(tasks: Path, out: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    """IDF and trends anew, and a copy of the model whose query side follows them."""
    model = out / "train-sparse/model"
    shutil.copytree(tasks / "train-sparse/model", model)
    queries = next(iter(sorted(model.glob("query_0_*"))), None)
    if queries is None:
        raise InputError("this model has no weight per term", where=str(model), fix="Train it again instead.")
    passages, idf, trends = out / "ingest-corpus/passages", out / "compute-idf/idf", out / "detect-trends/trends"
    compute_idf.run(config=given.get("compute_idf", {}), passages=passages, backbone=queries, idf=idf)
    documents = out / "ingest-corpus/documents"
    detect_trends.run(config=given.get("detect_trends", {}), documents=documents, idf=idf, trends=trends)
    change = reweigh(model, _weighing(tasks), _weighing(out))
    return {"mean_query_weight_change": round(change, 4), "rising_terms": len(read_json(trends)["terms"])}


def _faded(tasks: Path, given: Mapping[str, Any]) -> bool:
    config = DetectTrendsConfig.parse(given.get("detect_trends", {}), step="detect_trends")
    return shrunk(read_json(tasks / "detect-trends/trends"), config.half_life_days, date.today()) >= _FADED


def _weighing(tasks: Path) -> Weighing:
    return Weighing(read_json(tasks / "compute-idf/idf"), read_json(tasks / "detect-trends/trends")["terms"])


def _grow_dictionary(tasks: Path, out: Path, given: Mapping[str, Any], changes: Changes) -> dict[str, Any]:
    """Mine the new documents, verify what was not known, merge with what was."""
    mined, verified = out / "mine-synonyms", out / "verify-synonyms"
    touched = changes.new | changes.changed
    fresh = mined / "new_documents"
    everything = read_records(out / "ingest-corpus/documents", Document)
    write_records(fresh, (document for document in everything if document.id in touched))
    mine_synonyms.run(
        config=given.get("mine_synonyms", {}),
        documents=fresh,
        parallel=out / "ingest-corpus/parallel",
        candidates=mined / "new_candidates",
        rejects=mined / "rejects",
    )
    old = list(read_records(tasks / "mine-synonyms/candidates", SynonymCandidate))
    known = {(row.ko, row.en) for row in old}
    unknown = [row for row in read_records(mined / "new_candidates", SynonymCandidate) if (row.ko, row.en) not in known]
    write_records(mined / "unknown", unknown)
    verdicts = list(read_records(tasks / "verify-synonyms/verdicts", Verdict))
    if unknown:
        verdicts += _verify(tasks / "serve-llm/llm", mined / "unknown", verified, given)
    write_records(mined / "candidates", [*old, *unknown])
    write_records(verified / "verdicts", verdicts)
    for task, artifact in (("discover-synonyms", "discovered"), ("serve-llm", "llm")):
        (out / task).mkdir()
        shutil.copyfile(tasks / task / artifact, out / task / artifact)
    merged = out / "enhance-dictionary"
    metrics = enhance_dictionary.run(
        config=given.get("enhance_dictionary", {}),
        candidates=mined / "candidates",
        verdicts=verified / "verdicts",
        discovered=out / "discover-synonyms/discovered",
        **{name: merged / name for name in enhance_dictionary.run.outputs},
    )
    return {"synonyms_proposed": len(unknown), "dictionary": int(metrics["entries"])}


def _verify(llm: Path, unknown: Path, verified: Path, given: Mapping[str, Any]) -> list[Verdict]:
    config = dict(given.get("verify_synonyms", {}))
    current = settings()
    if config.get("strategy") != "low" and not current.llm_base_url and current.llm_backend == "http":
        progress.note("no language model is named (LLM_BASE_URL): new synonyms are judged by their features alone")
        config["strategy"] = "low"
    verify_synonyms.run(
        config=config,
        candidates=unknown,
        llm=llm,
        verdicts=verified / "new_verdicts",
        calibration=verified / "calibration",
    )
    return list(read_records(verified / "new_verdicts", Verdict))


def _encode(base: Path, out: Path) -> dict[str, Any]:
    """Rows of passages that are as they were are taken over; the others are encoded."""
    from scipy.sparse import csr_matrix, vstack

    from kosparse.models.quiet import quiet_transformers
    from kosparse.sparse.search import SparseIndex

    with quiet_transformers():
        index = SparseIndex.open(base / "model", base / "passages.jsonl", base / "index")
    texts = {row.id: row.text for row in read_records(base / "passages.jsonl", Passage)}
    rows = {name: row for row, name in enumerate(index.passage_ids)}
    now = list(read_records(out / "ingest-corpus/passages", Passage))
    kept = [row for row in now if row.id in rows and texts.get(row.id) == row.text]
    taken = {row.id for row in kept}
    fresh = [row for row in now if row.id not in taken]
    encoded = index.model.encode_documents([row.text for row in fresh])
    weights = csr_matrix(vstack([index.weights[[rows[row.id] for row in kept]], encoded], format="csr"))
    places = {row.id: place for place, row in enumerate([*kept, *fresh])}
    weights = weights[[places[row.id] for row in now]]
    names, owners = [row.id for row in now], [row.document_id for row in now]
    SparseIndex(index.model, weights, names, owners).save(out / "evaluate/results/index")
    unknown = _unknown_share([row.text for row in fresh], set(index.model.terms))
    return {"passages": len(now), "passages_encoded": len(fresh), "unknown_share": round(unknown, 4)}


def _unknown_share(texts: list[str], units: set[str]) -> float:
    """Of the morphemes of new passages, how many the model has no unit for: it cannot be asked for these."""
    found = [name for names in content_morphemes_of(texts) for name in names]
    return sum(name not in units for name in found) / len(found) if found else 0.0


def _settings(base: Path, overrides: Settings) -> dict[str, Any]:
    """The run's own, with others on top."""
    path = base / "arguments.json"
    found = dict(read_json(path)) if path.exists() else {}
    return found | {step: {**found.get(step, {}), **values} for step, values in overrides.items()}


def _told(changes: Changes, run: Path, numbers: Mapping[str, Any], started: float) -> dict[str, Any]:
    counts = {"new": len(changes.new), "changed": len(changes.changed), "removed": len(changes.removed)}
    seconds = round(time.monotonic() - started, 1)
    return {"run": str(run), **counts, "unchanged": changes.unchanged, **numbers, "seconds": seconds}


def _shown(told: Mapping[str, Any]) -> str:
    documents = f"{told['new']:,} new, {told['changed']:,} changed, {told['removed']:,} removed"
    if "passages" not in told:
        return f"nothing has changed: {told['unchanged']:,} documents as they were"
    return (
        f"documents  {documents}, {told['unchanged']:,} as they were\n"
        f"passages   {told['passages_encoded']:,} of {told['passages']:,} encoded; the model has no unit for "
        f"{told['unknown_share']:.1%} of their words: when that grows, train anew\n"
        f"queries    weights changed by {told['mean_query_weight_change']:.1%} on average, "
        f"{told['rising_terms']:,} rising terms\n"
        f"synonyms   {told['synonyms_proposed']:,} proposed, the dictionary has {told['dictionary']:,}\n"
        f"run        {told['run']} ({told['seconds']:.0f} s)"
    )
