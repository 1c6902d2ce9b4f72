"""Can the language model of ``LLM_BASE_URL`` tell how two terms relate? ``python -m benchmarks.bench_relations``.

Held-out pairs labelled by hand, asked as ``verify_synonyms`` asks them first, but without sentences that use
them, for these pairs have none. Answers are cached.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import finish
from kosparse.config import VerifySynonymsConfig
from kosparse.llm.loader import open_chat_model
from kosparse.records import Relation
from kosparse.synonyms.calibrate import auroc
from kosparse.synonyms.curated import LabelledPair, draw_labelled, read_labelled
from kosparse.synonyms.typed import TYPES, ask_types, likeliest

_LABELLED = Path(__file__).parent / "labelled" / "synonyms.tsv"
_SEED = 13

Types = Mapping[Relation, float]


def main() -> None:
    """Ask, and count what was answered about each kind of pair."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--pairs", type=int, default=192)
    parser.add_argument("--seconds", type=float, default=1500.0)
    options = parser.parse_args()
    held_out, model = read_labelled(_LABELLED), open_chat_model(VerifySynonymsConfig().concurrency)
    pairs = [held_out[i] for i in draw_labelled(held_out, options.pairs, _SEED)]
    answers = ask_types(model, [pair.candidate for pair in pairs], what="relations", budget_seconds=options.seconds)
    found = [(pair, types) for pair, types in zip(pairs, answers, strict=True) if types is not None]
    finish(
        "relations",
        [*_rows(found), _equivalence(found)],
        command="python -m benchmarks.bench_relations",
        notes=[
            f"{len(found)} held-out pairs of benchmarks/labelled/synonyms.tsv, {model.model}, {model.quantization}.",
            "A row says how often a kind of pair was called what; AUROC is that of the log-odds of equivalent.",
        ],
        packages=[],
    )


def _rows(found: Sequence[tuple[LabelledPair, Types]]) -> list[dict[str, Any]]:
    rows = []
    for kind in dict.fromkeys(pair.kind for pair, _ in found):
        said = Counter(likeliest(dict(types)) for pair, types in found if pair.kind == kind)
        rows.append({"kind": kind, "pairs": said.total(), **{name: said[name] for name in TYPES}, "AUROC": ""})
    return rows


def _equivalence(found: Sequence[tuple[LabelledPair, Types]]) -> dict[str, Any]:
    odds = np.array([_log_odds(types) for _, types in found])
    true = np.array([pair.label for pair, _ in found])
    random = np.array([pair.kind == "random" for pair, _ in found])
    said = Counter(likeliest(dict(types)) for _, types in found)
    told = f"hard {auroc(odds[true], odds[~true & ~random])}, random {auroc(odds[true], odds[~true & random])}"
    return {"kind": "all", "pairs": len(found), **{name: said[name] for name in TYPES}, "AUROC": told}


def _log_odds(types: Types) -> float:
    others = [value for name, value in types.items() if name != "equivalent"]
    return types["equivalent"] - float(np.logaddexp.reduce(others))


if __name__ == "__main__":
    main()
