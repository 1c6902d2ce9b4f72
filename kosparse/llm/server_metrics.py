"""What a vLLM server says of itself in ``/metrics`` (Prometheus text)."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass


@dataclass(frozen=True)
class ServerMetrics:
    """A look at the server; counters run since it started."""

    waiting: float
    """Requests in its queue."""
    running: float
    """Requests in its batch."""
    prefix_queries: float
    """Prompt tokens looked up in the prefix cache."""
    prefix_hits: float
    """Those of them found there, so not computed again."""


def parse_metrics(text: str) -> ServerMetrics | None:
    """Read the metrics, summed over engines; None when this is no vLLM server's page.

    >>> parse_metrics('vllm:num_requests_waiting{engine="0"} 3.0\\nvllm:prefix_cache_hits_total{engine="0"} 7').waiting
    3.0
    """
    sums: dict[str, float] = defaultdict(float)
    for line in text.splitlines():
        if line.startswith("vllm:"):
            name, _, value = line.rpartition(" ")
            try:
                sums[name.partition("{")[0].removeprefix("vllm:")] += float(value)
            except ValueError:
                return None
    if not sums:
        return None
    return ServerMetrics(
        waiting=sums["num_requests_waiting"],
        running=sums["num_requests_running"],
        prefix_queries=sums["prefix_cache_queries_total"],
        prefix_hits=sums["prefix_cache_hits_total"],
    )


def metrics_address(base_url: str) -> str:
    """Where the page is: beside the API, not below it.

    >>> metrics_address("http://gpu:8000/v1")
    'http://gpu:8000/metrics'
    """
    return base_url.rstrip("/").removesuffix("/v1") + "/metrics"
