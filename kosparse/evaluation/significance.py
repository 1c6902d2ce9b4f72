"""Is a difference more than luck: intervals by bootstrap, paired tests by randomisation.

Sakai 2014 and Smucker, Allan & Carterette (CIKM 2007) recommend both for retrieval experiments.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
"""One value per query, shape [queries]; paired arrays share the order of the queries."""

_CHUNK = 256


def bootstrap_interval(
    values: Values, *, samples: int = 2000, level: float = 0.95, seed: int = 13
) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean over queries; ``(0, 0)`` for no queries."""
    if not len(values):
        return 0.0, 0.0
    random = np.random.default_rng(seed)
    means = np.concatenate(
        [values[random.integers(0, len(values), (count, len(values)))].mean(axis=1) for count in _chunks(samples)]
    )
    tail = (1 - level) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


def randomisation_test(first: Values, second: Values, *, permutations: int = 10000, seed: int = 13) -> float:
    """Two-sided p that the mean difference of two paired systems is zero, by random sign flips.

    p = (flips at least as extreme + 1) / (permutations + 1), so it is never 0.

    Raises:
        ValueError: The arrays are not paired (different lengths).
    """
    if len(first) != len(second):
        raise ValueError(f"paired values must be as many: {len(first)} and {len(second)}")
    differences = np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64)
    differences = differences[differences != 0]
    if not len(differences):
        return 1.0
    random = np.random.default_rng(seed)
    observed = abs(differences.sum())
    extreme = 0
    for count in _chunks(permutations):
        signs = random.integers(0, 2, (count, len(differences)), dtype=np.int8) * 2 - 1
        # The tolerance keeps rounding from deciding ties between equal sums.
        extreme += int((np.abs(signs @ differences) >= observed - 1e-9).sum())
    return (extreme + 1) / (permutations + 1)


@dataclass(frozen=True)
class Paired:
    """What two systems over the same queries differ by."""

    difference: float
    """Mean of the first less mean of the second."""
    interval: tuple[float, float]
    """95 % bootstrap interval of the paired difference."""
    p: float
    """Two-sided, paired randomisation; with ``seed_spread`` no less than what the seeds leave of it."""
    better: int
    worse: int
    """Queries where the first is above, and below, the second."""


def paired(
    first: Values, second: Values, *, seed_spread: float = 0.0, permutations: int = 10000, seed: int = 13
) -> Paired:
    """Compare two paired systems.

    Args:
        first: One value per query.
        second: Of the same queries.
        seed_spread: Standard deviation of the difference of the means that the trainings' seeds alone make, >= 0. The
            randomisation test knows of the luck of the queries only: with enough of them it tells apart any two
            trainings of one recipe.
        permutations: Of the test.
        seed: Of test and interval.

    Raises:
        ValueError: The arrays are not paired (different lengths).
    """
    p = randomisation_test(first, second, permutations=permutations, seed=seed)
    differences = np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64)
    if seed_spread and len(differences) > 1:
        p = max(p, _p_beyond_seeds(differences, seed_spread))
    return Paired(
        difference=float(differences.mean()) if len(differences) else 0.0,
        interval=bootstrap_interval(differences, seed=seed),
        p=p,
        better=int((differences > 0).sum()),
        worse=int((differences < 0).sum()),
    )


def _p_beyond_seeds(differences: Values, seed_spread: float) -> float:
    """Two-sided p of a normal difference whose variance is that of the queries and that of the seeds."""
    error = math.hypot(float(differences.std(ddof=1)) / math.sqrt(len(differences)), seed_spread)
    return math.erfc(abs(float(differences.mean())) / error / math.sqrt(2))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction for several comparisons (1979), in the given order, at most 1."""
    corrected = [0.0] * len(p_values)
    highest = 0.0
    for position, index in enumerate(np.argsort(p_values, kind="stable")):
        highest = max(highest, min(1.0, (len(p_values) - position) * p_values[index]))
        corrected[int(index)] = highest
    return corrected


def wilson(successes: int, trials: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's score interval for a share (1927), 95 % by default; (0, 1) without trials.

    >>> [round(bound, 2) for bound in wilson(34, 60)]
    [0.44, 0.68]
    """
    if not trials:
        return 0.0, 1.0
    share, spread = successes / trials, z * z / trials
    middle = share + spread / 2
    half = z * math.sqrt(share * (1 - share) / trials + spread / (4 * trials))
    return max(0.0, (middle - half) / (1 + spread)), min(1.0, (middle + half) / (1 + spread))


def _chunks(total: int) -> list[int]:
    """Split a count so that one chunk's samples fit in memory."""
    return [min(_CHUNK, total - start) for start in range(0, total, _CHUNK)]
