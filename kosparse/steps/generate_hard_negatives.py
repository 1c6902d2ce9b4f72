"""``generate_hard_negatives``: passages that look like an answer and are not, labelled by how they fail."""

from __future__ import annotations

from kosparse.config import GenerateHardNegativesConfig
from kosparse.jsonl import read_json, read_records, write_records
from kosparse.records import Pair, Passage
from kosparse.steps.runtime import InPath, Metrics, OutPath, step
from kosparse.synthetic.hard_negatives import write_negatives
from kosparse.synthetic.writer import Writer, evenly


@step
def run(
    config: GenerateHardNegativesConfig,
    *,
    pairs: InPath,
    passages: InPath,
    llm: InPath,
    negatives: OutPath,
    rejects: OutPath,
) -> Metrics:
    """Write one negative for each of some pairs, spread evenly over the set.

    Raises:
        ServiceError: The language model is dead or refuses us.
    """
    from kosparse.llm.loader import open_chat_model

    originals = list(read_records(pairs, Pair))
    chosen = evenly(originals, config.max_pairs) if config.max_pairs else []
    wanted = {pair.passage_id for pair in chosen}
    texts = {passage.id: passage for passage in read_records(passages, Passage) if passage.id in wanted}
    writer = Writer.from_config(open_chat_model(config.concurrency), config, read_json(llm))
    written = write_negatives(chosen, texts, writer, config)
    write_records(negatives, written.rows)
    write_records(rejects, written.rejects)
    return written.counts
