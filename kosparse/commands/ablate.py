"""``kosparse ablate``: train variants of a finished run, several seeds each, and compare them on its test queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2

from kosparse import progress
from kosparse.commands.finished_run import FinishedRun
from kosparse.errors import ConfigError
from kosparse.evaluation import plots
from kosparse.evaluation.ablation import (
    REFERENCE,
    VARIANTS,
    AblationRow,
    Baseline,
    SeedResult,
    same_recipe_pairs,
    seed_spread,
    summarise,
)
from kosparse.evaluation.metrics import PRIMARY, evaluate_run
from kosparse.evaluation.verdict import p_text
from kosparse.jsonl import read_json, write_json, write_lines


def run(folder: Path, variants: Sequence[str], seeds: Sequence[int], output: Path) -> None:
    """Train and evaluate what is not there yet, then write ``ablation.json`` and ``ablation.html``.

    Args:
        folder: A finished run.
        variants: Of ``VARIANTS``; the reference is always among them.
        seeds: At least one.
        output: Where each training's result is kept, so that a second call goes on where the first ended. What lies
            there of the same variants with other seeds counts as well.

    Raises:
        ConfigError: There is no such variant.
        InputError: The folder is not a finished run, or it has no real test queries.
    """
    unknown = sorted(set(variants) - set(VARIANTS))
    if unknown:
        raise ConfigError(f"no such variant: {', '.join(unknown)}", where="--variants", fix=f"Known: {_names()}.")
    finished = FinishedRun(folder)
    chosen = list(dict.fromkeys([REFERENCE, *variants]))
    wanted = [(name, seed) for name in chosen for seed in (seeds if name != "untrained" else seeds[:1])]
    trainings = output / "trainings"
    for name, seed in progress.track(wanted, "ablation", unit="trainings"):
        kept = trainings / f"{name}-{seed}.json"
        if not kept.exists():
            write_json(kept, finished.train(name, VARIANTS[name], seed).model_dump())
    results = [result for name in chosen for result in _kept(trainings, name)]
    bm25 = evaluate_run(finished.judged.qrels, finished.bm25)[PRIMARY]
    rows, others = summarise(results, bm25), _baselines(finished, output / "baselines.json")
    pairs, different = same_recipe_pairs(results)
    result = {
        "queries": len(results[0].values),
        "seed_spread": round(seed_spread(results), 5),
        "pairs_of_seeds": pairs,
        "pairs_of_seeds_called_different": different,
        "cross_script_queries": {each.name: len(each.queries) for each in finished.cross_script},
        "rows": [row.model_dump() for row in rows],
        "baselines": [row.model_dump() for row in others],
    }
    write_json(output / "ablation.json", result)
    write_lines(output / "ablation.html", [_html(rows, others, result)])
    print(_table(rows, others))
    print(
        f"between seeds ± {result['seed_spread']:.4f}; of {pairs} pairs of one variant {different} are called different"
    )
    print(f"{output}/ablation.html")


def _kept(trainings: Path, name: str) -> list[SeedResult]:
    """Of a variant, by seed."""
    found = [SeedResult.model_validate(read_json(path)) for path in trainings.glob(f"{name}-*.json")]
    return sorted(found, key=lambda result: result.seed)


def _baselines(finished: FinishedRun, kept: Path) -> list[Baseline]:
    if not kept.exists():
        write_json(kept, [row.model_dump() for row in finished.baselines()])
    return [Baseline.model_validate(row) for row in read_json(kept)]


def _names() -> str:
    return ", ".join(VARIANTS)


def _table(rows: Sequence[AblationRow], others: Sequence[Baseline]) -> str:
    crossed = list(rows[0].cross_script)
    heads = "".join(f"{name:>8}" for name in crossed)
    lines = [
        f"{'variant':18}{PRIMARY:>9}{'± seeds':>9}{'Δ':>9}{'p':>9}{'p BM25':>9}{'+ BM25':>9}"
        f"{'dims':>7}{'seconds':>9}{heads}"
    ]
    for row in rows:
        p = "" if row.p_corrected is None else _p(row.p_corrected)
        lines.append(
            f"{row.variant:18}{row.metric:9.4f}{row.spread:9.4f}{row.difference:+9.4f}{p:>9}{_p(row.p_bm25):>9}"
            f"{row.fused:9.4f}{row.active_dims_doc:7.0f}{row.seconds:9.0f}{_crossed(row, crossed)}"
        )
    return "\n".join(lines + [f"{row.system:18}{row.metric:9.4f}{'':61}{_crossed(row, crossed)}" for row in others])


def _p(value: float) -> str:
    return p_text(value).replace("= ", "")


def _crossed(row: AblationRow | Baseline, directions: Sequence[str]) -> str:
    return "".join(f"{row.cross_script[name]:8.4f}" for name in directions)


def _html(rows: Sequence[AblationRow], others: Sequence[Baseline], result: Mapping[str, Any]) -> str:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("kosparse.evaluation"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals.update(bar=plots.bar, p_text=p_text)
    top = max(row.interval[1] for row in rows)
    page = environment.get_template("ablation.html.jinja")
    return page.render(rows=rows, others=others, result=result, top=top, metric=PRIMARY)
