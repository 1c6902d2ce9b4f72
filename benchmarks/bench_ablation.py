"""What each part of the training brings on the sample corpus: ``python -m benchmarks.bench_ablation [--variants ...]``.

``kosparse ablate`` of a finished ``make run``, three seeds, with its table among the committed results. It takes about
two minutes of one core per training, and goes on where it was interrupted.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.report import finish
from kosparse.commands import ablate
from kosparse.evaluation.ablation import REFERENCE, VARIANTS
from kosparse.jsonl import read_json


def main() -> None:
    """Train what is missing, write the result, print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--run", type=Path, default=Path(".kosparse/runs/latest"))
    parser.add_argument("--output", type=Path, default=Path("ablation"), help="where trainings are kept")
    parser.add_argument("--variants", nargs="*", default=list(VARIANTS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[13, 14, 15])
    options = parser.parse_args()
    ablate.run(options.run, options.variants, options.seeds, options.output)
    found = read_json(options.output / "ablation.json")
    baselines = [{"variant": row["system"], "shown": "baseline", **row} for row in found["baselines"]]
    crossed = ", ".join(f"{name} {count}" for name, count in found["cross_script_queries"].items())
    finish(
        "ablation",
        [_row(row) for row in (*found["rows"], *baselines)],
        command="python -m benchmarks.bench_ablation" + _given(options),
        notes=[
            f"nDCG@10 on {found['queries']} real test queries, no labels used but where a row says real; mean of the "
            f"seeds, and their standard deviation. Difference and p (Holm, queries and seeds) against {REFERENCE}.",
            f"pooled over the variants, a training has a standard deviation of {found['seed_spread']:.4f} over seeds; "
            f"of {found['pairs_of_seeds']} pairs of trainings of one variant "
            f"{found['pairs_of_seeds_called_different']} are called different at .05.",
            f"cross-script slices ({crossed} queries): the relevant page replaced by its English original; English "
            "headings asked of Korean pages.",
        ],
        packages=["torch", "transformers"],
    )


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    names = ("difference", "p_corrected", "p_bm25", "fused", "active_dims_doc", "seconds")
    return {
        "variant": row["variant"],
        "shown": row["shown"],
        "seeds": len(row.get("seeds", [])) or None,
        "nDCG@10": round(row["metric"], 4),
        "interval": [round(end, 3) for end in row["interval"]] if "interval" in row else None,
        "spread": _short(row.get("spread")),
        **{name: _short(row.get(name)) for name in names},
        **{name: round(value, 3) for name, value in row["cross_script"].items()},
    }


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _given(options: argparse.Namespace) -> str:
    named = options.variants if options.variants != list(VARIANTS) else []
    return f" --variants {' '.join(named)}" if named else ""


if __name__ == "__main__":
    main()
