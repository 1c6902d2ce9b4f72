"""Ask the network policies who reaches whom, and compare with ``flows.yaml``."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from k8s.build import Document
from k8s.check.objects import Problem, matches, namespace_of, of_kind, pods
from k8s.credentials import places

_FLOWS: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("flows.yaml").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class End:
    """One end of a flow: a pod of a namespace, or an address outside."""

    namespace: str
    labels: dict[str, str]
    address: str = ""


class Network:
    """The policies of a build, and the labels of its namespaces."""

    def __init__(self, documents: Iterable[Document]) -> None:
        documents = list(documents)
        self._policies = of_kind(documents, "NetworkPolicy")
        self._namespaces = {
            document["metadata"]["name"]: document["metadata"].get("labels") or {}
            for document in of_kind(documents, "Namespace")
        }

    def allows(self, source: End, target: End, port: int, protocol: str = "TCP") -> bool:
        """Whether traffic may leave the source and enter the target."""
        return self._passes("Egress", source, target, port, protocol) and self._passes(
            "Ingress", target, source, port, protocol
        )

    def _passes(self, direction: str, end: End, other: End, port: int, protocol: str) -> bool:
        if end.address:
            return True
        selecting = [policy["spec"] for policy in self._policies if self._selects(policy, direction, end)]
        rules = [rule for spec in selecting for rule in spec.get(direction.lower()) or []]
        return not selecting or any(self._takes(rule, direction, end, other, port, protocol) for rule in rules)

    @staticmethod
    def _selects(policy: Document, direction: str, end: End) -> bool:
        spec = policy["spec"]
        types = spec.get("policyTypes") or (["Ingress", "Egress"] if "egress" in spec else ["Ingress"])
        return (
            namespace_of(policy) == end.namespace
            and direction in types
            and matches(spec.get("podSelector") or {}, end.labels)
        )

    def _takes(self, rule: dict[str, Any], direction: str, end: End, other: End, port: int, protocol: str) -> bool:
        peers, ports = rule.get("to" if direction == "Egress" else "from"), rule.get("ports")
        return (not peers or any(self._is(peer, end, other) for peer in peers)) and (
            not ports
            or any(each.get("port") in (None, port) and each.get("protocol", "TCP") == protocol for each in ports)
        )

    def _is(self, peer: dict[str, Any], end: End, other: End) -> bool:
        """Whether a peer, as a policy in the namespace of ``end`` writes it, is ``other``."""
        if block := peer.get("ipBlock"):
            return bool(other.address) and _within(other.address, block["cidr"], block.get("except") or [])
        if other.address:
            return False
        spaces = {**self._namespaces.get(other.namespace, {}), "kubernetes.io/metadata.name": other.namespace}
        inside = matches(peer["namespaceSelector"], spaces) if "namespaceSelector" in peer else None
        if inside is None:
            inside = other.namespace == end.namespace
        return inside and matches(peer.get("podSelector") or {}, other.labels)


def check(documents: Iterable[Document]) -> list[Problem]:
    """Flows that are needed and closed, or forbidden and open."""
    documents = list(documents)
    ends, network = _ends(documents), Network(documents)
    needed = _FLOWS["needed"] + (_FLOWS["needed_without_services"] if "services" not in places(documents) else [])
    closed = [flow for flow in needed if _allowed(network, ends, flow) is False]
    open_ = [flow for flow in _FLOWS["forbidden"] if _allowed(network, ends, flow)]
    return [Problem("flows", flow, "is needed, and a policy forbids it") for flow in closed] + [
        Problem("flows", flow, "must not be, and no policy forbids it") for flow in open_
    ]


def _allowed(network: Network, ends: Mapping[str, End], flow: str) -> bool | None:
    """Whether a flow may be; None where one of its ends is not in the build."""
    source, _, rest = flow.partition(" -> ")
    target, _, port = rest.partition(":")
    number, _, protocol = port.partition("/")
    if source not in ends or target not in ends:
        return None
    return network.allows(ends[source], ends[target], int(number), protocol or "TCP")


def _ends(documents: list[Document]) -> dict[str, End]:
    """The pods of ``flows.yaml`` that a build has, by the names they have there."""
    where, found = places(documents), {}
    made = {pod.kind: End(pod.namespace, pod.labels) for pod in pods(documents)}
    for name, pod in _FLOWS["pods"].items():
        namespace = pod.get("namespace") or where.get(pod.get("part", ""))
        if "address" in pod:
            found[name] = End("", {}, pod["address"])
        elif pod.get("of") in made:
            found[name] = made[pod["of"]]
        elif namespace:
            found[name] = End(namespace, pod["labels"])
    return found


def _within(address: str, block: str, excepted: list[str]) -> bool:
    found = ipaddress.ip_address(address)
    return found in ipaddress.ip_network(block) and not any(found in ipaddress.ip_network(part) for part in excepted)
