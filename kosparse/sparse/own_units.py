"""What the passages of a collection are known to hold, as training reads it again and again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy.sparse import csc_matrix, csr_matrix, vstack
from torch import Tensor

from kosparse.sparse.morpheme_head import Saturation
from kosparse.sparse.student import ENCODED, Terms


class OwnUnits:
    """``Saturation`` of many texts, in memory by what is not zero.

    Args:
        saturation: Weighs a text's own units and their translations.
        texts: The collection.
    """

    def __init__(self, saturation: Saturation, texts: Sequence[str]) -> None:
        blocks = [csr_matrix((0, len(saturation.units.names)), dtype=np.float32)]
        for start in range(0, len(texts), ENCODED):
            # In half precision, as the matches are that training adds to them.
            known = saturation.of(texts[start : start + ENCODED]).half().float()
            blocks.append(csr_matrix(known.numpy()))
        self._by_text = csr_matrix(vstack(blocks, format="csr"))
        self._by_unit = csc_matrix(self._by_text)
        self.shape: tuple[int, int] = self._by_text.shape
        """Texts and units."""

    def of(self, texts: slice | Sequence[int]) -> Tensor:
        """Some texts over all units: shape [texts, units]."""
        return torch.from_numpy(self._by_text[texts].toarray())

    def of_units(self, units: Terms) -> Tensor:
        """All texts over some units: shape [texts, len(units)]."""
        return torch.from_numpy(self._by_unit[:, units].toarray())
