"""The pipeline as Kubernetes objects, which KFP can keep instead of its own database, passes the types."""

import yaml
from kfp import compiler
from kfp.compiler.compiler_utils import KubernetesManifestOptions

from k8s.check import typed
from pipelines.retrieval import kosparse_pipeline


def test_compiled_pipeline_and_version_are_typed(tmp_path):
    path = tmp_path / "kosparse.yaml"
    options = KubernetesManifestOptions(pipeline_name="kosparse", namespace="kosparse", include_pipeline_manifest=True)
    compiler.Compiler().compile(
        kosparse_pipeline(), str(path), kubernetes_manifest_format=True, kubernetes_manifest_options=options
    )
    documents = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))

    assert [document["kind"] for document in documents] == ["Pipeline", "PipelineVersion"]
    assert typed.check(documents) == []
