"""A model that was spoilt on purpose is called worse than the one it was made from, and is not promoted."""

import shutil

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from kosparse.config.promotion import PromotionPolicy
from kosparse.corpus.units import UNITS_FILE
from kosparse.evaluation.review import Measured, gates, review
from kosparse.jsonl import read_json, write_json, write_lines, write_records
from kosparse.records import Document, Passage, Query
from kosparse.steps import evaluate
from tests.data.make_corpus import PLACES, TOPICS
from tests.fakes.tiny_sparse_encoder import write_tiny_morpheme_encoder
from tests.unit.evaluation.world import FakeEmbedder, write_world

PAGES = {f"{place[0]}/{topic[0]}": (place, topic) for place in PLACES for topic in TOPICS}
TEXTS = {name: f"{place[0]}에서 {topic[2]}. {place[2]}" for name, (place, topic) in PAGES.items()}
ASKED = [(f"{place[0]} {words}", name) for name, (place, topic) in PAGES.items() for words in (topic[0], topic[2])]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Forty documents and two queries for each, one in the words of a heading, one in those of the text."""
    folder = tmp_path_factory.mktemp("planted")
    paths = write_world(folder / "world")
    write_records(paths["documents"], (Document(id=name, text=text) for name, text in TEXTS.items()))
    write_records(
        paths["passages"],
        (Passage(id=f"{name}#0", document_id=name, position=0, text=text) for name, text in TEXTS.items()),
    )
    queries = [Query(id=f"q{number}", text=text) for number, (text, _) in enumerate(ASKED)]
    write_records(paths["evaluation"] / "queries.jsonl", queries)
    judged = [f"q{number}\t{name}\t1" for number, (_, name) in enumerate(ASKED)]
    write_lines(paths["evaluation"] / "qrels" / "test.tsv", judged)
    return folder, {name: paths[name] for name in evaluate.run.inputs if name != "model"}


@pytest.fixture(scope="module")
def model(world):
    return write_tiny_morpheme_encoder(world[0] / "whole", list(TEXTS.values()))


@pytest.fixture(scope="module")
def measure(world):
    """A model folder, evaluated, as a review reads it."""
    folder, inputs = world
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kosparse.adapters.embedder.open_embedder", FakeEmbedder)
        patch.setenv("KOSPARSE_CACHE", str(folder / "cache"))

        def measured(model):
            results = model.parent / f"results-{model.name}"
            evaluate.run(config={"permutations": 100}, model=model, results=results, **inputs)
            files = (results / "results.json", results / "per_query.jsonl")
            return Measured.parse(model.name, *(path.read_bytes() for path in files))

        yield measured


@pytest.fixture(scope="module")
def champion(model, measure):
    return measure(model)


def query_side(model, name):
    (found,) = (path for path in model.rglob(name) if "query" in path.relative_to(model).as_posix())
    return found


def shuffled(model):
    """The names of the dimensions in another order than their rows."""
    path = query_side(model, UNITS_FILE)
    names = read_json(path)
    write_json(path, [names[place] for place in np.random.default_rng(13).permutation(len(names))])


def truncated(model):
    """Every other term is gone from the vocabulary of queries."""
    path = query_side(model, "model.safetensors")
    weights = load_file(path)["weight"].clone()
    weights[::2] = 0
    save_file({"weight": weights}, path)


@pytest.mark.parametrize("spoil", [shuffled, truncated])
def test_a_planted_regression_is_called_worse_with_significance(model, measure, champion, spoil):
    spoilt = model.parent / spoil.__name__
    shutil.copytree(model, spoilt)
    spoil(spoilt)

    found = review(measure(spoilt), champion)

    assert found.shared == len(ASKED) == 80 and found.same_queries
    assert found.difference.difference < -0.05 and found.difference.p < 0.05
    assert not gate(found).passed


def test_the_same_model_measured_again_is_not_called_worse(model, measure, champion):
    again = model.parent / "again"
    shutil.copytree(model, again)
    found = review(measure(again), champion)
    assert (found.difference.difference, found.difference.p) == (0.0, 1.0)
    assert gate(found).passed


def gate(found):
    return next(row for row in gates(found, PromotionPolicy()) if row.name == "not_worse_than_champion")
