"""A tiny finished run: artifacts of every step that evaluate, report and register_model read."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np

from kosparse.corpus.summary import collection_hash
from kosparse.jsonl import read_json, read_records, write_json, write_lines, write_records
from kosparse.records import Document, Pair, Passage, Provenance, Query, Reject, SynonymEntry, TrainingQuery
from kosparse.steps import evaluate, report

TEXTS = {
    "calc/protect": "셀 보호를 설정하면 스프레드시트의 내용을 바꿀 수 없습니다.",
    "writer/table": "표를 문서에 넣으려면 표 메뉴에서 삽입을 고릅니다.",
    "calc/print": "인쇄 범위를 정한 다음 파일을 인쇄합니다.",
    "shared/script": "<script>alert('문서')</script> 매크로를 기록합니다.",
}
QUERIES = {"q1": ("셀 보호", "calc/protect"), "q2": ("표 삽입", "writer/table"), "q3": ("인쇄 범위", "calc/print")}


class FakeEmbedder:
    """Unit vectors by the characters of a text: texts that share characters are near."""

    fingerprint = "fake"
    dimensions = 64

    def encode(self, texts, kind):
        vectors = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for row, text in enumerate(texts):
            for character in text:
                vectors[row, ord(character) % self.dimensions] += 1
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)

    def remember(self, texts, kind, vectors):
        return False  # no backbone is made of this


def write_world(folder: Path, *, real: bool = True) -> dict[str, Path]:
    """Write the artifacts and return their paths by name."""
    paths = {
        name: folder / name
        for name in (
            "documents passages evaluation training_set prerequisites corpus_summary llm calibration "
            "dictionary_summary dictionary funnel kept rejects history trends synonyms idf parallel champion"
        ).split()
    }
    write_records(paths["documents"], (Document(id=name, text=text) for name, text in TEXTS.items()))
    cuts = [Passage(id=f"{name}#0", document_id=name, position=0, text=text) for name, text in TEXTS.items()]
    write_records(paths["passages"], cuts)
    _evaluation(paths["evaluation"], real)
    _training_set(paths["training_set"], cuts)
    _language_model(paths)
    _pairs(paths)
    history = [{"step": step, "seconds": step / 2, "loss": 3.0 / step, "active_dims": 90 - step} for step in (1, 2, 4)]
    write_lines(paths["history"], map(json.dumps, history))
    write_json(paths["trends"], {"note": "문서에 날짜가 없습니다", "terms": {}, "unmatched": {}, "evidence": []})
    write_lines(paths["parallel"], [])
    write_json(paths["champion"] / "champion.json", {"name": "kosparse", "version": ""})
    write_json(paths["idf"], {"셀": 2.0, "표를": 1.5})
    paths["synonyms"].mkdir()
    write_lines(paths["synonyms"] / "synonyms.txt", ["셀, cell"])
    return paths


def write_finished_run(folder: Path, model: Path) -> Path:
    """Evaluate and report a model on the world, and leave a run's folder: what is registered, looked at and measured.

    The embedder must be ``FakeEmbedder``.
    """
    paths = write_world(folder / "world")
    summary = read_json(paths["corpus_summary"])
    summary["sha256"] = collection_hash(read_records(paths["documents"], Document))
    write_json(paths["corpus_summary"], summary)
    run, tasks = folder / "20261123-120000", folder / "20261123-120000" / "outputs" / "kosparse"
    shutil.copytree(model, tasks / "train-sparse" / "model")
    shutil.copytree(paths["dictionary"].parent, tasks / "enhance-dictionary")
    given = {name: paths[name] for name in evaluate.run.inputs if name != "model"}
    results = tasks / "evaluate" / "results"
    evaluate.run(config={"permutations": 100}, model=model, results=results, **given)
    inputs = {name: paths[name] for name in report.run.inputs if name != "results"}
    report.run(results=results, **inputs, **{name: tasks / "report" / name for name in report.run.outputs})
    for name in ("documents", "passages"):
        shutil.copyfile(paths[name], run / f"{name}.jsonl")
    return run


def _evaluation(folder: Path, real: bool) -> None:
    queries = QUERIES if real else {}
    write_records(folder / "queries.jsonl", (Query(id=name, text=text) for name, (text, _) in queries.items()))
    rows = [f"{name}\t{document}\t1" for name, (_, document) in queries.items()]
    write_lines(folder / "qrels" / "test.tsv", ["query-id\tcorpus-id\tscore", *rows])


def _training_set(folder: Path, cuts: list[Passage]) -> None:
    def query(name: str, text: str, document: str, split: str, origin: str = "document_to_query") -> TrainingQuery:
        return TrainingQuery(id=name, text=text, origin=origin, passage_id=f"{document}#0", split=split)

    rows = [
        query("t1", "내용 바꾸기 금지", "calc/protect", "train"),
        query("t2", "셀보호!", "calc/protect", "train"),
        query("v1", "표 메뉴 삽입", "writer/table", "validation"),
        query("v2", "파일 인쇄", "calc/print", "validation"),
        query("v3", "범위", "calc/print", "validation", origin="pseudo"),
    ]
    write_records(folder / "queries.jsonl", rows)
    write_records(folder / "passages.jsonl", cuts)
    write_json(folder / "summary.json", {"queries": 5, "train": 2, "validation": 3})


def _language_model(paths: dict[str, Path]) -> None:
    write_json(paths["prerequisites"], {"recipe": "smoke", "run_id": "run-7", "versions": {"kosparse": "0.1.0"}})
    write_json(paths["corpus_summary"], {"documents": 4, "passages": 4, "sha256": "c0ffee"})
    write_json(paths["llm"], {"model": "qwen", "revision": "r1", "quantization": "bf16"})
    quality = {"n": 20, "auroc": 0.9, "ece": 0.05, "precision": None, "recall": 0.8}
    write_json(
        paths["calibration"],
        {"combiner": "features", "threshold": 0.8, "with_llm": None, "without_llm": quality, "note": "", "prompt": ""},
    )
    write_json(
        paths["dictionary_summary"],
        {"before": 3, "after": 7, "by_source": {"aligned": 5, "curated": 3}, "note": ""},
    )
    write_records(paths["dictionary"], [SynonymEntry(ko="셀", en="cell", p=0.97, sources=["aligned"])])


def _pairs(paths: dict[str, Path]) -> None:
    made = Provenance(prompt="generate_queries@1:abc", model="qwen", quantization="bf16")
    pair = Pair(
        id="p1",
        query="셀을 <b>잠그는</b> 법",
        passage_id="calc/protect#0",
        document_id="calc/protect",
        origin="document_to_query",
        scores={"round_trip_rank": 1.0, "overlap": 0.5},
        provenance=made,
    )
    write_records(paths["kept"], [pair])
    rejects = [
        Reject(stage="generate_queries", reason="bad_json", detail="not JSON"),
        Reject(stage="filter_pairs", reason="too_short", row={"query": "셀"}),
    ]
    write_records(paths["rejects"], rejects)
    write_json(
        paths["funnel"],
        {
            "generated": 3,
            "kept": 1,
            "rejected": {"bad_json": 1, "too_short": 1},
            "stages": [{"stage": "length", "entered": 2, "left": 1}],
        },
    )
