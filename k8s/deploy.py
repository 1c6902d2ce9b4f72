"""Bring an overlay to the cluster kubectl points at, or take it away.

``python -m k8s.deploy up OVERLAY`` and ``python -m k8s.deploy down OVERLAY [--purge]``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterable, Sequence

from k8s import build, credentials
from k8s.build import Document
from k8s.check.__main__ import excepted, problems
from k8s.check.objects import name_of, namespace_of, of_kind
from kosparse.errors import ConfigError, KosparseError, ServiceError
from kosparse.korean import message

_EXAMPLE = "example.com"
_KEEP = "kosparse/keep"
"""Label of what holds data: it stays when the rest is taken away."""
_PART_OF = "app.kubernetes.io/part-of"


class Kubectl:
    """kubectl, with the context it has."""

    def run(self, *arguments: str, text: str = "") -> str:
        """Run it with some standard input; return what it prints.

        Raises:
            ServiceError: It fails; with the last line of what it says.
        """
        done = subprocess.run([build.kubectl(), *arguments], input=text, capture_output=True, text=True, check=False)
        if done.returncode:
            reason = done.stderr.strip().splitlines()[-1:] or [f"status {done.returncode}"]
            raise ServiceError(
                f"kubectl {arguments[0]} fails: {reason[0]}",
                where="the cluster of `kubectl config current-context`",
                fix="docs/operations.md, troubleshooting, tells what to look at.",
            )
        return done.stdout


def up(cluster: credentials.Cluster, documents: Sequence[Document], *, wait_seconds: int = 600) -> None:
    """Check the objects, make missing Secrets, apply, and wait until everything is ready.

    Raises:
        ConfigError: Problems, or addresses that are still examples.
        ServiceError: kubectl fails.
    """
    _require_sound(documents)
    _apply(cluster, of_kind(documents, "Namespace"))
    for line in credentials.ensure(cluster, documents):
        print(line)
    print(_apply(cluster, documents), end="")
    for document in of_kind(documents, "StatefulSet", "Deployment"):
        place, name = namespace_of(document), f"{document['kind'].lower()}/{document['metadata']['name']}"
        cluster.run("rollout", "status", name, "--namespace", place, f"--timeout={wait_seconds}s")
        print(f"{name} is ready")
    for document in of_kind(documents, "Job"):
        place, name = namespace_of(document), f"job/{document['metadata']['name']}"
        cluster.run("wait", name, "--namespace", place, "--for=condition=complete", f"--timeout={wait_seconds}s")
        print(f"{name} is complete")


def down(cluster: credentials.Cluster, documents: Iterable[Document], *, purge: bool = False) -> None:
    """Take the objects away: all but namespaces and claims, with ``purge`` these and the Secrets too."""
    documents = list(documents)
    going = [document for document in documents if not _is_kept(document)]
    print(_delete(cluster, going), end="")
    if purge:
        # A namespace that is not ours, such as kubeflow, is only labelled by us: it stays.
        ours = [document for document in documents if _is_kept(document) and _is_ours(document)]
        print(_delete(cluster, [*credentials.made(documents), *ours]), end="")


def _require_sound(documents: Sequence[Document]) -> None:
    found = [str(problem) for problem in problems(documents) if not excepted(problem)]
    if found:
        raise ConfigError("\n".join(found), where="manifests", fix="make manifests-check")
    for document in documents:
        if _EXAMPLE in json.dumps(document):
            raise ConfigError(
                f"{_EXAMPLE} stands for an address of yours", where=name_of(document), fix="Write your address there."
            )


def _apply(cluster: credentials.Cluster, documents: Sequence[Document]) -> str:
    return cluster.run("apply", "--filename", "-", text=_list(documents))


def _delete(cluster: credentials.Cluster, documents: Sequence[Document]) -> str:
    return cluster.run("delete", "--ignore-not-found", "--filename", "-", text=_list(documents))


def _list(documents: Sequence[Document]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(documents)})


def _labels(document: Document) -> dict[str, str]:
    return document["metadata"].get("labels") or {}


def _is_kept(document: Document) -> bool:
    return _KEEP in _labels(document)


def _is_ours(document: Document) -> bool:
    return _labels(document).get(_PART_OF) == "kosparse"


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and do it; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m k8s.deploy", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("direction", choices=("up", "down"))
    parser.add_argument("overlay")
    parser.add_argument("--purge", action="store_true", help="with down: namespaces, claims, Secrets and all data too")
    options = parser.parse_args(arguments)
    try:
        documents = build.build(options.overlay)
        if options.direction == "up":
            up(Kubectl(), documents)
        else:
            down(Kubectl(), documents, purge=options.purge)
    except KosparseError as error:
        print(f"kosparse: {message(error)}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
