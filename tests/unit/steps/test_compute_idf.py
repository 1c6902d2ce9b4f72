import math

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from kosparse.jsonl import read_json, write_records
from kosparse.records import Passage
from kosparse.steps.compute_idf import run


def test_idf_is_counted_over_passages_with_the_backbones_tokenizer(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0, "셀": 1, "표": 2}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens(["[UNK]"])
    (tmp_path / "backbone").mkdir()
    tokenizer.save(str(tmp_path / "backbone/tokenizer.json"))
    rows = [Passage(id=f"d#{n}", document_id="d", position=n, text=text) for n, text in enumerate(["셀 셀", "셀 표"])]
    write_records(tmp_path / "passages", rows)
    metrics = run(passages=tmp_path / "passages", backbone=tmp_path / "backbone", idf=tmp_path / "idf")
    assert read_json(tmp_path / "idf") == {
        "셀": pytest.approx(math.log(1.2), abs=1e-6),
        "표": pytest.approx(math.log(2), abs=1e-6),
    }
    assert (metrics["tokens"], metrics["seen_tokens"]) == (2.0, 2.0)
