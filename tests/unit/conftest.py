"""What unit tests of several folders share."""

import os

import pytest


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory):
    """Address of one real MLflow server that keeps its artifacts on disk; tests use names of their own on it."""
    from kosparse.services.mlflow import MlflowServer

    given = {name: value for name, value in os.environ.items() if name != "S3_ENDPOINT"}
    with MlflowServer(tmp_path_factory.mktemp("mlflow"), given) as running:
        yield running.uri
