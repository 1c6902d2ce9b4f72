"""``kosparse opensearch``: a finished run in a cluster; only what changed is sent."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from kosparse.adapters.cluster_opensearch import Cluster, open_cluster
from kosparse.errors import InputError
from kosparse.export import opensearch_json as body
from kosparse.export.hashing import document_side_hash, file_hash
from kosparse.export.opensearch import verify_bundle
from kosparse.export.passage_rows import fingerprint, rows
from kosparse.jsonl import read_json, read_records
from kosparse.models.quiet import quiet_transformers
from kosparse.progress import Bar
from kosparse.records import Document, Passage
from kosparse.settings import settings
from kosparse.sparse.model import load_sparse_model
from kosparse.sparse.pruning import Pruning
from kosparse.sparse.search import SparseIndex

_AT_ONCE = 500
_EXCERPT = 110


def apply(bundle: Path, index: str, model_id: str) -> None:
    """Bring template, pipelines, index and synonyms of a cluster up to date, and print what was done.

    Args:
        bundle: As ``export_opensearch`` wrote it.
        index: Made when it is not there.
        model_id: Of a document encoder registered in the cluster; empty for weights from the client.

    Raises:
        InputError: The bundle was changed, the index has another mapping, or somebody else's template or pipeline has
            our name.
        ServiceError: The cluster does not answer, refuses, or is too old.
    """
    problems = verify_bundle(bundle)
    if problems:
        raise InputError(
            f"the bundle is not whole: {'; '.join(problems[:5])}", where=str(bundle), fix="Export it again."
        )
    requests = bundle / "opensearch"
    cluster = open_cluster(settings())
    cluster.check_version()
    template = read_json(requests / "index_template.json")
    _say("index template", _update(cluster, f"/_index_template/{body.NAME}", _marked(template), _template))
    _say("search pipeline", _apply_search(cluster, read_json(requests / "search_pipeline.json")))
    if model_id:
        _say("ingest pipeline", _apply_ingest(cluster, requests / "ingest_pipeline.json", model_id))
    _say(f"index {index}", _make_index(cluster, index, template["template"]))
    synonyms = file_hash(bundle / "synonyms" / "synonyms.txt")
    _say("synonyms", _refresh_synonyms(cluster, index, synonyms))


def index(run: Path, name: str, pruning: Pruning, *, delete_others: bool) -> None:
    """Send the passages of a finished run that are not in the index, or were made from something else.

    Raises:
        InputError: The index is missing or has another mapping, or refuses passages.
        ServiceError: The cluster does not answer or refuses; what is there stays, and is not sent again.
    """
    cluster = open_cluster(settings())
    _check_mapping(cluster, name, body.index_template()["template"]["mappings"])
    documents = {row.id: row for row in read_records(run / "documents.jsonl", Document)}
    with quiet_transformers():
        opened = SparseIndex.open(run / "model", run / "passages.jsonl", run / "index")
    passages = list(read_records(run / "passages.jsonl", Passage))
    if [passage.id for passage in passages] != opened.passage_ids:
        raise InputError("index and passages are of different runs", where=str(run), fix="Remove its folder index/.")
    encoder = document_side_hash(run / "model")
    prints = [fingerprint(encoder, passage, documents[passage.document_id], pruning) for passage in passages]
    waiting = list(_missing(cluster, name, [passage.id for passage in passages], prints))
    weights = pruning(opened.weights)
    bar = Bar("indexing", len(waiting), "passages")
    for start in range(0, len(waiting), _AT_ONCE):
        part = waiting[start : start + _AT_ONCE]
        chosen, made_from = [passages[place] for place in part], [prints[place] for place in part]
        cluster.write(name, rows(chosen, documents, made_from, weights[part], opened.model.terms))
        bar.advance(len(part))
    bar.close()
    wanted = {passage.id for passage in passages}
    deleted = cluster.delete(name, [each for each in cluster.ids(name) if each not in wanted]) if delete_others else 0
    cluster.send("POST", f"/{name}/_refresh")
    print(f"{name}: {len(waiting):,} of {len(passages):,} passages sent, {deleted:,} deleted")


def search(query: str, run: Path, name: str, k: int, hybrid: bool, *, as_json: bool) -> None:
    """Print the best documents for a query weighed here.

    Raises:
        InputError: The index is missing, or the model knows no part of the query.
        ServiceError: The cluster does not answer or refuses, or is too old for a hybrid query.
    """
    with quiet_transformers():
        model = load_sparse_model(run / "model")
        vector = model.encode_queries([query]).tocoo()
    tokens = {model.terms[term]: float(weight) for term, weight in zip(vector.col, vector.data, strict=True)}
    if not tokens:
        raise InputError(
            f"the model knows no part of {query!r}", where=str(run / "model"), fix="Ask with a word of the collection."
        )
    asked = body.hybrid_query(query, tokens, k) if hybrid else body.sparse_query(tokens, k)
    cluster = open_cluster(settings())
    if hybrid:
        cluster.check_version(body.COLLAPSED_SINCE, "Hybrid queries")
    hits = cluster.search(name, {**asked, "_source": ["document_id", "text"]}, body.NAME if hybrid else "")
    for rank, hit in enumerate(hits, 1):
        found, score = hit["_source"], float(hit["_score"])
        if as_json:
            row = {"rank": rank, "id": found["document_id"], "score": round(score, 4), "text": found["text"]}
            print(json.dumps(row, ensure_ascii=False))
        else:
            print(
                f"{rank:2d}. {score:7.3f}  {found['document_id']}\n      {' '.join(found['text'].split())[:_EXCERPT]}"
            )


def _update(cluster: Cluster, path: str, wanted: dict[str, Any], read: Callable[[Any], Any]) -> str:
    """Put an object where another one, or none, stands; says what was done."""
    found = read(cluster.get(path))
    if found == read(wanted):
        return "unchanged"
    if found is not None and not _is_ours(found):
        raise InputError(
            f"the name {body.NAME} is taken: {path} is not by kosparse",
            where=cluster.url,
            fix="Rename that one in the cluster, or use another cluster.",
        )
    cluster.send("PUT", path, wanted)
    return "changed" if found is not None else "made"


def _marked(template: dict[str, Any]) -> dict[str, Any]:
    """A template that carries its own hash: a cluster gives one back with its settings written otherwise."""
    digest = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()
    return {**template, "_meta": {"kosparse_sha256": digest}}


def _template(answer: Any) -> Any:
    """The hash of a template, as sent or as the cluster gives it; None for no template."""
    if not answer:
        return None
    inner = answer["index_templates"][0]["index_template"] if "index_templates" in answer else answer
    return inner.get("_meta", {}).get("kosparse_sha256", "")


def _is_ours(found: Any) -> bool:
    """Whether a template's hash or a pipeline is one that we made."""
    return bool(found) if isinstance(found, str) else str(found.get("description", "")).startswith(f"{body.NAME}: ")


