import json
import re

import pytest

from kosparse.errors import InputError
from kosparse.evaluation.judgements import load_real
from kosparse.evaluation.labelling import pool, read_judged, read_queries, render, write_qrels

RUNS = [
    {"q1": [("a", 3.0), ("b", 2.0), ("c", 1.0)], "q2": []},
    {"q1": [("d", 9.0), ("b", 8.0)]},
]
TEXTS = {name: (f"제목 {name}", f"본문 {name} </script><script>alert(1)</script>") for name in "abcd"}


def test_lines_and_beir_queries_are_read_once_each(tmp_path):
    (tmp_path / "q.txt").write_text("셀 보호\n\n  표   삽입 \n셀 보호\n", encoding="utf-8")
    assert read_queries(tmp_path / "q.txt") == {"q1": "셀 보호", "q3": "표 삽입"}
    (tmp_path / "q.jsonl").write_text('{"_id": 7, "text": "셀 보호"}\n', encoding="utf-8")
    assert read_queries(tmp_path / "q.jsonl") == {"7": "셀 보호"}


@pytest.mark.parametrize(("name", "text"), [("q.jsonl", '{"_id": 1}\n'), ("q.jsonl", "[]\n"), ("q.txt", " \n")])
def test_what_holds_no_query_is_refused(tmp_path, name, text):
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(InputError):
        read_queries(tmp_path / name)


def test_the_pool_holds_each_systems_best_once_and_is_shuffled_the_same_way():
    pooled = pool(RUNS, ["q1", "q2"], 2, seed=13)
    assert sorted(pooled["q1"]) == ["a", "b", "d"] and pooled["q2"] == []
    assert pooled == pool(RUNS, ["q1", "q2"], 2, seed=13)
    many = [{"q": [(f"d{n:02d}", float(-n)) for n in range(50)]}]
    orders = {tuple(pool(many, ["q"], 50, seed)["q"]) for seed in range(5)}
    assert len(orders) == 5 and all(sorted(order) != list(order) for order in orders)


def test_the_page_is_blind_holds_what_is_pooled_and_cannot_be_broken_out_of():
    pooled = pool(RUNS, ["q1", "q2"], 2, seed=13)
    page = render(pooled, {"q1": "셀 <b>보호</b>", "q2": "표"}, TEXTS)
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    content = json.loads(found[1])
    assert set(content["documents"]) == {"a", "b", "d"}
    assert [query["id"] for query in content["queries"]] == ["q1"], "nothing to judge for q2"
    assert content["documents"]["a"]["text"] == TEXTS["a"][1]
    assert "alert(1)</script>" not in page and "bm25" not in page and "http" not in page.replace("http-equiv", "")


def _saved(path, **judgements):
    path.write_text(json.dumps({"judge": "a", "queries": {"q1": "셀", "q2": "표"}, "judgements": judgements}))
    return path


def test_judgements_become_qrels_that_evaluate_reads(tmp_path):
    first = _saved(tmp_path / "1.json", q1={"a": 2, "b": 1}, q2={"c": 0})
    second = _saved(tmp_path / "2.json", q1={"a": 1, "d": 0})
    judged = read_judged([first, second])
    assert judged.judgements == {"q1": {"a": 1, "b": 1, "d": 0}, "q2": {"c": 0}}, "where two differ the lower counts"
    assert write_qrels(judged, tmp_path / "out") == (1, 1, 4)
    read = load_real(tmp_path / "out", "test", {"a", "b", "c", "d"})
    assert read.qrels == {"q1": {"a": 1, "b": 1, "d": 0}} and read.queries == {"q1": "셀"}


@pytest.mark.parametrize("content", [b"", b"[]", b'{"queries": {}}', b"\xff\xfe", b'{"queries": {}, "judgements": {}}'])
def test_what_the_page_did_not_save_is_refused(tmp_path, content):
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(InputError, match="judge"):
        read_judged([tmp_path / "x.json"])


def test_a_judgement_of_an_unknown_query_is_refused(tmp_path):
    with pytest.raises(InputError, match="q9"):
        read_judged([_saved(tmp_path / "x.json", q9={"a": 1})])
