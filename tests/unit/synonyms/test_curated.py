from pathlib import Path

import pytest

from kosparse.errors import InputError
from kosparse.synonyms.curated import CuratedPair, read_curated, read_labelled
from kosparse.synonyms.terms import korean_key, pair_key, problem

HELD_OUT = Path(__file__).parents[3] / "benchmarks" / "labelled"


def test_the_starter_list_holds_clean_terms_only():
    pairs = read_curated()

    assert len(pairs) >= 80
    assert [pair for pair in pairs if problem(pair.ko, pair.en)] == []
    assert len({pair_key(pair.ko, pair.en) for pair in pairs}) == len(pairs)


def test_the_labelled_set_has_true_hard_and_random_pairs():
    pairs = read_labelled()
    kinds = {kind: sum(pair.kind == kind for pair in pairs) for kind in {pair.kind for pair in pairs}}

    assert len(pairs) >= 200
    assert all(kinds[kind] >= 15 for kind in ("true", "sibling", "hypernym", "antonym", "related", "random", "mined"))
    assert all(pair.label == (pair.kind == "true") for pair in pairs)


def test_no_term_to_fit_on_is_among_those_held_out():
    fitted = {korean_key(pair.ko) for pair in read_labelled()}
    held_out = read_labelled(HELD_OUT / "synonyms.tsv")

    assert len(held_out) >= 500
    assert {korean_key(pair.ko) for pair in held_out} & fitted == set()
    assert {"sibling", "hypernym", "antonym", "head"} <= {pair.kind for pair in held_out}


def test_no_mined_pair_to_measure_by_is_among_those_fitted_on():
    fitted = {pair_key(pair.ko, pair.en) for pair in read_labelled()}

    assert {pair_key(pair.ko, pair.en) for pair in read_labelled(HELD_OUT / "mined_synonyms.tsv")} & fitted == set()


def test_header_comments_and_repeats_are_skipped(tmp_path):
    path = tmp_path / "mine.tsv"
    path.write_text("\ufeff# ours\nko\ten\n배\tpear\n\n배\tpears\n배\tship\n", encoding="utf-8")

    assert read_curated(path) == [CuratedPair("배", "pear"), CuratedPair("배", "ship")]


def test_terms_with_commas_arrows_quotes_and_emoji_are_read(tmp_path):
    path = tmp_path / "odd.tsv"
    path.write_text('가, 나\ta => b\n"인용\t"quoted\n웃음😀\tsmile 😀\n', encoding="utf-8")

    assert [(pair.ko, pair.en) for pair in read_curated(path)] == [
        ("가, 나", "a => b"),
        ("인용", "quoted"),
        ("웃음😀", "smile 😀"),
    ]


def test_decisions_of_a_curator_are_read(tmp_path):
    path = tmp_path / "curated.tsv"
    path.write_text("ko\ten\tdecision\n배\tpear\tsame\n막대 차트\tchart\tone_way\n배\tship\twrong\n", encoding="utf-8")

    assert [pair.decision for pair in read_curated(path)] == ["same", "one_way", "wrong"]


def test_a_pair_decided_in_two_ways_names_both_lines(tmp_path):
    path = tmp_path / "curated.tsv"
    path.write_text("배\tpear\n배\tpears\twrong\n", encoding="utf-8")

    with pytest.raises(InputError) as error:
        read_curated(path)

    assert f"{path}:1" in error.value.what
    assert error.value.where == f"{path}:2"


@pytest.mark.parametrize("line", ["셀,cell", "셀\tcell\textra", "셀\tcell\tsame\tmore", "셀\t", "\tcell", "😀\tcell"])
def test_wrong_columns_name_file_and_line(tmp_path, line):
    path = tmp_path / "bad.tsv"
    path.write_text(f"글꼴\tfont\n{line}\n", encoding="utf-8")

    with pytest.raises(InputError) as error:
        read_curated(path)

    assert f"{path}:2" in error.value.message


def test_a_missing_file_is_an_input_error(tmp_path):
    with pytest.raises(InputError):
        read_curated(tmp_path / "none.tsv")


def test_evidence_is_read_as_numbers(tmp_path):
    path = tmp_path / "labelled.tsv"
    path.write_text(
        "ko\ten\tlabel\tkind\tevidence\n셀\tcell\t1\ttrue\tdice=0.5 aligned=3\n셀\trow\t0\n", encoding="utf-8"
    )

    first, second = read_labelled(path)

    assert first.evidence == {"dice": 0.5, "aligned": 3.0}
    assert (second.label, second.kind, second.evidence) == (False, "false", {})


@pytest.mark.parametrize("line", ["셀\tcell\tyes", "셀\tcell", "셀\tcell\t1\ttrue\tdice"])
def test_unreadable_labels_name_the_line(tmp_path, line):
    path = tmp_path / "labelled.tsv"
    path.write_text(line + "\n", encoding="utf-8")

    with pytest.raises(InputError) as error:
        read_labelled(path)

    assert f"{path}:1" in error.value.message


def test_a_pair_labelled_both_ways_is_refused(tmp_path):
    path = tmp_path / "labelled.tsv"
    path.write_text("셀\tcell\t1\n셀\tcells\t0\n", encoding="utf-8")

    with pytest.raises(InputError, match="both 1 and 0"):
        read_labelled(path)