def _pipeline(answer: Any) -> Any:
    """A pipeline, as sent or as the cluster gives it; None for none."""
    return answer.get(body.NAME, answer) if answer else None


def _apply_search(cluster: Cluster, wanted: dict[str, Any]) -> str:
    """The search pipeline; without fusion where the cluster does not know it, so that sparse queries are still fast."""
    path, fuses = f"/_search/pipeline/{body.NAME}", cluster.is_since(body.FUSED_SINCE)
    if not fuses:
        wanted = {key: value for key, value in wanted.items() if key != "phase_results_processors"}
    done = _update(cluster, path, wanted, _pipeline)
    return done if fuses else f"{done}, without fusion: OpenSearch {cluster.version} has no z-scores"


def _apply_ingest(cluster: Cluster, path: Path, model_id: str) -> str:
    if not path.is_file():
        raise InputError(
            "this model's morphemes are cut by Kiwi, which a cluster does not have",
            where="--model-id",
            fix="Leave it out: passages are weighed by `kosparse opensearch index`.",
        )
    wanted = json.loads(json.dumps(read_json(path)).replace(body.MODEL_PLACEHOLDER, model_id))
    return _update(cluster, f"/_ingest/pipeline/{body.NAME}", wanted, _pipeline)


def _make_index(cluster: Cluster, index: str, template: Mapping[str, Any]) -> str:
    if cluster.get(f"/{index}/_mapping") is not None:
        _check_mapping(cluster, index, template["mappings"])
        return "there already"
    try:
        cluster.send("PUT", f"/{index}", template)
    except InputError as error:
        if "IOException while reading" not in error.what:
            raise
        raise InputError(
            error.what,
            where=error.where,
            fix="Copy synonyms.txt and nori_user_dictionary.txt from the bundle's synonyms/ to "
            f"config/{Path(body.SYNONYMS_PATH).parent}/ on every node.",
        ) from error
    return "made"


def _check_mapping(cluster: Cluster, index: str, wanted: Mapping[str, Any]) -> None:
    """Refuse an index whose fields are of other types than ours."""
    answer = cluster.get(f"/{index}/_mapping")
    if answer is None:
        raise InputError(f"there is no index {index}", where=cluster.url, fix="Run `kosparse opensearch apply` first.")
    found = next(iter(answer.values()))["mappings"].get("properties", {})
    other = [
        f"{field} is {found.get(field, {}).get('type', 'missing')}, not {ours['type']}"
        for field, ours in wanted["properties"].items()
        if found.get(field, {}).get("type") != ours["type"]
    ]
    if other:
        raise InputError(
            f"the index has another mapping: {'; '.join(other)}",
            where=index,
            fix="Name another index with --index, or delete this one if nothing needs it.",
        )


def _refresh_synonyms(cluster: Cluster, index: str, digest: str) -> str:
    """Let the search analyzers read their file again when the bundle's is another than the last one applied."""
    answer = next(iter(cluster.get(f"/{index}/_mapping").values()))["mappings"]
    meta = answer.get("_meta", {})
    if meta.get("synonyms_sha256") == digest:
        return "unchanged"
    if "synonyms_sha256" in meta:
        cluster.send("POST", f"/_plugins/_refresh_search_analyzers/{index}")
    cluster.send("PUT", f"/{index}/_mapping", {"_meta": {**meta, "synonyms_sha256": digest}})
    return f"read again from config/{body.SYNONYMS_PATH}" if "synonyms_sha256" in meta else "noted"


def _missing(cluster: Cluster, index: str, ids: list[str], prints: list[str]) -> Iterator[int]:
    """Places of the passages that are not there, or were made from something else."""
    for start in range(0, len(ids), _AT_ONCE):
        part = range(start, min(start + _AT_ONCE, len(ids)))
        there = cluster.fingerprints(index, [ids[place] for place in part])
        yield from (place for place in part if there.get(ids[place]) != prints[place])


def _say(what: str, done: str) -> None:
    print(f"{what}: {done}")
