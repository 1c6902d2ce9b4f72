"""KFP wrapper of ``kosparse.steps.ingest_corpus``. No logic here."""

from kfp import dsl

from components import images


@dsl.component(base_image=images.CPU, install_kfp_package=False)
def ingest_corpus(
    corpus: str,
    queries: str,
    qrels: str,
    query_log: str,
    documents: dsl.Output[dsl.Dataset],
    passages: dsl.Output[dsl.Dataset],
    evaluation: dsl.Output[dsl.Dataset],
    parallel: dsl.Output[dsl.Dataset],
    logged: dsl.Output[dsl.Dataset],
    rejects: dsl.Output[dsl.Dataset],
    flags: dsl.Output[dsl.Dataset],
    corpus_summary: dsl.Output[dsl.Artifact],
    datasheet: dsl.Output[dsl.HTML],
    metrics: dsl.Output[dsl.Metrics],
    config: dict,
):
    """Read the corpus into documents, passages and an evaluation set.

    Args:
        corpus: Where the documents are: a folder, a file or ``s3://bucket/key`` (docs/own-corpus.md).
        queries: Real queries for evaluation; empty when there are none.
        qrels: Relevance judgements for those queries; empty when there are none.
        query_log: What people typed, one per line or a CSV with counts; empty when there is none.
        config: ``kosparse.config.IngestCorpusConfig`` as a JSON object.

    Returns:
        documents: ``Document`` rows.
        passages: ``Passage`` rows: documents cut at sentence ends.
        evaluation: Folder: ``queries.jsonl`` and ``qrels/{train,validation,test}.tsv``.
        parallel: ``AlignedText`` rows; empty when the corpus has no translation.
        logged: ``LoggedQuery`` rows, the most frequent first; none of the evaluation set.
        rejects: ``Reject`` rows with file and line.
        flags: ``Flag`` rows: documents that repeat an earlier one or hold personal data.
        corpus_summary: JSON: counts, content hash, scripts, lengths, dates, encodings, columns.
        datasheet: The same as a page for people.
        metrics: Counts and seconds.
    """
    from kosparse.steps import ingest_corpus as step

    numbers = step.run(
        config=config,
        corpus=corpus,
        queries=queries,
        qrels=qrels,
        query_log=query_log,
        documents=documents.path,
        passages=passages.path,
        evaluation=evaluation.path,
        parallel=parallel.path,
        logged=logged.path,
        rejects=rejects.path,
        flags=flags.path,
        corpus_summary=corpus_summary.path,
        datasheet=datasheet.path,
    )
    for key, value in numbers.items():
        metrics.log_metric(key, value)
