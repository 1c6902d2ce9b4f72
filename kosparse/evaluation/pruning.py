"""What pruning an index costs: quality against active dimensions, as OpenSearch prunes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pydantic import BaseModel
from scipy.sparse import csr_matrix

from kosparse.sparse.pruning import prune

RATIOS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5)


class PruningPoint(BaseModel):
    """The sparse model over passages pruned at one ratio."""

    ratio: float
    """Weights below this share of a passage's largest weight are dropped: ``prune_type: max_ratio``."""
    active_dims_doc: float
    metric: float
    """Mean of the primary metric."""


def pruning_curve(
    passages: csr_matrix, measure: Callable[[csr_matrix], float], ratios: Sequence[float] = RATIOS
) -> list[PruningPoint]:
    """Measure the primary metric at each ratio.

    Args:
        passages: Weights, shape [passages, terms].
        measure: The primary metric of a search over such weights.
        ratios: In [0, 1].
    """
    points = []
    for ratio in ratios:
        kept = prune(passages, ratio)
        active = kept.nnz / max(kept.shape[0], 1)
        points.append(PruningPoint(ratio=ratio, active_dims_doc=round(active, 2), metric=round(measure(kept), 6)))
    return points
