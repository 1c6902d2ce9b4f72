"""``filter_pairs``: which pairs are worth training on, with a reason for each that is not."""

from __future__ import annotations

from kosparse.config import FilterPairsConfig
from kosparse.jsonl import Records, read_json, read_records, write_json, write_records
from kosparse.records import Pair, Passage, Query, Reject
from kosparse.steps.runtime import InPath, Metrics, OutPath, step
from kosparse.synthetic.dataset import write_dataset
from kosparse.synthetic.filters import Filter, Filtered, require_kept
from kosparse.synthetic.writer import Writer


@step
def run(
    config: FilterPairsConfig,
    *,
    passages: InPath,
    pairs: InPath,
    augmented: InPath,
    generated: InPath,
    generated_passages: InPath,
    query_rejects: InPath,
    augmented_rejects: InPath,
    generated_rejects: InPath,
    evaluation: InPath,
    llm: InPath,
    kept: OutPath,
    rejects: OutPath,
    funnel: OutPath,
    dataset: OutPath,
) -> Metrics:
    """Filter the pairs of all three sources together; the rejects of their steps join the funnel.

    Raises:
        InputError: No pair was kept; the rejects are written all the same.
        ServiceError: The language model is dead or refuses us.
    """
    collection = Records((passages, generated_passages), Passage)
    candidates = [row for path in (pairs, augmented, generated) for row in read_records(path, Pair)]
    sources = (query_rejects, augmented_rejects, generated_rejects)
    upstream = [row for path in sources for row in read_records(path, Reject)]
    writer = None
    if config.judge and config.max_judged:
        from kosparse.llm.loader import open_chat_model

        writer = Writer.from_config(open_chat_model(config.concurrency), config, read_json(llm))
    embedder = None
    if config.near_duplicate_cosine or config.dense_round_trip_rank or config.entropy_queries:
        from kosparse.adapters.embedder import open_embedder

        embedder = open_embedder()
    evaluated = [query.text for query in read_records(evaluation / "queries.jsonl", Query)]
    filtered = Filter(collection, config, writer, embedder, evaluated).run(candidates, upstream)
    write_records(rejects, filtered.rejects)
    write_json(funnel, filtered.funnel)
    write_records(kept, filtered.kept)
    wanted = {pair.passage_id for pair in candidates}
    known = {passage.id: passage for passage in collection if passage.id in wanted}
    write_dataset(dataset, filtered, known, reviewed=config.reviewed, seed=config.seed)
    require_kept(filtered)
    return _metrics(filtered)


def _metrics(filtered: Filtered) -> Metrics:
    funnel = filtered.funnel
    rejected = {f"rejected_{reason}": float(count) for reason, count in funnel["rejected"].items()}
    return {"generated": funnel["generated"], "kept": funnel["kept"], "judged": funnel["judged"], **rejected}
