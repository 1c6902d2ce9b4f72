"""What every pod must be: within the restricted Pod Security profile, bounded, watched, and of a known image."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from k8s.build import Document
from k8s.check.objects import Pod, Problem, of_kind, pods

_VOLUMES = {
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret",
}  # fmt: skip
"""Kinds of volume that the restricted profile allows."""
_TAG = re.compile(r"[\w.][\w.-]*")
_LONG_LIVED = ("Deployment", "StatefulSet", "InferenceService")

Container = dict[str, Any]


def check(documents: Iterable[Document]) -> list[Problem]:
    """What is wrong with the pods of some objects."""
    documents = list(documents)
    found = [Problem(rule, pod.where, what) for pod in pods(documents) for rule, what in _pod(pod)]
    for job in of_kind(documents, "TrainJob"):  # its pod is the runtime's, the image is ours
        image = str(((job.get("spec") or {}).get("trainer") or {}).get("image", ""))
        found += [Problem("image", f"TrainJob {job['metadata'].get('name')}", what) for what in _image(image)]
    return found


def _pod(pod: Pod) -> Iterator[tuple[str, str]]:
    for rule, rule_of_pod in _POD_RULES.items():
        for what in rule_of_pod(pod):
            yield rule, what
    for container in pod.containers():
        for rule, rule_of_container in _CONTAINER_RULES.items():
            for what in rule_of_container(container, pod):
                yield rule, f"container {container.get('name')}: {what}"


def _host(pod: Pod) -> Iterator[str]:
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.spec.get(key):
            yield f"{key} is on"
    for volume in pod.spec.get("volumes") or []:
        for kind in volume.keys() - {"name"} - _VOLUMES:
            yield f"volume {volume.get('name')} is a {kind}"


def _token(pod: Pod) -> Iterator[str]:
    if pod.spec.get("automountServiceAccountToken") is not False:
        yield "a token of the Kubernetes API is mounted"


def _restricted(container: Container, pod: Pod) -> Iterator[str]:
    own, shared = container.get("securityContext") or {}, pod.spec.get("securityContext") or {}
    if own.get("privileged"):
        yield "is privileged"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "may gain privileges"
    if not own.get("runAsNonRoot", shared.get("runAsNonRoot")):
        yield "may run as root"
    if own.get("runAsUser", shared.get("runAsUser")) == 0:
        yield "runs as root"
    capabilities = own.get("capabilities") or {}
    if capabilities.get("drop") != ["ALL"] or capabilities.get("add"):
        yield "does not drop all capabilities"
    profile = own.get("seccompProfile") or shared.get("seccompProfile") or {}
    if profile.get("type") not in ("RuntimeDefault", "Localhost"):
        yield "has no seccomp profile"
    if own.get("procMount", "Default") != "Default" or any(port.get("hostPort") for port in container.get("ports", [])):
        yield "reaches into the host"


def _read_only(container: Container, _: Pod) -> Iterator[str]:
    if (container.get("securityContext") or {}).get("readOnlyRootFilesystem") is not True:
        yield "its root file system can be written"


def _resources(container: Container, _: Pod) -> Iterator[str]:
    resources = container.get("resources") or {}
    for sort in ("requests", "limits"):
        for resource in ("cpu", "memory"):
            if resource not in (resources.get(sort) or {}):
                yield f"has no {sort}.{resource}"


def _probes(container: Container, pod: Pod) -> Iterator[str]:
    if pod.kind in _LONG_LIVED and container in pod.spec.get("containers", []):
        for probe in ("readinessProbe", "livenessProbe"):
            if probe not in container:
                yield f"has no {probe}"


def _images(container: Container, _: Pod) -> Iterator[str]:
    yield from _image(str(container.get("image", "")))


def _image(image: str) -> Iterator[str]:
    """A tag or a digest, and the tag says which version."""
    name, at, digest = image.partition("@")
    _, colon, tag = name.rpartition("/")[2].partition(":")
    if at and digest.startswith("sha256:"):
        return
    if not colon or not _TAG.fullmatch(tag):
        yield f"image {image!r} has no tag"
    elif not any(character.isdigit() for character in tag):
        yield f"image {image!r} has a tag that moves"


_POD_RULES: dict[str, Callable[[Pod], Iterator[str]]] = {"host": _host, "token": _token}
_CONTAINER_RULES: dict[str, Callable[[Container, Pod], Iterator[str]]] = {
    "restricted": _restricted,
    "read-only": _read_only,
    "resources": _resources,
    "probes": _probes,
    "image": _images,
}
