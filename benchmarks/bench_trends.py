"""Does ``detect_trends`` find rises that were planted in a stream of real documents, and nothing in a steady one?

    python -m benchmarks.bench_trends

The documents are the sample collection's, given dates at random, so that nothing rises by itself. In each stream
with rises, terms (nouns and runs of them) are drawn among those of middling frequency and added to some of the recent
documents, a run with the nouns in it. What is drawn differs from stream to stream; the documents' words do not. A rise
is found when its term or a part of it is told, for one of the two is; any other alarm is false.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence

import numpy as np

from benchmarks.report import finish
from kosparse.config import DetectTrendsConfig
from kosparse.corpus.libreoffice import fetch_sample
from kosparse.corpus.morphemes import noun_runs_of
from kosparse.corpus.trends import rising, terms_of
from kosparse.jsonl import read_lines
from kosparse.settings import settings

_DAYS, _PLANTED, _FREQUENCY = 300, 20, (10, 200)
_CONFIG = DetectTrendsConfig()


def main() -> None:
    """Draw streams and count what is found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--streams", type=int, default=200)
    options = parser.parse_args()
    lines = read_lines(fetch_sample(settings().cache) / "corpus.jsonl")
    texts = [json.loads(line)["text"] for _, line in lines]
    words = [terms_of(runs, _CONFIG.ngram_max) for runs in noun_runs_of(texts)]
    rows = [planted(words, share, options.streams) for share in (0.05, 0.1, 0.2)]
    rows.append(steady(words, options.streams))
    finish(
        "trends",
        rows,
        command="python -m benchmarks.bench_trends",
        notes=[
            f"{len(words):,} documents over {_DAYS} days, the last {_CONFIG.recent_days} recent; {_PLANTED} terms (up "
            f"to {_CONFIG.ngram_max} nouns) of {_FREQUENCY[0]} to {_FREQUENCY[1]} documents rise in each stream; "
            "share: of recent documents that a rising term is added to.",
            f"false discovery rate {_CONFIG.false_discovery_rate} (the share of alarms that may be false; in a steady "
            "stream, of streams with any alarm).",
        ],
        packages=["scipy", "kiwipiepy"],
    )


def planted(words: Sequence[set[str]], share: float, streams: int) -> dict[str, float | str]:
    """Precision and recall over all streams."""
    frequency = Counter(word for held in words for word in held)
    middling = sorted(word for word, count in frequency.items() if _FREQUENCY[0] <= count <= _FREQUENCY[1])
    right = alarms = found = 0
    for seed in range(streams):
        random = np.random.default_rng(seed)
        rise = {str(word): _parts(str(word)) for word in random.choice(middling, _PLANTED, replace=False)}
        recent, earlier = _windows(words, random)
        with_rises = [held.union(*(parts for parts in rise.values() if random.random() < share)) for held in recent]
        alarmed = _alarms(with_rises, earlier)
        found += sum(bool(parts & alarmed) for parts in rise.values())
        right, alarms = right + len(alarmed & set().union(*rise.values())), alarms + len(alarmed)
    return {
        "stream": f"rises, share {share}",
        "streams": streams,
        "precision": round(right / max(alarms, 1), 3),
        "recall": round(found / (streams * _PLANTED), 3),
        "streams_with_false_alarms": "-",
    }


def steady(words: Sequence[set[str]], streams: int) -> dict[str, float | str]:
    """Share of streams with any alarm, nothing having risen."""
    alarmed = sum(bool(_alarms(*_windows(words, np.random.default_rng(seed)))) for seed in range(streams))
    return {
        "stream": "steady",
        "streams": streams,
        "precision": "-",
        "recall": "-",
        "streams_with_false_alarms": round(alarmed / streams, 3),
    }


def _parts(term: str) -> set[str]:
    """A term, the nouns in it, and the runs of them."""
    return terms_of([term.split()], _CONFIG.ngram_max)


def _windows(words: Sequence[set[str]], random: np.random.Generator) -> tuple[list[set[str]], list[set[str]]]:
    days = random.integers(0, _DAYS, len(words))
    recent = days >= _DAYS - _CONFIG.recent_days
    return (
        [held for held, late in zip(words, recent, strict=True) if late],
        [held for held, late in zip(words, recent, strict=True) if not late],
    )


def _alarms(recent: Sequence[set[str]], earlier: Sequence[set[str]]) -> set[str]:
    counts = [Counter(word for held in window for word in held) for window in (recent, earlier)]
    return {rise.term for rise in rising(counts[0], counts[1], len(recent), len(earlier), _CONFIG)}


if __name__ == "__main__":
    main()
