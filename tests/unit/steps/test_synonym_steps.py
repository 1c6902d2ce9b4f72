import csv
import json

import pytest

from kosparse.errors import InputError
from kosparse.jsonl import read_json, read_records, write_records
from kosparse.records import AlignedText, Document, SynonymCandidate, SynonymEntry, Verdict
from kosparse.steps import discover_synonyms, enhance_dictionary, mine_synonyms, verify_synonyms
from kosparse.synonyms.curated import read_labelled
from tests.unit.synonyms.conftest import WordEmbedder, judge


@pytest.fixture(autouse=True)
def outside(monkeypatch):
    """An embedder and a model that know the labelled pairs and 쎌 - cell, in place of the real ones."""
    truth = {(pair.ko, pair.en) for pair in read_labelled() if pair.label} | {("쎌", "cell")}
    model = judge(lambda ko, en: 0.98 if (ko, en) in truth else 0.02)
    monkeypatch.setattr("kosparse.adapters.embedder.open_embedder", lambda: WordEmbedder(sorted(truth)))
    monkeypatch.setattr("kosparse.llm.loader.open_chat_model", lambda concurrency: model)
    return model


def mined(folder, parallel=()):
    write_records(folder / "documents", [Document(id="1", text="쎌(cell)을 고릅니다."), Document(id="2", text="글꼴")])
    write_records(folder / "parallel", parallel)
    metrics = mine_synonyms.run(
        config={"sources": ["pattern", "aligned"]},
        **{name: folder / name for name in ("documents", "parallel", "candidates", "rejects")},
    )
    return metrics, list(read_records(folder / "candidates", SynonymCandidate))


def test_the_four_steps_make_a_dictionary_from_documents(tmp_path):
    metrics, candidates = mined(tmp_path, [AlignedText(ko="달님", en="umbrella stand", source="block")])
    assert metrics["pattern"] == 1.0
    assert {c.source for c in candidates} == {"curated", "pattern", "aligned"}

    (tmp_path / "llm").write_text("{}")
    paths = {name: tmp_path / name for name in ("candidates", "llm", "verdicts", "calibration")}
    verified = verify_synonyms.run(config={}, **paths)
    assert verified["asked"] == 1.0  # the evidence is sure of both: one of them is audited
    assert read_json(tmp_path / "calibration")["combiner"] == "features+llm"

    paths = {name: tmp_path / name for name in ("verdicts", "documents", "llm", "discovered")}
    assert discover_synonyms.run(config={"max_terms": 0}, **paths)["proposed"] == 0.0

    names = ("candidates", "verdicts", "discovered", "dictionary", "synonyms", "rejects", "dictionary_summary")
    grown = enhance_dictionary.run(config={}, **{name: tmp_path / name for name in names})
    entries = {(e.ko, e.en): e for e in read_records(tmp_path / "dictionary", SynonymEntry)}
    assert entries["쎌", "cell"].p > 0.8 and not entries["쎌", "cell"].curated
    assert entries["글꼴", "font"].curated
    assert ("달님", "umbrella stand") not in entries
    assert grown["before"] == 3.0  # 쎌 glossed; 글꼴 and (for its English side) 셀 curated and in a document
    assert read_json(tmp_path / "dictionary_summary")["by_source"]["curated"] >= 80
    with open(tmp_path / "synonyms" / "dictionary.tsv", newline="") as file:
        assert len(list(csv.DictReader(file, dialect="excel-tab"))) == len(entries)
    assert "쎌, cell" in (tmp_path / "synonyms" / "synonyms.txt").read_text().splitlines()
    assert [json.loads(line)["reason"] for line in (tmp_path / "rejects").read_text().splitlines()] == [
        "below_threshold"
    ]


def test_empty_parallel_text_and_no_glosses_leave_the_curated_pairs(tmp_path, outside):
    write_records(tmp_path / "documents", [Document(id="1", text="글꼴을 고릅니다.")])
    (tmp_path / "parallel").write_text("")
    names = ("documents", "parallel", "candidates", "rejects")
    mine_synonyms.run(config={"sources": ["pattern", "aligned"]}, **{name: tmp_path / name for name in names})
    (tmp_path / "llm").write_text("{}")
    names = ("candidates", "llm", "verdicts", "calibration")
    verify_synonyms.run(config={}, **{name: tmp_path / name for name in names})
    (tmp_path / "discovered").write_text("")
    names = ("candidates", "verdicts", "discovered", "dictionary", "synonyms", "rejects", "dictionary_summary")
    metrics = enhance_dictionary.run(config={}, **{name: tmp_path / name for name in names})

    assert outside.requests == []
    assert (metrics["before"], metrics["after"]) == (1.0, 1.0)
    assert "curated pairs only" in read_json(tmp_path / "dictionary_summary")["note"]


def test_a_curated_file_with_wrong_columns_stops_the_step(tmp_path):
    write_records(tmp_path / "documents", [Document(id="1", text="글꼴")])
    (tmp_path / "parallel").write_text("")
    curated = tmp_path / "mine.tsv"
    curated.write_text("글꼴 font\n", encoding="utf-8")

    with pytest.raises(InputError, match=r"mine\.tsv:1"):
        mine_synonyms.run(
            config={"curated": str(curated), "sources": []},
            **{name: tmp_path / name for name in ("documents", "parallel", "candidates", "rejects")},
        )


def test_the_low_strategy_opens_no_model(tmp_path, outside):
    write_records(tmp_path / "candidates", [SynonymCandidate(ko="쎌", en="cell", source="aligned")])
    (tmp_path / "llm").write_text("{}")
    names = ("candidates", "llm", "verdicts", "calibration")

    verify_synonyms.run(config={"strategy": "low"}, **{name: tmp_path / name for name in names})

    assert outside.requests == []
    assert not next(read_records(tmp_path / "verdicts", Verdict)).asked_llm
