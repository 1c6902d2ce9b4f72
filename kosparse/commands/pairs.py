"""``kosparse pairs``: from documents to a dataset of synthetic pairs, without training anything."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from kosparse.commands.step_settings import read_settings
from kosparse.corpus.evaluation_set import read_queries
from kosparse.errors import InputError
from kosparse.jsonl import read_json, read_records, write_lines, write_records
from kosparse.records import Query, Reject
from kosparse.steps import augment_queries, filter_pairs, generate_documents, generate_queries, ingest_corpus, serve_llm
from kosparse.steps.inputs import bring


def make(
    corpus: str,
    output: Path,
    *,
    queries: str,
    query_log: str,
    dictionary: Path | None,
    config: str,
    changes: Sequence[str],
) -> None:
    """Run the steps from ``ingest_corpus`` to ``filter_pairs`` here; their files go to ``output/steps``.

    Answers of the language model are cached: called again after an interruption, it goes on where it was.

    Args:
        corpus: As for ``ingest_corpus``.
        output: Folder of the dataset; files of an earlier call are replaced.
        queries: Queries a model will be tested on, judged or not: no pair repeats one. Empty when there are none
            but those that come with the corpus.
        query_log: What people typed; empty when there is none.
        dictionary: Verified synonyms (a run's ``dictionary.jsonl``), for substitutions; None when there are none.
        config: Settings of the steps, a file; empty takes the defaults.
        changes: ``step.key=value`` on top.

    Raises:
        InputError: No such corpus, queries or dictionary, or nothing was kept.
        ServiceError: The language model is dead or refuses us.
    """
    settings, work = read_settings(config, changes), output / "steps"
    if dictionary is None:
        dictionary = work / "dictionary"
        write_lines(dictionary, [])
    elif not dictionary.is_file():
        raise InputError("there is no dictionary", where=str(dictionary), fix="Give a run's dictionary.jsonl.")

    def files(names: Iterable[str]) -> dict[str, Path]:
        return {name: work / name for name in names}

    given = {"corpus": corpus, "queries": "", "qrels": "", "query_log": query_log}
    ingest_corpus.run(config=settings.get("ingest_corpus"), **given, **files(ingest_corpus.run.outputs))
    if queries:
        _keep_out(queries, work / "evaluation" / "queries.jsonl")
    serve_llm.run(config=settings.get("serve_llm"), **files(["llm"]))
    generate_queries.run(
        config=settings.get("generate_queries"), **files(["passages", "llm", "pairs"]), rejects=work / "query_rejects"
    )
    augment_queries.run(
        config=settings.get("augment_queries"),
        dictionary=dictionary,
        **files(["pairs", "llm", "augmented"]),
        rejects=work / "augmented_rejects",
    )
    generate_documents.run(
        config=settings.get("generate_documents"),
        **files(["pairs", "logged", "llm", "generated", "generated_passages"]),
        rejects=work / "generated_rejects",
    )
    filter_pairs.run(
        config=settings.get("filter_pairs"),
        **files([*filter_pairs.run.inputs, "kept", "rejects", "funnel"]),
        dataset=output,
    )
    _tell(output, work / "funnel")


def _keep_out(queries: str, known: Path) -> None:
    """Add the queries of a file to those that no pair may repeat."""
    rejects: list[Reject] = []
    with tempfile.TemporaryDirectory(prefix="kosparse-queries-") as folder:
        given = read_queries(bring(queries, Path(folder)), rejects)
    if not given:
        fix = "Give .jsonl lines with _id and text, or a .csv with these columns."
        raise InputError("there is no query in this file", where=queries, fix=fix)
    rows = {query.id: query for query in read_records(known, Query)}
    write_records(known, [*rows.values(), *given.values()])


def _tell(output: Path, funnel: Path) -> None:
    found = read_json(funnel)
    print(f"{found['kept']} of {found['generated']} pairs kept: {output}/README.md, {output}/overview.html")
    for reason, count in found["rejected"].items():
        print(f"  {reason:24} {count:>7}")
