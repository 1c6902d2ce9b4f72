"""The three cells of the plan's notebook, word for word but for imports, model path and device."""

from dataclasses import replace

import pytest

from kosparse import enhance_bilingual_dict_with_llm, generate_synthetic_qd_pairs, load_llm_model
from kosparse.records import Document
from kosparse.synonyms.curated import read_labelled
from tests.fakes.tiny_llm import save_tiny_llm, speak
from tests.unit.synonyms.conftest import labels
from tests.unit.synthetic.builders import CELL, CHART, MACRO
from tests.unit.synthetic.test_qd_pairs import answer

KNOWN = {(pair.ko, pair.en) for pair in read_labelled() if pair.label} | {("셀", "cell"), ("글꼴", "font")}


def _says(request):
    """To a verification whether the pair is one it knows, to anything else what the tests of pairs are told."""
    question = request.messages[-1]["content"]
    if not request.top_logprobs or question.count("<<<") < 2:
        return answer(replace(request, json_schema={"required": []}))
    ko, en = (part.split(">>>")[0] for part in question.split("<<<")[1:3])
    return labels(0.98 if (ko, en) in KNOWN else 0.02, "ko" if "한국어" in question else "en")


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plan")
    save_tiny_llm(folder, words=("예", "아니오", "Yes", "No"), context=8192)
    llm_model, llm_tokenizer = load_llm_model(model_name=str(folder), device="cpu", quantization="int8")
    assert llm_model.kosparse_quantization == "int8"
    speak(llm_model, llm_tokenizer, _says)
    return llm_model, llm_tokenizer


def test_synthetic_pairs_are_generated(loaded):
    llm_model, llm_tokenizer = loaded
    documents = [CELL, Document(id="m", text=MACRO), CHART]

    synthetic_pairs = generate_synthetic_qd_pairs(
        documents=documents[:1000], llm_model=llm_model, llm_tokenizer=llm_tokenizer, num_queries_per_doc=3
    )

    assert ("매크로 실행", MACRO) in list(synthetic_pairs)
    assert synthetic_pairs.funnel["statistics"]["by_origin"]["document_to_query"] == 9
    assert any("judge" in pair.scores for pair in synthetic_pairs.pairs), "the same model judges"
    assert {pair.provenance.quantization for pair in synthetic_pairs.pairs if pair.provenance} >= {"int8"}


def test_the_dictionary_is_verified(loaded):
    llm_model, llm_tokenizer = loaded
    bilingual_dict = {"셀": ["cell", "umbrella"], "글꼴": "font"}

    enhanced_dict = enhance_bilingual_dict_with_llm(
        initial_dict=bilingual_dict, llm_model=llm_model, llm_tokenizer=llm_tokenizer, verification_threshold=0.8
    )

    assert enhanced_dict == {"셀": ["cell"], "글꼴": ["font"]}
    assert [row["en"] for row in enhanced_dict.summary["rejected"]] == ["umbrella"]
