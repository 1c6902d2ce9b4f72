"""Check overlays, or files of manifests: ``python -m k8s.check [overlay or file ...]``; all overlays without."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from k8s.build import Document, build, overlays
from k8s.check import network, pods, policies, references, typed
from k8s.check.objects import Problem
from kosparse.errors import KosparseError

_EXCEPTIONS: list[dict[str, str]] = yaml.safe_load(
    Path(__file__).with_name("exceptions.yaml").read_text(encoding="utf-8")
)


def problems(documents: Sequence[Document], *, whole: bool = True) -> list[Problem]:
    """What is wrong with some objects, exceptions included.

    Args:
        documents: The objects, seen together.
        whole: They are a whole deployment, so that references and flows must be closed within them.
    """
    found = typed.check(documents)
    if found:  # the other checks rely on types
        return found
    found = pods.check(documents)
    if whole:
        found += policies.check(documents) + references.check(documents) + network.check(documents)
    return found


def excepted(problem: Problem) -> dict[str, str] | None:
    """The exception that covers a problem."""
    for exception in _EXCEPTIONS:
        if (exception["rule"], exception["object"]) == (problem.rule, problem.where) and exception.get(
            "what", ""
        ) in problem.what:
            return exception
    return None


def main(arguments: Sequence[str] | None = None) -> int:
    """Check what is named and print what is wrong; return the exit status."""
    names = list(sys.argv[1:] if arguments is None else arguments)
    used: list[Any] = []
    wrong = 0
    try:
        for name in names or overlays():
            is_file = name.endswith((".yaml", ".yml"))
            documents = _read(Path(name)) if is_file else build(name)
            found = problems(documents, whole=not is_file)
            used += [exception for problem in found if (exception := excepted(problem))]
            bad = [problem for problem in found if not excepted(problem)]
            wrong += len(bad)
            print(f"{name}: {len(documents)} objects, {len(bad)} problems, {len(found) - len(bad)} exceptions")
            for problem in bad:
                print(f"  {problem}")
    except KosparseError as error:
        print(error.message, file=sys.stderr)
        return error.exit_code
    for exception in _EXCEPTIONS if not names else []:
        if exception not in used:
            wrong += 1
            print(f"exceptions.yaml: {exception['object']} keeps the rule {exception['rule']} now, remove it")
    return 1 if wrong else 0


def _read(path: Path) -> list[Document]:
    return [document for document in yaml.safe_load_all(path.read_text(encoding="utf-8")) if document]


if __name__ == "__main__":
    sys.exit(main())
