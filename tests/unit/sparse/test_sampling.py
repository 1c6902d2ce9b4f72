"""Which part of a large collection is trained on."""

import pytest

from kosparse.errors import InputError
from kosparse.records import Passage
from kosparse.sparse.pseudo_queries import pseudo_queries
from kosparse.sparse.sampling import sampled


def passages(*documents, each=2):
    return [
        Passage(id=f"{name}#{number}", document_id=name, position=number, text=f"{name} 셀 보호")
        for name in documents
        for number in range(each)
    ]


def names(found):
    return [passage.id for passage in found]


def test_what_is_enough_is_taken_whole():
    everything = passages("a", "b", "c")
    assert sampled(everything, 6) == sampled(everything, 0) == everything


def test_whole_documents_in_their_order_and_the_most_wanted_first():
    everything = passages(*"abcdefgh")
    found = sampled(everything, 7, [["g", "elsewhere"], ["b", "g"]])
    assert len(found) == 6 and {"b", "g"} < {passage.document_id for passage in found}
    assert found == [passage for passage in everything if passage in found]
    assert all(names(found).count(f"{passage.document_id}#{n}") == 1 for passage in found for n in (0, 1))


def test_a_document_that_is_too_long_leaves_room_for_others():
    assert names(sampled([*passages("a", each=5), *passages("b", each=1)], 2, [["a"]])) == ["b#0"]


def test_where_no_document_is_short_enough_that_is_said():
    with pytest.raises(InputError, match="every document has more than 4 passages"):
        sampled(passages("a", "b", each=5), 4)


def test_a_collection_that_grows_keeps_most_of_its_sample():
    before = {passage.document_id for passage in sampled(passages(*map(str, range(100))), 100)}
    after = {passage.document_id for passage in sampled(passages(*map(str, range(110))), 100)}
    assert len(before) == len(after) == 50 and len(before & after) > 40


def test_fewer_pseudo_queries_than_passages_are_spread_over_all_of_them():
    texts = [Passage(id=f"d{n}#0", document_id=f"d{n}", position=0, text=f"사과{n}호 배송") for n in range(40)]
    made = pseudo_queries(texts, 4, set(), seed=1)
    assert [passage_id for _, passage_id in made.rows] == ["d0#0", "d10#0", "d20#0", "d30#0"]
