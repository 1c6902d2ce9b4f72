import hashlib

from kosparse.corpus.splitting import part_of, split_of, split_of_query


def _id_with(low, high):
    return next(
        name
        for name in (f"doc{number}" for number in range(10_000))
        if low <= int(hashlib.md5(name.encode()).hexdigest(), 16) % 100 < high
    )


TEST, VALIDATION, TRAIN = _id_with(0, 40), _id_with(40, 60), _id_with(60, 100)


def test_forty_percent_test_twenty_validation_the_rest_train():
    splits = [split_of(f"page/{number}") for number in range(10_000)]
    assert abs(splits.count("test") - 4000) < 200
    assert abs(splits.count("validation") - 2000) < 200


def test_parts_of_a_collection_are_about_equal():
    parts = [part_of(f"page/{number}#0", 8) for number in range(10_000)]
    assert set(parts) == set(range(1, 9))
    assert all(abs(parts.count(part) - 1250) < 150 for part in set(parts))  # four standard deviations of 33


def test_borders_lie_at_40_and_60():
    assert split_of(_id_with(39, 40)) == "test"
    assert split_of(_id_with(40, 41)) == "validation"
    assert split_of(_id_with(59, 60)) == "validation"
    assert split_of(_id_with(60, 61)) == "train"


def test_a_query_with_documents_in_and_outside_test_belongs_nowhere():
    assert split_of_query([TEST, TRAIN]) is None
    assert split_of_query([TEST, VALIDATION]) is None
    assert split_of_query([]) is None


def test_a_query_that_touches_validation_is_not_for_training():
    assert split_of_query([VALIDATION, TRAIN]) == "validation"
    assert split_of_query([TRAIN]) == "train"
    assert split_of_query([TEST]) == "test"
