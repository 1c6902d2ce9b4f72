"""The Kubernetes object of a training on several nodes, as data: a TrainJob of Kubeflow's Trainer 2.

It says what differs from run to run. What a node is (memory, GPUs, place, security, credentials) stands in the
TrainingRuntime it names: ``k8s/components/trainer``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kosparse.config import TrainSparseConfig
from kosparse.llm.manifests import RUN_LABEL, Owner, run_name

GROUP, VERSION, PLURAL = "trainer.kubeflow.org", "v1alpha1", "trainjobs"
NODE_LABEL = "app.kubernetes.io/name"
NODE_NAME = "kosparse-train"


def run_label(run_id: str) -> str:
    """What TrainJobs of one run carry under ``RUN_LABEL``."""
    return run_name(NODE_NAME, run_id)


def train_job(
    config: TrainSparseConfig,
    *,
    name: str,
    run_id: str,
    image: str,
    address: str,
    environment: Mapping[str, str],
    owner: Owner | None = None,
) -> dict[str, Any]:
    """A TrainJob that runs ``kosparse train-node`` by torchrun, which Trainer tells where the others are.

    Args:
        config: Of the step.
        name: Of the object: at most 40 characters, for the names of its pods are longer.
        run_id: The run it belongs to.
        image: Of the nodes.
        address: Where they find inputs and leave the model.
        environment: Plain variables; nothing secret.
        owner: Object that takes it along when it goes.

    Returns:
        A ``trainer.kubeflow.org/v1alpha1`` TrainJob. Trainer before 2.2 drops ``activeDeadlineSeconds``.
    """
    metadata: dict[str, Any] = {"name": name, "labels": {NODE_LABEL: NODE_NAME, RUN_LABEL: run_label(run_id)}}
    if owner:
        metadata["ownerReferences"] = [{**owner, "controller": False, "blockOwnerDeletion": False}]
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "TrainJob",
        "metadata": metadata,
        "spec": {
            "runtimeRef": {"apiGroup": GROUP, "kind": "TrainingRuntime", "name": config.node_runtime},
            "activeDeadlineSeconds": config.nodes_deadline_seconds,
            "trainer": {
                "image": image,
                "command": ["torchrun", "--module", "kosparse.cli", "train-node", address],
                "numNodes": config.nodes,
                "numProcPerNode": config.node_processes,
                "env": [{"name": key, "value": value} for key, value in environment.items() if value],
            },
        },
    }
