"""Synthetic query-document pairs: written by a language model, filtered with reasons, scored for training.

``generate_synthetic_qd_pairs`` does all of it in one call; the steps of the pipeline do it one by one.
"""

from kosparse.synthetic.qd_pairs import SyntheticPairs, generate_synthetic_qd_pairs

__all__ = ["SyntheticPairs", "generate_synthetic_qd_pairs"]
