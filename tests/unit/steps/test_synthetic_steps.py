"""The steps that write and filter pairs, run one after the other on files with a fake model."""

import json

import pytest

from kosparse.errors import ConfigError, InputError
from kosparse.jsonl import read_json, read_records, write_json, write_records
from kosparse.records import LoggedQuery, NegativeDoc, Pair, Passage, Query, Reject, SynonymEntry
from kosparse.steps import augment_queries, filter_pairs, generate_documents, generate_hard_negatives, generate_queries
from tests.fakes.chat import FakeChatModel, judged
from tests.unit.evaluation.world import FakeEmbedder
from tests.unit.synthetic.builders import CHART, MACRO, pair, passages

QUERIES = {"keyword": "시트 암호 잠금", "question": "셀은 암호로 어떻게 보호하나요?", "colloquial": "차트 축 바꾸려면?"}


def answer(request):
    if request.top_logprobs:
        return judged(request, lambda query: 0.8)
    wanted = request.json_schema["required"]
    last_line = request.messages[-1]["content"].splitlines()[-1]  # with the grade that is asked for
    given = {**QUERIES, "query": "엑셀처럼 잠그는 법", "passage": f"{MACRO} {last_line}"}
    return json.dumps({name: given[name] for name in wanted}, ensure_ascii=False)


@pytest.fixture
def model(monkeypatch):
    fake = FakeChatModel(answer)
    monkeypatch.setattr("kosparse.llm.loader.open_chat_model", lambda concurrency=8: fake)
    monkeypatch.setattr("kosparse.adapters.embedder.open_embedder", FakeEmbedder)
    return fake


@pytest.fixture
def files(tmp_path):
    write_json(tmp_path / "llm", {"model": "served", "revision": "r1", "quantization": "mxfp4"})
    write_records(tmp_path / "passages", passages())
    write_records(tmp_path / "dictionary", [SynonymEntry(ko="셀", en="cell", p=0.95)])
    write_records(tmp_path / "evaluation" / "queries.jsonl", [])
    write_records(tmp_path / "logged", [LoggedQuery(id="log/0", text="행 높이 자동", count=12)])
    return tmp_path


def outputs(files, *names):
    return {name: files / name for name in names}


def generate(files, **config):
    return generate_queries.run(
        config=config,
        passages=files / "passages",
        llm=files / "llm",
        **outputs(files, "pairs"),
        rejects=files / "query_rejects",
    )


def everything(files):
    generate(files)
    augment_queries.run(
        pairs=files / "pairs",
        dictionary=files / "dictionary",
        llm=files / "llm",
        augmented=files / "augmented",
        rejects=files / "augmented_rejects",
    )
    generate_documents.run(
        config={"max_queries": 3, "grades": [3.0, 1.0]},
        **outputs(files, "pairs", "logged", "llm"),
        **outputs(files, "generated", "generated_passages"),
        rejects=files / "generated_rejects",
    )


def keep(files, **config):
    inputs = ("passages", "pairs", "augmented", "generated", "generated_passages")
    rejected = ("query_rejects", "augmented_rejects", "generated_rejects", "evaluation", "llm")
    return filter_pairs.run(
        config=config, **outputs(files, *inputs, *rejected), **outputs(files, "kept", "rejects", "funnel", "dataset")
    )


def test_queries_are_written_with_the_servers_provenance(files, model):
    metrics = generate(files, max_passages=2, queries_per_passage=2)
    rows = list(read_records(files / "pairs", Pair))
    assert (metrics["rows"], metrics["passages_chosen"], metrics["passages_covered"], metrics["passages"]) == (
        4,
        2,
        2,
        3,
    )
    assert {(row.provenance.model, row.provenance.quantization) for row in rows} == {("served", "mxfp4")}
    assert list(read_records(files / "query_rejects", Reject)) == []


def test_passages_the_budget_leaves_out_are_counted_and_not_covered(files, model):
    metrics = generate(files, budget_seconds=1e-9, at_least=1)
    assert (metrics["answered"], metrics["not_asked"], metrics["passages_covered"]) == (1, 2, 1)


def test_an_unknown_query_type_stops_the_step_before_anything_is_asked(files, model):
    with pytest.raises(ConfigError, match="haiku"):
        generate(files, query_types=["haiku"])
    assert model.requests == []


def test_the_whole_chain_keeps_pairs_of_every_origin(files, model):
    everything(files)
    metrics = keep(files)
    kept = list(read_records(files / "kept", Pair))
    funnel = read_json(files / "funnel")
    assert {row.origin for row in kept} == {"document_to_query", "query_to_document", "augmented"}
    assert metrics["kept"] == len(kept) == funnel["kept"]
    assert funnel["generated"] == funnel["kept"] + sum(funnel["rejected"].values())
    assert len(list(read_records(files / "rejects", Reject))) == sum(funnel["rejected"].values())
    assert metrics["judged"] == sum("judge" in row.scores for row in kept) > 0
    written = {row.id for row in read_records(files / "generated_passages", Passage)}
    assert {row.passage_id for row in kept if row.origin == "query_to_document"} <= written


def test_the_dictionary_is_used_on_the_query_side_only(files, model):
    everything(files)
    swapped = [row for row in read_records(files / "augmented", Pair) if row.query_type == "synonym"]
    assert {row.query for row in swapped} == {"cell은 암호로 어떻게 보호하나요?"}
    assert all(row.provenance is None and row.parent for row in swapped)


