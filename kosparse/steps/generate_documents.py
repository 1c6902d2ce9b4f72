"""``generate_documents``: passages of several grades of relevance for real and for some of the generated queries."""

from __future__ import annotations

from kosparse.config import GenerateDocumentsConfig
from kosparse.jsonl import read_json, read_records, write_records
from kosparse.records import LoggedQuery, Pair
from kosparse.steps.runtime import InPath, Metrics, OutPath, step
from kosparse.synthetic.documents import asked_about, write_documents
from kosparse.synthetic.writer import Writer


@step
def run(
    config: GenerateDocumentsConfig,
    *,
    pairs: InPath,
    logged: InPath,
    llm: InPath,
    generated: OutPath,
    generated_passages: OutPath,
    rejects: OutPath,
) -> Metrics:
    """Write passages for what people typed, the most frequent first, then for generated queries, spread evenly.

    Raises:
        ServiceError: The language model is dead or refuses us.
    """
    from kosparse.llm.loader import open_chat_model

    typed = list(read_records(logged, LoggedQuery))
    queries = asked_about(typed, list(read_records(pairs, Pair)), config.max_queries)
    writer = Writer.from_config(open_chat_model(config.concurrency), config, read_json(llm))
    written = write_documents(queries, writer, config.grades)
    write_records(generated, [row.pair for row in written.rows])
    write_records(generated_passages, [row.passage for row in written.rows])
    write_records(rejects, written.rejects)
    return {**written.counts, "logged_queries": float(min(len(typed), config.max_queries))}
