from kosparse.config import MineSynonymsConfig
from kosparse.records import AlignedText, Document, SynonymCandidate
from kosparse.synonyms import grounding
from kosparse.synonyms.mine import merge, mine_synonyms, sources_of
from tests.unit.synonyms.conftest import WordEmbedder


def documents(*texts):
    return [Document(id=str(i), text=text) for i, text in enumerate(texts)]


def test_one_candidate_per_pair_with_the_evidence_of_every_source():
    config = MineSynonymsConfig(sources=["pattern", "aligned"])
    parallel = [AlignedText(ko="매크로", en="Macros", source="block")] * 2

    found, _ = mine_synonyms(documents("매크로(macro)를 실행합니다."), parallel, config)

    (macro,) = [c for c in found if c.ko == "매크로"]
    assert macro.source == "curated"  # it is in the starter list, too
    assert sources_of(macro) == ["aligned", "curated", "pattern"]
    assert (macro.features["pattern"], macro.features["aligned"], macro.features["documents"]) == (1.0, 2.0, 1.0)
    assert macro.examples


def test_curated_terms_say_in_how_many_documents_they_occur():
    found, _ = mine_synonyms(
        documents("글꼴을 고릅니다", "이 폰트(FONT)", "다른 말"), [], MineSynonymsConfig(sources=[])
    )

    count = {c.ko: c.features["documents"] for c in found}
    assert (count["글꼴"], count["네트워크"]) == (2.0, 0.0)


def test_neighbours_by_embedding_need_an_embedder():
    texts = documents(*["쎌을 봅니다. cell view"] * 3)
    config = MineSynonymsConfig(sources=["embedding"])

    with_vectors, _ = mine_synonyms(texts, [], config, WordEmbedder([("쎌", "cell")]))
    without, _ = mine_synonyms(texts, [], config, None)

    assert [(c.ko, c.en) for c in with_vectors if c.source == "embedding"] == [("쎌", "cell")]
    assert all(c.source == "curated" for c in without)


def test_the_limit_rejects_the_weakest_and_spares_every_source():
    parallel = [
        AlignedText(ko=f"{w}말", en=en, source="block")
        for w, en in zip("겹높짧덧", ("aa", "bb", "cc", "dd"), strict=True)
    ]
    config = MineSynonymsConfig(sources=["pattern", "aligned"], max_candidates=2)

    found, rejects = mine_synonyms(documents("도돌이(refrain)를"), parallel, config)

    assert sorted(c.source for c in found if c.source != "curated") == ["aligned", "pattern"]
    assert [r.reason for r in rejects] == ["over_limit"] * 3


def test_empty_documents_and_parallel_text_leave_the_curated_list():
    found, rejects = mine_synonyms([], [], MineSynonymsConfig(), WordEmbedder())

    assert {c.source for c in found} == {"curated"}
    assert rejects == []


def test_merging_takes_the_largest_value_of_a_feature():
    one = SynonymCandidate(ko="셀", en="cell", source="embedding", count=3, features={"csls": 0.1})
    two = SynonymCandidate(ko="셀", en="cells", source="aligned", count=2, features={"csls": 0.2, "dice": 0.5})

    (merged,) = merge([one, two])

    assert (merged.en, merged.source, merged.count) == ("cells", "aligned", 3)
    assert merged.features == {"from_aligned": 1.0, "from_embedding": 1.0, "csls": 0.2, "dice": 0.5}


def test_terms_that_only_texts_beside_the_sample_have_are_seen(monkeypatch):
    monkeypatch.setattr(grounding, "_MOST_TEXTS", 2)
    texts = ["다른 말", "끓는점(boiling point)을 잽니다", "다른 말", "글꼴 FONT", "셀 cell", "차 트"]
    lookup = grounding.Texts.of(texts)
    assert lookup.plain == texts[::3]
    assert lookup.counts([["다른"], ["글꼴", "x"], ["x", "boiling point"]]) == [1, 1, 1]
    assert lookup.counts([[term] for term in ("font", "셀", "point boiling", "차트", "없다")]) == [1, 1, 0, 0, 0]
    odd = ("셀 cel", "글꼴 fo", "cell 셀", "", "+ +", "셀 cell 표")
    assert lookup.counts([[term] for term in odd]) == [1, 1, 0, 0, 0, 0]
    assert lookup.counts([]) == []
    (found,) = grounding.ground([SynonymCandidate(ko="끓는점", en="boiling point", source="aligned")], texts)
    assert found.features["documents"] == 1.0