def test_a_query_of_the_evaluation_set_is_left_out(files, model):
    everything(files)
    write_records(files / "evaluation" / "queries.jsonl", [Query(id="q", text="시트 암호잠금!")])
    keep(files)
    assert "시트 암호 잠금" not in {row.query for row in read_records(files / "kept", Pair)}
    assert read_json(files / "funnel")["rejected"]["evaluation_query"] >= 1


def test_upstream_rejects_are_carried(files, model):
    everything(files)
    write_records(files / "query_rejects", [Reject(stage="generate_queries", reason="not_json")])
    keep(files)
    assert read_json(files / "funnel")["rejected"]["not_json"] == 1
    assert next(read_records(files / "rejects", Reject)).reason == "not_json"


def test_when_nothing_is_kept_the_step_fails_and_the_rejects_are_there(files, model):
    everything(files)
    with pytest.raises(InputError, match="none of .* was kept"):
        keep(files, min_characters=99, max_characters=99)
    assert {reject.reason for reject in read_records(files / "rejects", Reject)} >= {"too_short"}


def test_without_the_judge_no_model_is_opened(files, model, monkeypatch):
    everything(files)
    monkeypatch.setattr("kosparse.llm.loader.open_chat_model", None)
    assert keep(files, judge=False)["judged"] == 0


def test_how_evenly_queries_lie_over_meanings_is_told_unless_switched_off(files, model, monkeypatch):
    everything(files)
    keep(files)
    assert 0 < read_json(files / "funnel")["statistics"]["cluster_entropy"] <= 1
    monkeypatch.setattr("kosparse.adapters.embedder.open_embedder", lambda: pytest.fail("nobody asked for it"))
    keep(files, entropy_queries=0)
    assert "cluster_entropy" not in read_json(files / "funnel")["statistics"]


def test_two_runs_write_the_same_files(files, model):
    texts = []
    for _ in range(2):
        everything(files)
        keep(files)
        texts.append([(files / name).read_bytes() for name in ("kept", "rejects", "funnel")])
    assert texts[0] == texts[1]


def test_hard_negatives_are_written_for_pairs_spread_over_the_set(files, model):
    write_records(files / "pairs", [pair(f"셀 보호 {number}") for number in range(10)])
    write_records(files / "passages", [*passages(), passages()[0].model_copy(update={"id": "x#0", "text": CHART})])
    metrics = generate_hard_negatives.run(
        config={"max_pairs": 5},
        **outputs(files, "pairs", "passages", "llm", "negatives"),
        rejects=files / "negative_rejects",
    )
    negatives = list(read_records(files / "negatives", NegativeDoc))
    assert metrics["rows"] == 5
    assert [negative.pair_id for negative in negatives] == [f"cell:셀 보호 {number}" for number in (0, 2, 4, 6, 8)]


@pytest.mark.parametrize("step", [generate_documents, generate_hard_negatives])
def test_a_task_can_be_switched_off(files, model, step):
    write_records(files / "pairs", [pair("셀 보호")])
    if step is generate_documents:
        config, names = {"max_queries": 0}, ("pairs", "logged", "llm", "generated", "generated_passages")
    else:
        config, names = {"max_pairs": 0}, ("pairs", "llm", "passages", "negatives")
    assert step.run(config=config, **outputs(files, *names), rejects=files / "r")["rows"] == 0
    assert model.requests == []


@pytest.mark.parametrize(("most", "typed"), [(0, 0), (1, 1), (3, 2)])
def test_what_people_typed_comes_first(files, model, most, typed):
    generate(files)
    log = [LoggedQuery(id="log/0", text="행 높이 자동", count=12), LoggedQuery(id="log/1", text="셀 잠금", count=3)]
    write_records(files / "logged", log)
    metrics = generate_documents.run(
        config={"max_queries": most, "grades": [3.0]},
        **outputs(files, "pairs", "logged", "llm", "generated", "generated_passages"),
        rejects=files / "generated_rejects",
    )
    written = list(read_records(files / "generated", Pair))
    assert (metrics["logged_queries"], len(written)) == (typed, most)
    assert [row.parent for row in written][:typed] == ["log/0", "log/1"][:typed]
    assert {row.origin for row in written} <= {"query_to_document"}


def test_the_dataset_of_what_is_kept_lies_beside_it(files, model):
    everything(files)
    keep(files)
    kept = list(read_records(files / "kept", Pair))
    assert list(read_records(files / "dataset" / "pairs.jsonl", Pair)) == kept
    assert {path.name for path in (files / "dataset").iterdir()} >= {
        "README.md",
        "review.html",
        "overview.html",
        "qrels",
    }


def test_queries_as_people_type_them_are_added_when_asked_for(files, model):
    generate(files)
    metrics = augment_queries.run(
        config={"variants": ["particles", "spacing", "typo"], "max_queries": 0},
        **outputs(files, "pairs", "dictionary", "llm", "augmented"),
        rejects=files / "augmented_rejects",
    )
    rows = list(read_records(files / "augmented", Pair))
    originals = {row.id: row.query for row in read_records(files / "pairs", Pair)}
    varied = [row for row in rows if row.query_type in ("particles", "spacing", "typo")]
    assert metrics["varied"] == len(varied) > 0
    assert all(row.query != originals[row.parent] for row in varied)
