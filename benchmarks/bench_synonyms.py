"""How right, how large and how quick is the dictionary? Against pairs labelled by hand that nothing was fitted on.

    python -m benchmarks.bench_synonyms [--llm [--cached]] [--seconds 1500] [--many 100000]

``--llm`` asks the language model of ``LLM_BASE_URL``, for so many seconds in each part. Answers are cached, so that
``--cached`` repeats a run without a server.
"""

from __future__ import annotations

import argparse
import gettext
import random
import re
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import finish
from kosparse.adapters.embedder import open_embedder
from kosparse.config import MineSynonymsConfig, VerifySynonymsConfig
from kosparse.corpus.libreoffice import fetch_sample
from kosparse.errors import ServiceError
from kosparse.evaluation.significance import wilson
from kosparse.jsonl import read_records
from kosparse.ports import ChatModel, ChatRequest, Embedder, never
from kosparse.records import AlignedText, Completion, Document, Reject, SynonymCandidate, Verdict
from kosparse.settings import settings
from kosparse.steps import ingest_corpus
from kosparse.synonyms.calibrate import quality
from kosparse.synonyms.combiner import Floats
from kosparse.synonyms.curated import LabelledPair, draw_labelled, read_labelled
from kosparse.synonyms.enhance import enhance_dictionary, summarise
from kosparse.synonyms.mine import mine_synonyms, sources_of
from kosparse.synonyms.neighbours import centred, hubness, mutual_neighbours
from kosparse.synonyms.questions import said_yes
from kosparse.synonyms.terms import pair_key
from kosparse.synonyms.verifier import Verifier
from kosparse.synonyms.verify import verify_synonyms_with_llm

_LABELLED = Path(__file__).parent / "labelled"
_THRESHOLD = 0.8
_POOL = 400
_RERANKED = 10
"""Nearest terms that the combiner looks at in translation retrieval."""
_CALIBRATED_BY, _ASKED_HELD_OUT, _ASKED_MINED = 96, 192, 600

Row = dict[str, Any]


