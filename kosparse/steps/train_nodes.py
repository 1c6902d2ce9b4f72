"""``train_sparse`` on several nodes: what the step does, and what each node does.

The step puts its inputs into the object store, starts a TrainJob and waits for it; its nodes run the very same step,
each in its processes, and the first leaves the model.
"""

from __future__ import annotations

import os
import signal
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from kosparse.config import TrainSparseConfig
from kosparse.errors import ConfigError
from kosparse.jsonl import read_json, write_json
from kosparse.settings import Settings, settings
from kosparse.sparse.node_data import NodeData
from kosparse.steps.runtime import Metrics


def train_on_nodes(config: TrainSparseConfig, inputs: Mapping[str, Path], outputs: Mapping[str, Path]) -> Metrics:
    """Have ``config.nodes`` pods train, and bring back what they wrote.

    Args:
        config: Of the step.
        inputs: Files and folders of the step, by name.
        outputs: Where its own are wanted, by name.

    Raises:
        ConfigError: There is no cluster, or no object store.
        ServiceError: The training fails; the next attempt goes on from its checkpoint.
        KeyboardInterrupt: The pod is told to end; the TrainJob is taken away first.
    """
    from kosparse.adapters.store_s3 import open_store
    from kosparse.adapters.train_job_kubernetes import KubernetesTrainJob

    current = settings()
    _require_cluster(config, current)
    job = KubernetesTrainJob(config, current.run_id)
    data = NodeData(open_store(), f"{current.node_data.rstrip('/')}/{job.name}")
    with tempfile.TemporaryDirectory() as folder, _told_to_end():
        settled, numbers = Path(folder) / "config", Path(folder) / "metrics"
        write_json(settled, config.model_copy(update={"nodes": 1}).model_dump(mode="json"))
        try:
            data.give("inputs", {**inputs, "config": settled})
            job.run(data.address, _environment(current))
            data.take("outputs", {**outputs, "metrics": numbers})
        finally:
            data.forget()
        metrics: Metrics = read_json(numbers)
    return metrics


def train_as_node(address: str) -> None:
    """One process of a node: fetch the inputs, train with the others, and leave the model if it is the first.

    Raises:
        KosparseError: As ``train_sparse`` does.
    """
    from kosparse.adapters.store_s3 import open_store
    from kosparse.steps.train_sparse import run

    data = NodeData(open_store(), address)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        inputs = {name: place / name for name in run.inputs}
        outputs = {name: place / name for name in run.outputs}
        data.take("inputs", {**inputs, "config": place / "config"})
        metrics = run(config=read_json(place / "config"), **inputs, **outputs)
        if settings().rank:
            return
        write_json(place / "metrics", metrics)
        data.give("outputs", {**outputs, "metrics": place / "metrics"})


def _require_cluster(config: TrainSparseConfig, current: Settings) -> None:
    if "KUBERNETES_SERVICE_HOST" not in os.environ:
        raise ConfigError(
            f"{config.nodes} nodes are asked for, and this is no cluster",
            where="train_sparse.nodes",
            fix="Set train_sparse.nodes=1; on machines of your own start the step by torchrun (docs/training.md).",
        )
    if not current.s3_endpoint:
        raise ConfigError(
            f"{config.nodes} nodes need an object store to find their inputs in",
            where="S3_ENDPOINT",
            fix="Set s3_endpoint in the ConfigMap kosparse, or train_sparse.nodes=1.",
        )


def _environment(current: Settings) -> dict[str, str]:
    """What nodes must know of this step's environment. Credentials are the runtime's, and nodes are not tracked."""
    return {
        "KOSPARSE_RUN_ID": current.run_id,
        "KOSPARSE_CHECKPOINTS": current.checkpoints,
        "KOSPARSE_EMBEDDER": current.embedder,
        "S3_ENDPOINT": current.s3_endpoint,
        "S3_REGION": current.s3_region,
    }


@contextmanager
def _told_to_end() -> Iterator[None]:
    """A pod that is told to end raises KeyboardInterrupt, so that what it started is taken away."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
