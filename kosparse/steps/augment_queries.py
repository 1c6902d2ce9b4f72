"""``augment_queries``: the same needs in other words, and with terms in the other language."""

from __future__ import annotations

from kosparse.config import AugmentQueriesConfig
from kosparse.jsonl import read_json, read_records, write_records
from kosparse.records import Pair, SynonymEntry
from kosparse.steps.runtime import InPath, Metrics, OutPath, step
from kosparse.synthetic.augment import choose, paraphrase, substitute, vary
from kosparse.synthetic.substitution import Lexicon
from kosparse.synthetic.writer import Writer


@step
def run(
    config: AugmentQueriesConfig,
    *,
    pairs: InPath,
    dictionary: InPath,
    llm: InPath,
    augmented: OutPath,
    rejects: OutPath,
) -> Metrics:
    """Substitute dictionary terms in all queries, vary their writing, and let the language model paraphrase some.

    Raises:
        ServiceError: The language model is dead or refuses us.
    """
    from kosparse.llm.loader import open_chat_model

    originals = list(read_records(pairs, Pair))
    lexicon = Lexicon(read_records(dictionary, SynonymEntry))
    substituted = substitute(originals, lexicon, config.substitutions_per_query)
    varied = vary(originals, config.variants)
    writer = Writer.from_config(open_chat_model(config.concurrency), config, read_json(llm))
    paraphrased = paraphrase(choose(originals, config.max_queries), writer)
    rows = [*substituted, *varied, *paraphrased.rows]
    write_records(augmented, rows)
    write_records(rejects, paraphrased.rejects)
    return {**paraphrased.counts, "rows": len(rows), "substituted": len(substituted), "varied": len(varied)}
