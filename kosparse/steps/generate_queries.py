"""``generate_queries``: what would people type who would be glad to find these passages?"""

from __future__ import annotations

from kosparse.config import GenerateQueriesConfig
from kosparse.jsonl import read_json, read_records, write_records
from kosparse.records import Passage
from kosparse.steps.runtime import InPath, Metrics, OutPath, step
from kosparse.synthetic.queries import choose, write_queries
from kosparse.synthetic.writer import Writer


@step
def run(config: GenerateQueriesConfig, *, passages: InPath, llm: InPath, pairs: OutPath, rejects: OutPath) -> Metrics:
    """Write queries of several types for passages spread over the collection.

    Raises:
        ServiceError: The language model is dead or refuses us.
    """
    from kosparse.llm.loader import open_chat_model

    collection = list(read_records(passages, Passage))
    chosen = choose(collection, config.max_passages)
    writer = Writer.from_config(open_chat_model(config.concurrency), config, read_json(llm))
    written = write_queries([[passage] for passage in chosen], writer, config, config.queries_per_passage)
    write_records(pairs, written.rows)
    write_records(rejects, written.rejects)
    covered = {pair.passage_id for pair in written.rows}
    return {
        **written.counts,
        "passages": len(collection),
        "passages_chosen": len(chosen),
        "passages_covered": len(covered),
    }
