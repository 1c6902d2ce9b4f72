"""``generate_documents``: passages of several grades of relevance for some of the queries."""

from __future__ import annotations

from kosparse.config import GenerateDocumentsConfig
from kosparse.jsonl import read_json, read_records, write_records
from kosparse.records import Pair, Query
from kosparse.steps.runtime import InPath, Metrics, OutPath, step
from kosparse.synthetic.documents import write_documents
from kosparse.synthetic.writer import Writer, evenly


@step
def run(
    config: GenerateDocumentsConfig,
    *,
    pairs: InPath,
    llm: InPath,
    generated: OutPath,
    generated_passages: OutPath,
    rejects: OutPath,
) -> Metrics:
    """Write passages for generated queries, spread evenly over the set.

    Raises:
        ServiceError: The language model is dead or refuses us.
    """
    from kosparse.llm.loader import open_chat_model

    originals = list(read_records(pairs, Pair))
    chosen = evenly(originals, config.max_queries) if config.max_queries else []
    queries = [Query(id=pair.id, text=pair.query) for pair in chosen]
    writer = Writer.from_config(open_chat_model(config.concurrency), config, read_json(llm))
    written = write_documents(queries, writer, config.grades)
    write_records(generated, [row.pair for row in written.rows])
    write_records(generated_passages, [row.passage for row in written.rows])
    write_records(rejects, written.rejects)
    return written.counts
