"""A language model and an embedder that know a handful of words."""

from __future__ import annotations

import hashlib
import math
import re

import numpy as np
import pytest

from kosparse.records import Completion
from kosparse.synonyms.curated import LabelledPair, read_labelled
from tests.fakes.chat import FakeChatModel


class WordEmbedder:
    """Equal vectors for translations it was told of, random ones otherwise."""

    fingerprint, dimensions = "words", 16

    def __init__(self, translations=()):
        self._canonical = {en: ko for ko, en in translations}

    def encode(self, texts, kind):
        rows = []
        for text in texts:
            seed = hashlib.md5(self._canonical.get(text, text).encode()).digest()
            vector = np.random.default_rng(int.from_bytes(seed[:4], "big")).normal(size=16)
            rows.append(vector / np.linalg.norm(vector))
        return np.array(rows, dtype=np.float32)


def labels(yes: float, language: str) -> Completion:
    """An answer whose first token is yes with this probability."""
    positive, negative = ("예", "아니오") if language == "ko" else ("Yes", "No")
    logprobs = {positive: math.log(yes), negative: math.log(1 - yes)}
    return Completion(text=positive if yes > 0.5 else negative, first_token_logprobs=logprobs)


MEANINGS = {
    "equivalent": ("뜻이 같다", "they mean the same"),
    "broader": ("한쪽의 뜻이 더 넓다", "one is broader than the other"),
    "hypernym": ("영어 용어의 뜻이 더 넓다", "the English term is broader"),
    "hyponym": ("한국어 용어의 뜻이 더 넓다", "the Korean term is broader"),
    "related": ("관련만 있다", "they are only related"),
    "antonym": ("뜻이 반대다", "they are opposites"),
    "wrong": ("관련이 없다", "they have nothing to do with each other"),
}
"""How the prompt names a type in both languages."""


def relation_asked(text):
    """``(Korean, English)`` and type by letter of a question about how terms relate; None of another question."""
    if "어떤 관계입니까" not in text and "term relate?" not in text:
        return None
    pair = tuple(re.findall(r"^(?:한국어|Korean|영어|English): <<<(.*?)>>>", text, re.MULTILINE))
    names = {told: name for name, both in MEANINGS.items() for told in both}
    return pair, {letter: names[told] for letter, told in re.findall(r"^([A-E]): (.*)$", text, re.MULTILINE)}


def judge(probability, terms=()):
    """A FakeChatModel whose answer to a verification is ``probability(ko, en)``.

    It calls terms in the other language what ``terms`` says, and nothing else; of two it prefers the more probable. To
    it terms mean the same or have nothing to do with each other.
    """
    own = dict(terms)

    def answer(request):
        text = request.messages[-1]["content"]
        if relation := relation_asked(text):
            pair, options = relation
            yes = probability(*pair)
            chances = {"equivalent": yes, "wrong": 1 - yes}
            logprobs = {letter: math.log(chances.get(name, 1e-3)) for letter, name in options.items()}
            return Completion(text=max(logprobs, key=logprobs.get), first_token_logprobs=logprobs)
        term, *en = (part.split(">>>")[0] for part in text.split("<<<")[1:])
        if en:
            return labels(probability(term, en[0]), "ko" if "같은 뜻입니까" in text else "en")
        if "\nA: " not in text:
            return own.get(term, "")
        offered = [re.search(rf"^{letter}: (.*)$", text, re.MULTILINE)[1] for letter in "AB"]
        first, second = (probability(term, one) if "뜻이 같은" in text else probability(one, term) for one in offered)
        p = first / (first + second)
        return Completion(text="A" if p > 0.5 else "B", first_token_logprobs={"A": math.log(p), "B": math.log(1 - p)})

    return FakeChatModel(answer)


@pytest.fixture
def labelled():
    """40 true pairs 가0-a ..., 20 hard and 20 random false ones; no feature tells them apart."""
    kinds = ["true"] * 40 + ["sibling"] * 20 + ["random"] * 20
    return [
        LabelledPair(
            f"가{'나' * (i % 7)}{chr(0xAC00 + i)}", f"w{'abcdefgh'[i % 8]}x{'o' * (i // 8)}", kind == "true", kind
        )
        for i, kind in enumerate(kinds)
    ]


@pytest.fixture
def knowing(labelled):
    """A model that is right about the labelled pairs nine times in ten, and says 셀 is cell."""
    truth = {(pair.ko, pair.en): pair.label != (i % 10 == 0) for i, pair in enumerate(labelled)}
    truth["셀", "cell"] = True
    return judge(lambda ko, en: 0.95 if truth.get((ko, en)) else 0.05)


@pytest.fixture
def knowing_shipped():
    """A model that knows the labelled pairs that ship, and that 셀 is cell and 글꼴 font."""
    truth = {(pair.ko, pair.en) for pair in read_labelled() if pair.label} | {("셀", "cell"), ("글꼴", "font")}
    return judge(lambda ko, en: 0.98 if (ko, en) in truth else 0.02)
