"""``kosparse review score``: how good the synthetic pairs are, by those who read some."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kosparse.errors import InputError
from kosparse.evaluation.labelling import read_saved
from kosparse.jsonl import read_records
from kosparse.records import Pair
from kosparse.synthetic.review_sheet import score


def score_files(files: Sequence[Path], dataset: Path) -> None:
    """Print the share of good pairs among kept and rejected ones, by type, and how far reviewers agree.

    Raises:
        InputError: A file is not what the page saves, nothing was judged, or there is no such dataset.
    """
    pairs = dataset / "pairs.jsonl"
    if not pairs.is_file():
        raise InputError(
            "there is no dataset of pairs", where=str(pairs), fix="Name the dataset of filter_pairs by --dataset."
        )
    reviews = [read_saved(path) for path in files]
    if not any(grades for review in reviews for grades in review.judgements.values()):
        raise InputError("nothing was judged", where=", ".join(map(str, files)), fix="Judge a few and save again.")
    found = score(reviews, {pair.id: pair.query_type for pair in read_records(pairs, Pair)})
    print(f"{'':24} {'good':>5} {'bad':>5} {'unsure':>7}  good of judged (95 % interval)")
    for name, counts in {"kept": found["kept"], **found["by_type"], "rejected": found["rejected"]}.items():
        print(_row(name if name in ("kept", "rejected") else f"  {name}", counts))
    print(f"precision of the dataset, its types weighted by their number: {_share(found['precision'])}")
    for pair in found["agreement"]:
        names = " and ".join(name or "?" for name in pair["reviewers"])
        print(f"{names}: {pair['pairs']} pairs in common, same {_share(pair['same'])}, kappa {_share(pair['kappa'])}")


def _row(name: str, counts: Mapping[str, Any]) -> str:
    low, high = counts["interval"]
    said = f"{_share(counts['share'])} ({low:.2f}-{high:.2f})" if counts["share"] is not None else "-"
    return f"{name:24} {counts['good']:>5} {counts['bad']:>5} {counts['unsure']:>7}  {said}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
