"""From encoder states to weights over morphemes, on top of the text's own morphemes.

The weight of a unit is ``activation(prior + peak + mean + bias)``. For a unit that stands in the text, the
prior is the logit at which the activation gives its BM25 saturation, so with all else at zero the model *is*
BM25 (the query side carries the IDF), in which words at the beginning may count for more; for every other unit it
is ``-threshold``. A translation of what stands in the text, by the dictionary, has at least a share of its
source's weight. ``peak`` is the best match of the unit's row with any one token, ``mean`` the match with the whole
text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from kosparse.corpus.lead import lead_weights, led_frequencies
from kosparse.corpus.morphemes import content_morphemes_of
from kosparse.corpus.units import UNITS_FILE, Morphemes
from kosparse.errors import InputError
from kosparse.jsonl import read_json, write_json
from kosparse.sparse.activation import HEAD_SETTINGS, Activation, saved_activation
from kosparse.sparse.device import best_device
from kosparse.sparse.fused_head import max_logits
from kosparse.sparse.matches import keep_matches, match_units
from kosparse.sparse.probe import Probe
from kosparse.sparse.states import EncoderStates
from kosparse.sparse.translations import Rule, Translations

_K1, _B = 1.2, 0.75
"""BM25's, as in ``evaluation.bm25``."""
_PEAK_SHARE, _MEAN_SHARE, _SHIFT = 0.15, 0.2, 1.5
_AT_ONCE = 4096
"""Rows whose products with all passages are held."""
"""Weights of the two standardised matches, and the z-score at which they begin to count. Chosen in a pilot on the
sample collection with its test scores in view."""
_FITTED_SHARE = 0.3
"""Of the mean match once its rows are fitted to the dense teacher (ADR 0022)."""
_HEAD, _TRANSLATIONS = "head.safetensors", "translations.json"


@dataclass(frozen=True)
class Saturation:
    """BM25 without its IDF: ``tf / (tf + k1 (1 - b + b length / average))``, in [0, 1), tf weighed by place for a lead.

    A translation of what stands in the text has the saturation of its source, times the rule's weight, as a negative
    number: the reading may add to a word of the text or take from it, but not overrule the dictionary.

    Args:
        units: The dimensions.
        average_length: Mean units per text of the collection, > 0.
        translations: Units that a text has by the dictionary.
        lexical: False leaves everything to the encoder: no text has units of its own.
        lead: Extra weight of a text's first words (see ``corpus.lead``); >= 0.
    """

    units: Morphemes
    average_length: float
    translations: Translations = field(default_factory=Translations)
    lexical: bool = True
    lead: float = 0.0

    def of(self, texts: Sequence[str]) -> Tensor:
        """Of each text's own units, > 0, and their translations, < 0: shape [len(texts), units]."""
        table = torch.zeros(len(texts), len(self.units.names))
        if not self.lexical:
            return table
        for row, names in enumerate(content_morphemes_of(list(texts))):
            counts = self._counted(names)
            norm = _K1 * (1 - _B + _B * sum(counts.values()) / self.average_length)
            frequency = torch.tensor(list(counts.values()), dtype=torch.float32)
            table[row, list(counts)] = frequency / (frequency + norm)
            for rule, times in self.translations.of(names, lead_weights(len(names), self.lead).tolist()):
                for unit in self.units.ids(rule.target):
                    if table[row, unit] <= 0:
                        table[row, unit] = min(float(table[row, unit]), -rule.weight * times / (times + norm))
        return table

    def _counted(self, names: Sequence[str]) -> dict[int, float]:
        """What each unit counts for in a text of these morphemes."""
        return {
            unit: times for name, times in led_frequencies(names, self.lead).items() for unit in self.units.ids([name])
        }


class MorphemeHead(nn.Module):
    """Holds one pair of rows per unit.

    Args:
        peak: Rows matched with each token, shape [units, hidden].
        mean: Rows matched with the mean of all tokens, shape [units, hidden].
        bias: Shape [units].
        threshold: What a unit that does not stand in the text must exceed; scalar.
    """

    activation: Activation
    """From logits to weights; training chooses it, a head that is not trained has the default one."""

    def __init__(self, peak: Tensor, mean: Tensor, bias: Tensor, threshold: Tensor) -> None:
        super().__init__()
        self.activation = Activation()
        self.peak, self.mean = nn.Parameter(peak), nn.Parameter(mean)
        self.bias = nn.Parameter(bias)
        self.threshold: Tensor
        self.register_buffer("threshold", threshold)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """Logits, the prior not yet added: shape [texts, units].

        Args:
            states: Shape [texts, tokens, hidden].
            mask: 1 where a token counts, at least one per text: shape [texts, tokens].
        """
        counted = mask[..., None].to(states.dtype)
        center = (states * counted).sum(1) / counted.sum(1)
        return max_logits(states, mask, self.peak) + center @ self.mean.T + self.bias


def with_prior(read: Tensor, saturation: Tensor, threshold: Tensor, activation: Activation) -> Tensor:
    """Logits from what was read and what is known before: same shape.

    Args:
        read: What ``MorphemeHead`` gives.
        saturation: As ``Saturation.of`` gives it, same shape. What is read is added to the logits of BM25 for the
            text's own units, to ``-threshold`` for all others; for a translation only what speaks for it.
        threshold: Scalar.
        activation: That will be applied: BM25 shall come out of it.
    """
    known = torch.where(saturation != 0, activation.inverse(saturation.abs()), -threshold)
    return known + torch.where(saturation < 0, read.clamp(min=0), read)


