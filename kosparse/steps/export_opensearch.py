"""``export_opensearch``: the bundle an OpenSearch cluster is set up from."""

from __future__ import annotations

from pathlib import Path

from kosparse import progress
from kosparse.config import ExportOpensearchConfig
from kosparse.errors import ConfigError
from kosparse.export.opensearch import EXAMPLE_PASSAGE, EXAMPLE_QUERY, write_bundle
from kosparse.export.query_weights import dimensions, has_morphemes, query_weights
from kosparse.jsonl import read_json
from kosparse.steps.runtime import InPath, Metrics, OutPath, step


@step
def run(config: ExportOpensearchConfig, *, model: InPath, idf: InPath, synonyms: InPath, bundle: OutPath) -> Metrics:
    """Write the bundle, load its model as its users will, and copy it where the config says.

    Raises:
        InputError: The model cannot be loaded, or does not belong to the IDF.
        ServiceError: The destination cannot be reached.
    """
    place = _destination(config.destination)
    manifest = write_bundle(
        bundle,
        model=model,
        idf=read_json(idf),
        query_weights=query_weights(model),
        terms=dimensions(model),
        synonyms=synonyms,
        example=_example(model),
        fusion_weight=config.fusion_weight,
    )
    if place:
        _upload(bundle, *place)
        progress.note(f"the bundle is at {config.destination}")
    sizes = [entry["bytes"] for entry in manifest["files"].values()]
    return {"files": float(len(sizes)), "bytes": float(sum(sizes))}


def _example(model: Path) -> tuple[dict[str, float], dict[str, float]]:
    """Weights of the example query and passage: by plain sentence-transformers where that is how it is used."""
    if not has_morphemes(model):
        from kosparse.adapters.plain_encoder import example_weights

        return example_weights(model, EXAMPLE_QUERY, EXAMPLE_PASSAGE)
    from kosparse.sparse.model import load_sparse_model

    loaded = load_sparse_model(model, "cpu")
    query, passage = loaded.encode_queries([EXAMPLE_QUERY]), loaded.encode_documents([EXAMPLE_PASSAGE])
    return dict(loaded.explain(query)), dict(loaded.explain(passage))


def _destination(uri: str) -> tuple[str, str] | None:
    """Bucket and prefix of ``s3://bucket/prefix``; None for no destination."""
    if not uri:
        return None
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    if not uri.startswith("s3://") or not bucket:
        raise ConfigError(
            f"not a place for the bundle: {uri!r}",
            where="export_opensearch.destination",
            fix="Give s3://bucket/prefix, or nothing.",
        )
    return bucket, prefix


def _upload(bundle: Path, bucket: str, prefix: str) -> None:
    from kosparse.adapters.store_s3 import open_store

    store = open_store()
    store.ensure_bucket(bucket)
    store.mirror_folder(bundle, bucket, prefix)
