"""Negatives as they are mined, in blocks of pairs on this machine: a killed step goes on with the next block."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kosparse.jsonl import read_records, write_records
from kosparse.progress import Bar, note
from kosparse.records import NegativeDoc, Pair

BLOCK = 512
"""Pairs of a block."""

Mine = Callable[[Sequence[Pair]], list[NegativeDoc]]


@dataclass(frozen=True)
class MinedBlocks:
    """Of one mining.

    Args:
        root: Folder of all minings on this machine.
        origin: What the negatives are made from; a hash.
    """

    root: Path
    origin: str

    def mine(self, kind: str, pairs: Sequence[Pair], ready: Callable[[], Mine]) -> list[NegativeDoc]:
        """Negatives of all pairs, in order; blocks that are there already are not mined again.

        Args:
            kind: ``bm25`` or ``dense``.
            pairs: Queries with their passages.
            ready: Makes what mines a block, such as an index; called when the first one is missing.
        """
        blocks = {
            self.root / self.origin / f"{kind}-{start:09d}.jsonl": pairs[start : start + BLOCK]
            for start in range(0, len(pairs), BLOCK)
        }
        missing = [path for path in blocks if not path.exists()]
        if len(missing) < len(blocks):
            note(f"{kind}: {len(blocks) - len(missing)} of {len(blocks)} blocks of pairs are mined already")
        bar, mine = Bar(f"{kind} negatives", len(missing), "blocks"), ready() if missing else None
        for path in missing:
            assert mine is not None
            write_records(path, mine(blocks[path]))  # there only when it is whole
            bar.advance()
        bar.close()
        return [row for path in blocks for row in read_records(path, NegativeDoc)]

    def forget(self) -> None:
        """Remove them: the step is done."""
        shutil.rmtree(self.root / self.origin, ignore_errors=True)
