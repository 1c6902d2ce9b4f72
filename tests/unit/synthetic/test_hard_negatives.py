import json

from kosparse.synthetic.hard_negatives import generate_hard_negatives
from tests.fakes.chat import FakeChatModel
from tests.unit.synthetic.builders import CELL, MACRO, pair, passages


def model(text):
    return FakeChatModel(lambda request: json.dumps({"passage": text}, ensure_ascii=False))


def test_each_pair_gets_a_negative_and_the_ways_of_failing_take_turns():
    pairs = [pair(f"셀 보호 {number}") for number in range(5)]
    negatives = generate_hard_negatives(pairs, passages(), model(MACRO)).rows
    assert [negative.error_type for negative in negatives] == [
        "other_entity",
        "other_aspect",
        "other_condition",
        "no_answer",
        "other_entity",
    ]
    assert [negative.pair_id for negative in negatives] == [one.id for one in pairs]
    assert {negative.kind for negative in negatives} == {"llm"}
    assert all(negative.text == MACRO for negative in negatives)


def test_the_model_is_told_how_to_fail():
    fake = model(MACRO)
    generate_hard_negatives([pair("셀 보호 1"), pair("셀 보호 2")], passages(), fake)
    first, second = (request.messages[-1]["content"].splitlines()[-1] for request in fake.requests)
    assert first != second


def test_the_answer_itself_is_not_a_negative():
    written = generate_hard_negatives([pair("셀 보호")], passages(), model(CELL[:60]))
    assert written.rows == []
    assert [reject.reason for reject in written.rejects] == ["copies_answer"]