def main() -> None:
    """Measure all of it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--llm", action="store_true")
    parser.add_argument("--cached", action="store_true")
    parser.add_argument("--seconds", type=float, default=1500.0)
    parser.add_argument("--many", type=int, default=100_000)
    options = parser.parse_args()
    model, embedder = (_model(options.cached) if options.llm else None), open_embedder()
    documents, parallel = sample_corpus()
    held_out = read_labelled(_LABELLED / "synonyms.tsv")
    rows = [
        *verification(held_out, model, embedder, options.seconds),
        *names(embedder),
        *retrieval(held_out, embedder),
        *dictionaries(documents, parallel, model, embedder, options.seconds),
        mining(documents, embedder, options.many),
        blocks(),
    ]
    finish(
        "synonyms",
        rows,
        command="make bench-synonyms" + (" LLM=1" if options.llm else ""),
        notes=[
            f"verification: pairs of benchmarks/labelled/synonyms.tsv; precision and recall at p >= {_THRESHOLD}. "
            "Without mining evidence, which these pairs do not have: the hardest case.",
            "names: languages, countries, scripts and currencies of CLDR and ISO, each against another one's name.",
            f"retrieval: P@1 of the right English term among {_POOL}, under precision: held-out terms, names of CLDR.",
            "dictionary: precision of a random sample labelled by hand (benchmarks/labelled/mined_synonyms.tsv); "
            "curated pairs count as right; recall is of the labelled true candidates.",
        ],
        packages=["kiwipiepy", "numpy", "scikit-learn", "babel", "pycountry"],
    )


def _row(
    what: str, case: str, pairs: int, precision: Any = "", interval: Any = "", recall: Any = "", also: str = ""
) -> Row:
    found = {"precision": precision, "interval": interval, "recall": recall}
    return {"what": what, "case": case, "pairs": pairs, **found, "also": also}


class _Cached:
    """A chat model that gives the answers it has and asks nobody."""

    def __init__(self, inner: ChatModel) -> None:
        self.inner = inner
        self.model, self.revision, self.quantization = inner.model, inner.revision, inner.quantization

    def complete(
        self, requests: Sequence[ChatRequest], *, stop: Callable[[], bool] = never
    ) -> Iterator[tuple[int, Completion | Reject]]:
        return self.inner.complete(requests, stop=lambda: True)


def _model(cached: bool) -> ChatModel:
    from kosparse.llm.loader import open_chat_model

    model = open_chat_model(VerifySynonymsConfig().concurrency)
    return _Cached(model) if cached else model


def sample_corpus() -> tuple[list[Document], list[AlignedText]]:
    """Documents and parallel text of the sample corpus, as a run reads them."""
    with tempfile.TemporaryDirectory() as folder:
        outputs = {name: Path(folder) / name for name in ingest_corpus.run.outputs}
        given = {"corpus": str(fetch_sample(settings().cache)), "queries": "", "qrels": "", "query_log": ""}
        ingest_corpus.run(config={}, **given, **outputs)
        documents = list(read_records(outputs["documents"], Document))
        return documents, list(read_records(outputs["parallel"], AlignedText))


def mined_labels() -> dict[tuple[str, str], bool]:
    """Whether the terms of a mined pair are synonymous, by ``pair_key``; nothing is fitted on them."""
    return {pair_key(pair.ko, pair.en): pair.label for pair in read_labelled(_LABELLED / "mined_synonyms.tsv")}


def verification(
    held_out: Sequence[LabelledPair], model: ChatModel | None, embedder: Embedder, seconds: float
) -> Iterator[Row]:
    """The verifier, fitted on the pairs that ship, on pairs held out."""
    yield _verified("all, evidence alone", held_out, _judged(held_out, None, embedder, seconds))
    if model is None:
        return
    few = [held_out[i] for i in draw_labelled(held_out, _ASKED_HELD_OUT, VerifySynonymsConfig().seed)]
    verdicts = _judged(few, model, embedder, seconds)
    asked = [i for i, verdict in enumerate(verdicts) if verdict.asked_llm]
    if not asked:
        raise ServiceError(
            "no held-out pair was answered",
            where="bench_synonyms",
            fix="Leave --cached out where this model's answers are not in the cache, or raise --seconds.",
        )
    answered = [few[i] for i in asked]
    alone = _judged(few, None, embedder, seconds)
    yield _verified("asked, evidence alone", answered, [alone[i] for i in asked])
    yield _verified("asked, with language model", answered, [verdicts[i] for i in asked])
    total = np.array([said_yes(verdicts[i].log_odds) for i in asked])
    yield _quality("asked, its answers alone", answered, 1 / (1 + np.exp(-total)))


def _judged(
    pairs: Sequence[LabelledPair], model: ChatModel | None, embedder: Embedder, seconds: float
) -> list[Verdict]:
    config = VerifySynonymsConfig(strategy="high", labelled_pairs=_CALIBRATED_BY, budget_seconds=seconds)
    candidates = [pair.candidate for pair in pairs]
    verifier = Verifier(model, config, embedder, None, pool=candidates)
    return verifier.judge(candidates, budget_seconds=seconds)


def _verified(case: str, pairs: Sequence[LabelledPair], verdicts: Sequence[Verdict]) -> Row:
    return _quality(case, pairs, np.array([verdict.p for verdict in verdicts]))


def _quality(case: str, pairs: Sequence[LabelledPair], p: Floats) -> Row:
    found = quality(p, [pair.label for pair in pairs], [pair.kind for pair in pairs], _THRESHOLD)
    also = "AUROC random {auroc_random}, hard {auroc_hard}, Brier {brier}, ECE {ece}".format(**found)
    interval = "-".join(f"{bound:.3f}" for bound in found["precision_interval"])
    return _row("verification", case, found["n"], found["precision"], interval, found["recall"], also)


def names(embedder: Embedder) -> Iterator[Row]:
    """Names of CLDR and ISO against those of their neighbours in the alphabet."""
    for source, found in (("CLDR", _cldr()), ("ISO", _iso())):
        true = random.Random(13).sample(sorted(found.items()), min(_POOL, len(found)))
        other = [(ko, true[i - 1][1]) for i, (ko, _) in enumerate(true)]
        pairs = [LabelledPair(ko, en, True, "true") for ko, en in true]
        pairs += [LabelledPair(ko, en, False, "random") for ko, en in other]
        yield {**_verified(f"{source}, evidence alone", pairs, _judged(pairs, None, embedder, 1.0)), "what": "names"}


def _cldr() -> dict[str, str]:
    from babel import Locale

    korean, english = Locale("ko"), Locale("en")
    return {
        ko: english_names[code]
        for kind in ("languages", "territories", "scripts", "currencies")
        for code, ko in getattr(korean, kind).items()
        if code in (english_names := getattr(english, kind)) and re.fullmatch(r"[가-힣 ]+", ko)
    }


def _iso() -> dict[str, str]:
    import pycountry

    korean = gettext.translation("iso3166-1", pycountry.LOCALES_DIR, languages=["ko"])
    named = {korean.gettext(country.name): country.name for country in pycountry.countries}
    return {ko: en for ko, en in named.items() if re.fullmatch(r"[가-힣 ]+", ko)}


def retrieval(held_out: Sequence[LabelledPair], embedder: Embedder) -> Iterator[Row]:
    """Which of 400 English terms translates a Korean one? For held-out terms, and for names."""
    cldr = _cldr()
    right: dict[str, set[str]] = {}
    for pair in held_out:
        if pair.label:
            right.setdefault(pair.ko, set()).add(pair.en)
    english = sorted(set().union(*right.values()))
    more = random.Random(13).sample(sorted(set(cldr.values()) - set(english)), _POOL - len(english))
    yield from _retrieved("terms", right, english + [name.lower() for name in more], embedder)
    names = {ko: {en.lower()} for ko, en in random.Random(13).sample(sorted(cldr.items()), _POOL)}
    yield from _retrieved("names of CLDR", names, [en for (en,) in names.values()], embedder)


def _retrieved(what: str, right: Mapping[str, set[str]], english: Sequence[str], embedder: Embedder) -> Iterator[Row]:
    korean = list(right)
    left, across = embedder.encode(korean, "query"), embedder.encode(english, "query")
    cosine = left @ across.T
    left, across = centred(left), centred(across)
    csls = 2 * left @ across.T - hubness(left, across)[:, None] - hubness(across, left)[None, :]
    nearest = np.argsort(-csls, axis=1)[:, :_RERANKED]
    pairs = [LabelledPair(korean[i], english[j], False, "") for i, row in enumerate(nearest) for j in row]
    p = np.array([verdict.p for verdict in _judged(pairs, None, embedder, 1.0)]).reshape(nearest.shape)
    best = {
        "cosine": cosine.argmax(axis=1),
        "centred, CSLS": csls.argmax(axis=1),
        f"the {_RERANKED} nearest by evidence": nearest[np.arange(len(korean)), p.argmax(axis=1)],
    }
    for case, chosen in best.items():
        found = sum(english[j] in right[ko] for ko, j in zip(korean, chosen, strict=True))
        share = round(found / len(korean), 3)
        yield _row("retrieval", f"{what}: {case}", len(korean), share, _interval(found, len(korean)))


def dictionaries(
    documents: Sequence[Document],
    parallel: Sequence[AlignedText],
    model: ChatModel | None,
    embedder: Embedder,
    seconds: float,
) -> Iterator[Row]:
    """The initial dictionary and the enhanced one, without parallel text and with it."""
    labels = mined_labels()
    for case, rows in (("no parallel text", []), ("parallel text", parallel)):
        mined, _ = mine_synonyms(documents, rows, MineSynonymsConfig(), embedder)
        seen = [c for c in mined if c.features.get("documents", 1.0) > 0]
        initial = [c for c in seen if {"curated", "pattern"} & set(sources_of(c))]
        yield _dictionary(f"{case}: initial", initial, seen, labels, "")
        for strategy, asked in (("low", None), ("balanced", model)):
            if strategy == "balanced" and model is None:
                continue
            config = VerifySynonymsConfig(
                strategy=strategy,
                labelled_pairs=_CALIBRATED_BY,
                max_candidates=_ASKED_MINED,
                budget_seconds=seconds,
            )
            started = time.perf_counter()
            verdicts, report = verify_synonyms_with_llm(mined, asked, config=config, embedder=embedder)
            took = time.perf_counter() - started
            entries, _ = enhance_dictionary(mined, verdicts, [], _THRESHOLD)
            kept = {pair_key(entry.ko, entry.en) for entry in entries}
            growth = summarise(mined, entries, _THRESHOLD)["growth"]
            also = f"{growth} x the initial, {report['asked']} pairs asked, {took:.0f} s"
            yield _dictionary(
                f"{case}: {strategy}", [c for c in seen if pair_key(c.ko, c.en) in kept], seen, labels, also
            )


def _dictionary(
    case: str,
    chosen: Sequence[SynonymCandidate],
    candidates: Sequence[SynonymCandidate],
    labels: Mapping[tuple[str, str], bool],
    also: str,
) -> Row:
    """Precision of a dictionary: that of its labelled pairs stands for all that are not curated."""
    found = [labels[key] for c in chosen if c.source != "curated" and (key := pair_key(c.ko, c.en)) in labels]
    true = [labels[key] for c in candidates if c.source != "curated" and (key := pair_key(c.ko, c.en)) in labels]
    curated = sum(c.source == "curated" for c in chosen)
    share = sum(found) / len(found) if found else 1.0
    precision = (curated + share * (len(chosen) - curated)) / max(len(chosen), 1)
    recall = round(sum(found) / max(sum(true), 1), 3)
    told = f"mined ones {share:.3f} ({len(found)} labelled)"
    return _row(
        "dictionary",
        case,
        len(chosen),
        round(precision, 3),
        _interval(sum(found), len(found)),
        recall,
        f"{told} {also}",
    )


def _interval(found: int, of: int) -> str:
    return "-".join(f"{bound:.3f}" for bound in wilson(found, of))


def mining(documents: Sequence[Document], embedder: Embedder, many: int) -> Row:
    """Seconds to mine a large collection without parallel text: sentences of the sample corpus, dealt out anew."""
    rng = random.Random(13)
    sentences = [part for document in documents for part in re.split(r"(?<=[.?!])\s+", document.searched)]
    size = max(1, len(sentences) // len(documents))
    texts = (" ".join(rng.choices(sentences, k=size)) for _ in range(many))
    collection = [Document(id=str(number), text=text) for number, text in enumerate(texts)]
    started = time.perf_counter()
    found, _ = mine_synonyms(collection, [], MineSynonymsConfig(), embedder)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    characters = sum(len(document.text) for document in collection)
    told = f"{seconds:.0f} s, {characters / 1e6:.0f} million characters, peak {peak:.1f} GB, {len(found)} candidates"
    return _row("mining", f"{many:,} documents", len(found), also=told)


def blocks(terms: int = 200_000, few: int = 2_000) -> Row:
    """Memory for 200,000 terms on one side; the other grows by its vectors alone, for products are made in blocks."""
    rng = np.random.default_rng(13)
    many = rng.standard_normal((terms, 384), dtype=np.float32)
    many /= np.linalg.norm(many, axis=1, keepdims=True)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    mutual_neighbours(many[:few], many)
    seconds = time.perf_counter() - started
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**20
    told = f"{seconds:.0f} s, +{grown:.1f} GB above the peak before, vectors {2 * many.nbytes / 2**30:.1f} GB"
    return _row("mining", f"CSLS, {few:,} x {terms:,} terms", few, also=told)


if __name__ == "__main__":
    main()
