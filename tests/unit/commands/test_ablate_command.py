import json

import pytest

from kosparse.commands import ablate
from kosparse.corpus.units import load_units
from kosparse.errors import ConfigError, InputError
from kosparse.jsonl import write_json, write_lines, write_records
from kosparse.records import AlignedText, Document, Query, SynonymCandidate, SynonymEntry
from tests.fakes.tiny_training import tiny_training_set, write_tiny_backbone
from tests.unit.evaluation.world import FakeEmbedder


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run's folder as the local runner leaves it, with what training and evaluation read."""
    folder = tmp_path_factory.mktemp("run")
    texts, _ = write_tiny_backbone(folder / "made", "morphemes")
    tasks = folder / "outputs" / "kosparse-1"
    (tasks / "train-sparse").mkdir(parents=True)
    (folder / "made" / "backbone").rename(_in(tasks / "prepare-backbone") / "backbone")
    names = load_units(tasks / "prepare-backbone" / "backbone").names
    data = tiny_training_set(texts, synthetic_every=3)
    data.save(tasks / "build-training-set" / "training_set", {})
    write_json(tasks / "compute-idf" / "idf", dict.fromkeys(names, 1.0))
    write_json(tasks / "detect-trends" / "trends", {"terms": {}})
    write_records(tasks / "enhance-dictionary" / "dictionary", [SynonymEntry(ko="셀", en="cell", p=0.9, sources=["x"])])
    candidates = [SynonymCandidate(ko="표", en="table", source="embedding")]
    write_records(tasks / "mine-synonyms" / "candidates", candidates)
    collection = tasks / "ingest-corpus"
    write_records(collection / "passages", data.passages)
    documents = [Document(id=passage.document_id, text=passage.text) for passage in data.passages]
    write_records(collection / "documents", documents)
    queries = [Query(id=f"t{n}", text=" ".join(text.split()[2:4])) for n, text in enumerate(texts[:12])]
    write_records(collection / "evaluation" / "queries.jsonl", queries)
    write_lines(collection / "evaluation" / "qrels" / "test.tsv", [f"t{n}\tp{n}\t1" for n in range(8)])
    write_lines(collection / "evaluation" / "qrels" / "train.tsv", ["t9\tp9\t1", "t10\tp10\t1"])
    aligned = [
        AlignedText(ko=text, en=f"page {n} in English", source="block", key=f"p{n}") for n, text in enumerate(texts[:3])
    ]
    write_records(collection / "parallel", aligned)
    encoder = {"model": str(folder / "made" / "encoder" / "encoder"), "layers": 2, "max_length": 64}
    training = {"max_steps": 3, "active_dims": 60.0, "batch_size": 4}
    write_json(folder / "arguments.json", {"prepare_backbone": encoder, "train_sparse": training})
    return folder


def _in(folder):
    folder.mkdir(parents=True)
    return folder


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("KOSPARSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("kosparse.adapters.embedder.open_embedder", FakeEmbedder)


def test_variants_are_trained_compared_and_drawn(finished, tmp_path, capsys):
    ablate.run(finished, ["untrained", "no_synthetic", "mined_dictionary", "real_1_1"], [13, 14], tmp_path / "out")

    found = json.loads((tmp_path / "out" / "ablation.json").read_text(encoding="utf-8"))
    rows = {row["variant"]: row for row in found["rows"]}
    assert found["queries"] == 8 and list(rows) == ["full", "untrained", "no_synthetic", "mined_dictionary", "real_1_1"]
    assert rows["full"]["seeds"] == [13, 14] and rows["untrained"]["seeds"] == [13], "no seed changes the untrained"
    assert rows["full"]["active_dims_doc"] == pytest.approx(60, rel=0.1)
    assert found["cross_script_queries"] == {"ko_en": 3} and set(rows["full"]["cross_script"]) == {"ko_en"}
    assert [row["system"] for row in found["baselines"]] == ["bm25_kiwi", "bm25_dictionary", "dense"]
    assert all(set(row["cross_script"]) == {"ko_en"} and row["metric"] > 0 for row in found["baselines"])
    page = (tmp_path / "out" / "ablation.html").read_text(encoding="utf-8")
    assert "without synthetic pairs" in page and "<svg" in page and "http://" not in page
    assert "no_synthetic" in capsys.readouterr().out


def test_a_variant_may_have_another_backbone_and_no_start_as_bm25(finished, tmp_path):
    ablate.run(finished, ["pieces", "no_prior", "no_translations"], [13], tmp_path / "out")
    found = json.loads((tmp_path / "out" / "ablation.json").read_text(encoding="utf-8"))
    rows = {row["variant"]: row for row in found["rows"]}
    assert len({(row["metric"], row["fused"]) for row in rows.values()}) >= 3
    assert all(0 <= row["p_bm25"] <= 1 and row["fused"] > 0 for row in rows.values())
    assert rows["pieces"]["active_dims_doc"] == pytest.approx(60, rel=0.2)


def test_what_was_trained_is_not_trained_again(finished, tmp_path):
    ablate.run(finished, [], [13], tmp_path / "out")
    kept = tmp_path / "out" / "trainings" / "full-13.json"
    changed = {**json.loads(kept.read_text(encoding="utf-8")), "seconds": 12345.0}
    write_json(kept, changed)
    ablate.run(finished, [], [13], tmp_path / "out")
    (row,) = json.loads((tmp_path / "out" / "ablation.json").read_text(encoding="utf-8"))["rows"]
    assert row["seconds"] == 12345.0
    ablate.run(finished, [], [14], tmp_path / "out")
    (row,) = json.loads((tmp_path / "out" / "ablation.json").read_text(encoding="utf-8"))["rows"]
    assert row["seeds"] == [13, 14] and row["seconds"] > 6000, "other seeds that lie there count too"


def test_an_unknown_variant_and_a_folder_that_is_no_run_are_refused(finished, tmp_path):
    with pytest.raises(ConfigError, match="no_such"):
        ablate.run(finished, ["no_such"], [13], tmp_path)
    with pytest.raises(InputError, match="not a finished run"):
        ablate.run(tmp_path, [], [13], tmp_path)