@torch.no_grad()
def calibrated_head(rows: Tensor, states: EncoderStates, cache: Path) -> tuple[MorphemeHead, Tensor, Probe]:
    """A head whose peak and mean logits are standardised per unit over the passages, and shifted down.

    Args:
        rows: Dense vector of each unit, centred, of unit length: shape [units, hidden].
        states: Of passages of the collection.
        cache: Folder of encoder states; the matches are kept there for those who need them next.

    Returns:
        The head; the passages' logits without prior, shape [passages, units]; and the probe of both.
    """
    best, center = match_units(rows, states, device=best_device())
    peak, peak_bias = _standardised(_Level.of(best.float()), rows, _PEAK_SHARE)
    level = center @ rows.T
    mean, mean_bias = _standardised(_Level.of(level), rows, _MEAN_SHARE)
    head = MorphemeHead(peak, mean, peak_bias + mean_bias, torch.zeros(()))
    # A row of ``peak`` is a row of ``rows`` times a positive number, so its best match is the old one times that.
    matches = best.float() * peak.norm(dim=1)
    keep_matches(peak, states, matches, center, cache)
    logits = matches + center @ mean.T + head.bias
    return head, logits, Probe.of(best.float() + level, logits)


@torch.no_grad()
def replace_mean(head: MorphemeHead, rows: Tensor, centers: Tensor) -> None:
    """Give a calibrated head other mean rows, standardised over passages; what the peak rows say stays.

    Units that tell passages apart better than others count for more: by their spread.

    Args:
        head: As ``calibrated_head`` made it.
        rows: Shape [units, hidden].
        centers: Mean states of passages of the collection, shape [passages, hidden].
    """
    # On average over units, what is read of an average passage stays what it was.
    old = centers.mean(0) @ head.mean.T + _FITTED_SHARE * _SHIFT
    level = _Level.of_products(centers, rows)
    share = _FITTED_SHARE * level.deviation / level.deviation.mean().clamp(min=1e-9)
    mean, bias = _standardised(level, rows, share)
    head.mean.copy_(mean)
    head.bias.add_(old + bias)


def save_head(folder: Path, head: MorphemeHead, saturation: Saturation) -> None:
    """Write names, rows, the average length, the activation and the translations."""
    write_json(folder / UNITS_FILE, saturation.units.names)
    save_file(head.state_dict(), folder / _HEAD)
    described = {"average_length": saturation.average_length, "lexical": saturation.lexical, "lead": saturation.lead}
    write_json(folder / HEAD_SETTINGS, {**described, "activation": head.activation.name})
    write_json(folder / _TRANSLATIONS, [rule._asdict() for rule in saturation.translations.rules])


def load_head(folder: Path) -> tuple[MorphemeHead, Saturation]:
    """Read what ``save_head`` wrote.

    Raises:
        InputError: A file is missing, or names and rows do not belong together.
    """
    try:
        units, head = Morphemes(read_json(folder / UNITS_FILE)), MorphemeHead(**load_file(folder / _HEAD))
        head.activation, described = saved_activation(folder), read_json(folder / HEAD_SETTINGS)
        average, lexical = float(described["average_length"]), bool(described.get("lexical", True))
        lead = float(described.get("lead", 0.0))
        saturation = Saturation(units, average, _translations(folder / _TRANSLATIONS), lexical, lead)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"cannot read the morpheme head: {error}", where=str(folder), fix="Run prepare_backbone again."
        ) from error
    if len(units.names) != len(head.bias):
        raise InputError(
            f"there are {len(units.names)} morphemes but {len(head.bias)} rows",
            where=str(folder),
            fix="Run prepare_backbone again.",
        )
    return head, saturation


def _translations(path: Path) -> Translations:
    """None in a model from before there were any."""
    rows = read_json(path) if path.is_file() else []
    return Translations(Rule(tuple(row["source"]), tuple(row["target"]), float(row["weight"])) for row in rows)


@dataclass(frozen=True)
class _Level:
    """What rows say of passages on average."""

    mean: Tensor
    """Shape [rows]."""
    deviation: Tensor
    """Standard deviation, same shape."""
    size: float
    """Mean absolute value of all."""

    @classmethod
    def of(cls, values: Tensor) -> _Level:
        """Of a table, shape [passages, rows]."""
        return cls(values.mean(0), values.std(0, correction=0), float(values.abs().mean()))

    @classmethod
    def of_products(cls, centers: Tensor, rows: Tensor) -> _Level:
        """Of ``centers @ rows.T``, which is never held whole."""
        parts = [cls.of(centers @ rows[start : start + _AT_ONCE].T) for start in range(0, len(rows), _AT_ONCE)]
        size = sum(part.size * len(part.mean) for part in parts) / len(rows)
        return cls(torch.cat([part.mean for part in parts]), torch.cat([part.deviation for part in parts]), size)


def _standardised(level: _Level, rows: Tensor, share: float | Tensor) -> tuple[Tensor, Tensor]:
    """Rows and biases whose logit is ``share * (z - shift)`` for the z-score of what the rows say, per unit.

    A unit that says the same of all passages, up to rounding, keeps its values: nothing divides by almost zero.
    """
    deviation = torch.where(level.deviation > 1e-4 * min(level.size, 1.0), level.deviation, 1.0)
    return rows * (share / deviation)[:, None], -share * (level.mean / deviation + _SHIFT)
