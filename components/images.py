"""Which container image a component runs in.

Release tags stand in the committed package; ``make compile`` and ``make submit`` take others from the
environment: ``make push`` prints them, tagged by git SHA.
A mutable tag would let KFP serve stale cached results, because its cache key holds the image string.
"""

import os

CPU = os.environ.get("KOSPARSE_IMAGE_CPU", "kosparse-cpu:0.1.0")
"""Everything without torch's GPU libraries."""

GPU = os.environ.get("KOSPARSE_IMAGE_GPU", "kosparse-gpu:0.1.0")
"""Embedding, training and evaluation."""

VLLM = os.environ.get("KOSPARSE_IMAGE_VLLM", "kosparse-vllm:0.1.0")
"""The language model server."""
