"""The report's first lines: may this model be promoted, and what speaks against it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from kosparse.evaluation.results import Comparison, Results
from kosparse.evaluation.slices import Slice

SIGNIFICANT = 0.05

Level = Literal["good", "unclear", "bad"]


@dataclass(frozen=True)
class Line:
    """One sentence in both languages."""

    ko: str
    en: str


@dataclass(frozen=True)
class Verdict:
    """What the numbers say; the decision stays with the reader."""

    level: Level
    headline: Line
    reasons: list[Line]
    cautions: list[Line]


def judge(found: Results) -> Verdict:
    """Good: alone or fused, the model beats BM25 beyond chance and nothing speaks against the measurement.

    Bad: it is worse than BM25 alone and fused. Everything else is unclear.
    """
    compared = {row.system: row for row in found.comparisons}
    outcomes = {name: outcome(compared[name]) for name in ("sparse", "fusion")}
    cautions = _cautions(found)
    if _lost_to_champion(found):
        cautions.insert(0, Line("지금 쓰는 모델보다 못합니다", "Worse than the champion"))
    if "better" in outcomes.values() and not cautions:
        level: Level = "good"
    elif set(outcomes.values()) == {"worse"}:
        level = "bad"
    else:
        level = "unclear"
    reasons = [_sentence(compared[name], outcome) for name, outcome in outcomes.items()] + _champion(found)
    return Verdict(level, _headline(level, outcomes), reasons, cautions)


def outcome(row: Comparison | Slice) -> Literal["better", "worse", "same"]:
    """What a comparison says at the 5 % level, corrected for the number of comparisons."""
    if row.p_corrected >= SIGNIFICANT or row.difference == 0:
        return "same"
    return "better" if row.difference > 0 else "worse"


def _lost_to_champion(found: Results) -> bool:
    difference = found.champion.difference if found.champion else None
    return difference is not None and difference.difference < 0 and difference.p < SIGNIFICANT


def _champion(found: Results) -> list[Line]:
    """One sentence on the model in use, where there is one."""
    if found.champion is None:
        return []
    version, row = found.champion.version, found.champion.difference
    if row is None:
        return [
            Line(
                f"지금 쓰는 모델(버전 {version})과 함께 평가한 질의가 없습니다",
                f"No query was measured on the champion (version {version}) too",
            )
        ]
    low, high = row.interval
    numbers = f"{found.primary} {row.difference:+.3f} [{low:+.3f}, {high:+.3f}], p {p_text(row.p)}"
    shared = found.champion.queries
    return [
        Line(
            f"지금 쓰는 모델(버전 {version})과의 차이, 함께 평가한 질의 {shared}개: {numbers}",
            f"Against the champion (version {version}) on {shared} shared queries: {numbers}",
        )
    ]


_NAMES = {"sparse": Line("희소 모델", "the sparse model"), "fusion": Line("BM25와의 결합", "its fusion with BM25")}


def _headline(level: Level, outcomes: Mapping[str, str]) -> Line:
    if level == "good":
        winners = [name for name in ("sparse", "fusion") if outcomes[name] == "better"]
        ko, en = ("·".join(_NAMES[name].ko for name in winners), " and ".join(_NAMES[name].en for name in winners))
        return Line(f"승격을 검토할 만합니다: {ko}, BM25보다 낫습니다", f"Worth promoting: {en} beat BM25")
    if level == "bad":
        return Line("승격하지 마십시오: BM25보다 못합니다", "Do not promote: worse than BM25, alone and fused")
    if "better" in outcomes.values():
        return Line("BM25보다 낫지만 아래 단서를 보십시오", "Better than BM25, with the reservations below")
    return Line("아직 판단할 수 없습니다", "Not decided: no gain over BM25 that chance cannot explain")


def _sentence(row: Comparison, outcome: str) -> Line:
    ko = {"better": "더 낫습니다", "worse": "더 못합니다", "same": "차이가 있다고 할 수 없습니다"}[outcome]
    en = {"better": "is better than BM25", "worse": "is worse than BM25", "same": "cannot be told apart from BM25"}
    low, high = row.interval
    numbers = f"{row.metric} {row.difference:+.3f} [{low:+.3f}, {high:+.3f}], p {p_text(row.p_corrected)}"
    name = _NAMES[row.system]
    return Line(f"{name.ko}: BM25와 견주어 {ko} ({numbers})", f"{_capital(name.en)} {en[outcome]} ({numbers})")


def _cautions(found: Results) -> list[Line]:
    cautions = []
    if found.judgements != "real":
        cautions.append(
            Line(
                "실제 질의가 없어 학습에서 뺀 합성 질의로 평가했습니다",
                "No real queries: measured on held-out synthetic ones",
            )
        )
    if found.queries < 50:
        cautions.append(Line(f"평가 질의가 {found.queries}개뿐입니다", f"Only {found.queries} queries were evaluated"))
    shared = found.contamination.evaluated_queries_shared
    if shared:
        cautions.append(
            Line(f"평가 질의 {shared}개가 학습에 쓰였습니다", f"{shared} evaluated queries were also trained on")
        )
    left_out = sum(found.left_out.values())
    if left_out:
        cautions.append(Line(f"쓸 수 없는 판정 {left_out}개를 뺐습니다", f"{left_out} judgements could not be used"))
    return cautions


def p_text(p: float) -> str:
    """A p-value as papers print it.

    >>> p_text(0.00009), p_text(0.0312), p_text(0.5)
    ('< 0.001', '= 0.031', '= 0.50')
    """
    if p < 0.001:
        return "< 0.001"
    return f"= {p:.3f}" if p < 0.1 else f"= {p:.2f}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
