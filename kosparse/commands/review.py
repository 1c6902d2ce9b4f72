"""``kosparse review``, ``promote``, ``rollback``: a person decides which registered model is used."""

from __future__ import annotations

import getpass
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from kosparse.adapters.review_mlflow import CHALLENGER, CHAMPION, MlflowReview, RegisteredVersion
from kosparse.config.promotion import PromotionPolicy
from kosparse.errors import ConfigError, InputError, ServiceError
from kosparse.evaluation.review import Gate, Measured, Review, gates, review
from kosparse.evaluation.verdict import p_text
from kosparse.settings import settings

_PREVIOUS = "kosparse.previous_champion"


def show(name: str, version: str, policy: Path | None) -> None:
    """Print challenger against champion, and what the policy says.

    Args:
        name: Of the registered model.
        version: To look at; empty for the one called challenger.
        policy: YAML file of gates; None for the defaults.
    """
    registry, rules = open_registry(name), PromotionPolicy.read(policy)
    candidate = registry.version(version) if version else registry.of_alias(CHALLENGER)
    if candidate is None:
        raise InputError(f"no version of {name} is called {CHALLENGER}", where=name, fix="Name one: --version N.")
    found = _compare(registry, candidate, registry.of_alias(CHAMPION))
    _print(found)
    checked = gates(found, rules)
    _print_gates(checked)
    if all(gate.passed for gate in checked):
        print(f"Nothing speaks against it: kosparse promote {candidate.number}")


def promote(name: str, version: str, policy: Path | None, *, force: bool, reason: str) -> None:
    """Make a version the champion, if the policy's gates hold or somebody takes the responsibility.

    Raises:
        InputError: A gate does not hold.
        ConfigError: Forced without a reason.
        ServiceError: Another promotion is going on.
    """
    if force and not reason.strip():
        raise ConfigError("a forced promotion needs a reason", where="--force", fix='Add --reason "why".')
    registry, rules = open_registry(name), PromotionPolicy.read(policy)
    with registry.lock():
        candidate, champion = registry.version(version), registry.of_alias(CHAMPION)
        if champion is not None and champion.number == candidate.number:
            print(f"version {version} of {name} is the champion already")
            return
        failed = [gate for gate in gates(_compare(registry, candidate, champion), rules) if not gate.passed]
        if failed and not force:
            raise InputError(
                "the policy speaks against it: " + "; ".join(f"{gate.name}: {gate.said}" for gate in failed),
                where=f"{name} version {version}",
                fix='Train a better one, change the policy, or take the responsibility: --force --reason "why".',
            )
        registry.tag(
            candidate.number,
            {
                "validation_status": "forced" if failed else "approved",
                "kosparse.promoted_at": datetime.now(UTC).isoformat(timespec="seconds"),
                "kosparse.promoted_by": os.environ.get("MLFLOW_TRACKING_USERNAME") or getpass.getuser(),
                "kosparse.promotion_reason": reason,
                "kosparse.promotion_gates_failed": ", ".join(gate.name for gate in failed),
                _PREVIOUS: champion.number if champion else "",
            },
        )
        registry.set_alias(CHAMPION, candidate.number)
    print(f"version {version} of {name} is the champion" + (f", was {champion.number}" if champion else ""))


def rollback(name: str, reason: str) -> None:
    """Give the alias back to the version that was champion before.

    Raises:
        InputError: There is no champion, or none before it.
    """
    registry = open_registry(name)
    with registry.lock():
        champion = registry.of_alias(CHAMPION)
        previous = champion.tags.get(_PREVIOUS, "") if champion else ""
        if champion is None or not previous:
            raise InputError(
                f"there is no earlier champion of {name} to go back to", where=name, fix="Promote one: promote N."
            )
        registry.version(previous)
        registry.tag(
            champion.number, {"validation_status": "rolled_back", "kosparse.rollback_reason": reason or "not given"}
        )
        registry.set_alias(CHAMPION, previous)
    print(f"version {previous} of {name} is the champion again, was {champion.number}")


def open_registry(name: str) -> MlflowReview:
    """The registry that the environment names.

    Raises:
        ServiceError: It names none.
    """
    uri = settings().mlflow_uri
    if not uri:
        raise ServiceError(
            "no registry is named",
            where="MLFLOW_TRACKING_URI",
            fix="Set it to your MLflow; `make review` uses that of local runs.",
        )
    return MlflowReview(uri, name)


def _compare(registry: MlflowReview, candidate: RegisteredVersion, champion: RegisteredVersion | None) -> Review:
    other = measured(registry, champion) if champion and champion.number != candidate.number else None
    return review(measured(registry, candidate), other)


def measured(registry: MlflowReview, version: RegisteredVersion) -> Measured:
    """What a version brings along; errors as for ``Measured.parse`` and ``MlflowReview.artifact``."""
    return Measured.parse(version.number, *registry.measured(version).values())


def _print(found: Review) -> None:
    new = found.challenger
    print(f"version {new.version}: {new.results.queries} {new.results.judgements} queries")
    if found.champion is None:
        for metric, value in new.results.systems["sparse"].metrics.items():
            print(f"  {metric:12} {value:.4f}")
        print("there is no champion to compare with")
        return
    print(f"champion: version {found.champion.version}; {found.shared} queries measured for both")
    for metric, (old, value) in found.means.items():
        print(f"  {metric:12} {old:.4f} -> {value:.4f}  {value - old:+.4f}")
    if found.difference:
        low, high = found.difference.interval
        better, worse = found.difference.better, found.difference.worse
        print(f"  {found.difference.difference:+.4f} [{low:+.4f}, {high:+.4f}], p {p_text(found.difference.p)}", end="")
        print(f", {better} queries better, {worse} worse")
    for word, rows in (("won", found.won), ("lost", found.lost)):
        for row in rows:
            print(f"  {word:5} {row.champion:.2f} -> {row.challenger:.2f}  {row.query}")


def _print_gates(checked: Sequence[Gate]) -> None:
    for gate in checked:
        print(f"  {'✔' if gate.passed else '✘'} {gate.name}: {gate.said}")
