import json

import pytest

from kosparse import prompts
from kosparse.records import Query
from kosparse.synthetic.documents import Draft, generate_documents_from_queries, parse
from kosparse.synthetic.writer import Unusable, Writer
from tests.fakes.chat import FakeChatModel
from tests.unit.synthetic.builders import CELL

ANSWER = json.dumps({"passage": CELL}, ensure_ascii=False)


def graded(request):
    """Another passage for another question."""
    asked = request.messages[-1]["content"].replace("\n", " ")
    return json.dumps({"passage": f"{CELL} {asked}"}, ensure_ascii=False)


def test_a_passage_of_each_grade_is_written_for_each_query():
    fake = FakeChatModel(graded)
    written = generate_documents_from_queries(["셀 보호", Query(id="q7", text="셀 잠금")], fake, grades=[3, 1, 0])
    assert [row.pair.grade for row in written.rows] == [3, 1, 0, 3, 1, 0]
    assert [row.pair.parent for row in written.rows[3:]] == ["q7"] * 3
    assert len({row.passage.id for row in written.rows}) == 6


def test_a_passage_said_again_for_another_grade_is_refused():
    fake = FakeChatModel(lambda request: ANSWER)
    written = generate_documents_from_queries(["셀 보호", "셀 잠금"], fake, grades=[3, 1])
    assert [(row.pair.query, row.pair.grade) for row in written.rows] == [("셀 보호", 3), ("셀 잠금", 3)]
    assert [reject.reason for reject in written.rejects] == ["repeats_other_grade"] * 2
    assert [reject.where for reject in written.rejects] == [row.pair.parent for row in written.rows]


def test_a_written_passage_is_marked_as_synthetic_and_matches_its_pair():
    (row,) = generate_documents_from_queries(["셀 보호"], FakeChatModel(lambda request: ANSWER), grades=[3]).rows
    assert row.passage.document_id.startswith("synthetic/")
    assert (row.pair.passage_id, row.pair.document_id) == (row.passage.id, row.passage.document_id)
    assert (row.pair.origin, row.pair.query, row.passage.text) == ("query_to_document", "셀 보호", CELL)


def test_the_grade_is_part_of_the_question():
    fake = FakeChatModel(lambda request: ANSWER)
    generate_documents_from_queries(["셀 보호"], fake, grades=[3, 1])
    three, one = (request.messages[-1]["content"] for request in fake.requests)
    assert three != one


@pytest.mark.parametrize(
    ("passage", "reason"),
    [("", "missing"), ("짧다", "too_little_korean"), ("Protect the cell with a password.", "too_little_korean")],
)
def test_what_cannot_serve_as_a_passage_is_unusable(passage, reason):
    with pytest.raises(Unusable) as error:
        written(Query(id="q", text="셀 보호"), passage)
    assert error.value.reason == reason


def test_the_query_said_back_is_unusable():
    query = Query(id="q", text="표 계산에서 셀을 보호하려면 어떤 메뉴에서 무엇을 골라야 하나요")
    with pytest.raises(Unusable) as error:
        written(query, query.text + "?")
    assert error.value.reason == "repeats_query"


def written(query, passage):
    writer = Writer(FakeChatModel(lambda request: ""))
    return parse(Draft(query, 3), json.dumps({"passage": passage}), writer, prompts.load("generate_documents"))
