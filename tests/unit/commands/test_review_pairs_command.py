import json

import pytest

from kosparse.cli import main
from kosparse.jsonl import write_records
from tests.unit.synthetic.builders import pair


@pytest.fixture
def dataset(tmp_path):
    kept = [
        pair("셀 보호", id="a"),
        pair("셀 잠금", id="b"),
        pair("차트 축은?", "chart", id="c", query_type="question"),
    ]
    write_records(tmp_path / "dataset" / "pairs.jsonl", kept)
    return tmp_path / "dataset"


def saved(path, judge, **grades):
    content = {
        "judge": judge,
        "queries": dict.fromkeys(grades, "q"),
        "judgements": {n: {"p": g} for n, g in grades.items()},
    }
    path.write_text(json.dumps(content), encoding="utf-8")
    return str(path)


def test_two_reviewers(dataset, tmp_path, capsys):
    one = saved(tmp_path / "one.json", "민지", a=2, b=0, c=2, x=0)
    other = saved(tmp_path / "two.json", "Kim", a=2, b=0, c=1)

    assert main(["review", "score", one, other, "--dataset", str(dataset)]) == 0

    out = capsys.readouterr().out
    assert "kept                         3     2       1  0.600 (0.23-0.88)" in out
    assert "  question                   1     0       1  1.000" in out
    assert "rejected                     0     1       0  0.000" in out
    assert "민지 and Kim: 3 pairs in common, same 0.667, kappa 0.500" in out


def test_one_reviewer_agrees_with_nobody(dataset, tmp_path, capsys):
    assert main(["review", "score", saved(tmp_path / "one.json", "", a=2), "--dataset", str(dataset)]) == 0
    assert "in common" not in capsys.readouterr().out


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"queries": {}, "judgements": {}}'])
def test_files_that_say_nothing_are_refused(dataset, tmp_path, capsys, content):
    (tmp_path / "bad.json").write_text(content, encoding="utf-8")
    assert main(["review", "score", str(tmp_path / "bad.json"), "--dataset", str(dataset)]) == 2
    assert "bad.json" in capsys.readouterr().err


def test_without_a_dataset_it_says_where_it_looked(tmp_path, capsys):
    one = saved(tmp_path / "one.json", "", a=2)
    assert main(["review", "score", one, "--dataset", str(tmp_path / "none")]) == 2
    assert "none/pairs.jsonl" in capsys.readouterr().err
