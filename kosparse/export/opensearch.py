"""The bundle: a folder with everything an OpenSearch cluster needs to serve the model.

Layout::

    README.md               what to do, in order
    sparse_encoder/         the sentence-transformers SparseEncoder folder
    idf.json                query weight of each unit, as trained: what a SPARSE_TOKENIZE model takes
    corpus_idf.json         the collection's own IDF, before training
    synonyms/               Solr synonym rules and the dictionary as TSV
    opensearch/             index template, ingest and search pipelines, example queries; what a cluster that
                            weighs by itself needs is left out for a model over morphemes
    opensearch/sparse_vector/  the same for an approximate search, and the names of the dimensions
    ml_commons/             zips of the document encoder and of the query tokenizer, each with the JSON it is
                            registered with; for a model over word pieces
    manifest.json           SHA-256 and size of every other file
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import jinja2

from kosparse.errors import InputError, ResourceError
from kosparse.export import opensearch_json as body
from kosparse.export.hashing import file_hash, files_of
from kosparse.export.ml_commons import write_ml_commons
from kosparse.export.query_weights import has_morphemes
from kosparse.export.sparse_vector import PASSAGE_CEILINGS, query_ceiling, write_sparse_vector
from kosparse.jsonl import read_json, write_json, write_lines

MANIFEST = "manifest.json"
EXAMPLE_QUERY = "셀 보호 방법"
EXAMPLE_PASSAGE = "셀 보호를 설정하면 시트의 내용을 바꿀 수 없습니다."

_README = Path(__file__).with_name("bundle_readme.md.jinja")


def write_bundle(
    folder: Path,
    *,
    model: Path,
    idf: Mapping[str, float],
    query_weights: Mapping[str, float] | None,
    terms: Sequence[str],
    synonyms: Path,
    example: tuple[Mapping[str, float], Mapping[str, float]],
    fusion_weight: float,
) -> dict[str, Any]:
    """Write the bundle and return its manifest.

    Args:
        folder: The new folder.
        model: The trained sentence-transformers folder.
        idf: The collection's IDF by token.
        query_weights: Trained query weight by token; None when queries need the encoder.
        terms: Name of each of the model's dimensions.
        synonyms: Folder of synonym files.
        example: Token weights of ``EXAMPLE_QUERY`` and of ``EXAMPLE_PASSAGE``, by the model.
        fusion_weight: Share of the sparse query in a hybrid one, as evaluated.

    Raises:
        InputError: The model's folder is not one, or IDF and query weights share no token.
        ResourceError: The folder cannot be written.
    """
    from kosparse.sparse.activation import saved_activation

    _check(model, idf, query_weights)
    activation = saved_activation(model).name
    try:
        shutil.copytree(model, folder / "sparse_encoder")
        shutil.copytree(synonyms, folder / "synonyms")
    except (OSError, shutil.Error) as error:
        raise ResourceError(
            f"cannot copy into the bundle: {error}", where=str(folder), fix="Free disk space, then run again."
        ) from error
    write_json(folder / "idf.json", dict(query_weights if query_weights is not None else idf))
    write_json(folder / "corpus_idf.json", dict(idf))
    morphemes = has_morphemes(model)
    if not morphemes:
        write_ml_commons(folder / "ml_commons", model, query_weights, name=body.NAME)
    weights = _rounded(example[0]), _rounded(example[1])
    _write_opensearch(folder / "opensearch", weights, fusion_weight, in_cluster=not morphemes)
    ann, texts = folder / "opensearch" / "sparse_vector", (EXAMPLE_QUERY, EXAMPLE_PASSAGE)
    write_sparse_vector(ann, terms, query_weights, weights, texts, fusion_weight, activation=activation)
    write_lines(folder / "README.md", [_readme(query_weights, morphemes, synonyms, PASSAGE_CEILINGS[activation])])
    manifest = make_manifest(folder)
    write_json(folder / MANIFEST, manifest)
    return manifest


def make_manifest(folder: Path) -> dict[str, Any]:
    """SHA-256 and bytes of every file of a bundle but the manifest itself, by relative path."""
    files = {
        path.relative_to(folder).as_posix(): {"sha256": file_hash(path), "bytes": path.stat().st_size}
        for path in files_of(folder)
        if path != folder / MANIFEST
    }
    return {"format": 1, "files": files}


def verify_bundle(folder: Path) -> list[str]:
    """What is wrong with a bundle: files missing, changed or unknown to its manifest; empty when nothing is.

    Raises:
        InputError: It has no readable manifest.
    """
    expected = read_json(folder / MANIFEST)["files"]
    found = make_manifest(folder)["files"]
    problems = [f"{name}: missing" for name in expected if name not in found]
    problems += [f"{name}: changed" for name in expected if name in found and found[name] != expected[name]]
    return sorted(problems + [f"{name}: not in the manifest" for name in found if name not in expected])


def _check(model: Path, idf: Mapping[str, float], query_weights: Mapping[str, float] | None) -> None:
    if not (model / "modules.json").exists():
        raise InputError(
            "not a sentence-transformers model: no modules.json", where=str(model), fix="Give train_sparse's output."
        )
    if query_weights is not None and not set(idf) & set(query_weights):
        raise InputError(
            "the IDF and the model's query weights share no token",
            where=str(model),
            fix="Use the IDF computed with this model's own tokenizer (compute_idf).",
        )


def _rounded(weights: Mapping[str, float]) -> dict[str, float]:
    """Weights above 0, as examples show them."""
    return {token: round(float(weight), 4) for token, weight in weights.items() if weight > 0}


def _write_opensearch(
    folder: Path, example: tuple[dict[str, float], dict[str, float]], fusion_weight: float, *, in_cluster: bool
) -> None:
    query, passage = example
    write_json(folder / "index_template.json", body.index_template())
    write_json(folder / "search_pipeline.json", body.search_pipeline(fusion_weight))
    write_json(folder / "examples" / "passage.json", body.passage_example(passage, EXAMPLE_PASSAGE))
    write_json(folder / "examples" / "sparse_query.json", body.sparse_query(query))
    write_json(folder / "examples" / "hybrid_query.json", body.hybrid_query(EXAMPLE_QUERY, query))
    if in_cluster:
        write_json(folder / "ingest_pipeline.json", body.ingest_pipeline())
        write_json(folder / "examples" / "sparse_query_by_text.json", body.text_query(EXAMPLE_QUERY))


def _readme(query_weights: Mapping[str, float] | None, morphemes: bool, synonyms: Path, ceiling: float) -> str:
    template = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True).from_string(
        _README.read_text(encoding="utf-8")
    )
    return template.render(
        inference_free=query_weights is not None,
        passage_ceiling=f"{ceiling:g}",
        query_ceiling=f"{query_ceiling(query_weights):g}",
        morphemes=morphemes,
        analysis=PurePosixPath(body.SYNONYMS_PATH).parent,
        model_placeholder=body.MODEL_PLACEHOLDER,
        tokenizer_placeholder=body.TOKENIZER_PLACEHOLDER,
        synonym_files=[path.name for path in files_of(synonyms)],
    ).rstrip()
