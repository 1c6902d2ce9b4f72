"""How good a retriever is: baselines, trec_eval metrics, intervals, paired tests and the report."""
