"""From a training set and a backbone to a trained model folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kosparse.config import TrainSparseConfig
from kosparse.records import SynonymEntry
from kosparse.sparse.backbone import body_fingerprint, load_backbone
from kosparse.sparse.head import find_head
from kosparse.sparse.model import save_sparse_model
from kosparse.sparse.states import encoder_states
from kosparse.sparse.students import FullStudent, HeadStudent
from kosparse.sparse.training import Trained, Trainer
from kosparse.sparse.training_set import TrainingSet
from kosparse.sparse.wishes import Wishes, dictionary_wishes


def fit(
    config: TrainSparseConfig,
    data: TrainingSet,
    backbone: Path,
    folder: Path,
    *,
    idf: Mapping[str, float],
    boosts: Mapping[str, float],
    entries: Sequence[SynonymEntry],
    cache: Path,
) -> tuple[Trained, int]:
    """Train and write a folder that plain sentence-transformers loads.

    Args:
        config: Settings.
        data: Queries, passages and teacher scores.
        backbone: Folder of ``prepare_backbone``.
        folder: Where the model is written.
        idf: Where the query side starts.
        boosts: Factors of rising terms.
        entries: Dictionary supervision.
        cache: Folder of encoder states.

    Returns:
        How training went, and how many passages the dictionary asks something of.
    """
    torch.manual_seed(config.seed)
    network, tokenizer, max_length = load_backbone(backbone)
    texts = [passage.text for passage in data.passages]
    wishes = dictionary_wishes(tokenizer, texts, entries, config.dictionary_p)
    start = query_weights(tokenizer, idf, boosts)
    student = _student(config, network, tokenizer, texts, max_length, start, wishes, cache)
    encoded = tokenizer([query.text for query in data.queries], add_special_tokens=False)["input_ids"]
    pieces = [np.unique(np.asarray(ids, dtype=np.int64)) for ids in encoded]
    with _one_thread(config):
        trained = Trainer(config, data, student, pieces).run()
    save_sparse_model(folder, backbone, network.cpu(), student.finish(network))
    return trained, len(wishes.wanted)


@contextmanager
def _one_thread(config: TrainSparseConfig) -> Iterator[None]:
    """Steps of the head are many small operations: on a CPU, threads cost more than they bring."""
    threads = torch.get_num_threads()
    if config.train == "head":
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def query_weights(tokenizer: Any, idf: Mapping[str, float], boosts: Mapping[str, float]) -> Tensor:
    """IDF times trend boost for each term; special tokens weigh nothing: shape [terms]."""
    tokens = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    weights = torch.tensor([float(idf.get(token, 0.0)) * float(boosts.get(token, 1.0)) for token in tokens])
    weights[torch.tensor(tokenizer.all_special_ids)] = 0.0
    return weights


def _student(
    config: TrainSparseConfig,
    network: Any,
    tokenizer: Any,
    texts: Sequence[str],
    max_length: int,
    start: Tensor,
    wishes: Wishes,
    cache: Path,
) -> HeadStudent | FullStudent:
    if config.train == "all":
        device = ("cuda" if torch.cuda.is_available() else "cpu") if config.device == "auto" else config.device
        pieces = tokenizer(list(texts), truncation=True, max_length=max_length)["input_ids"]
        return FullStudent(network.to(device).train(), pieces, tokenizer.pad_token_id, start, wishes)
    body = body_fingerprint(network, tokenizer)
    states = encoder_states(network, tokenizer, texts, cache=cache, body=body, max_length=max_length)
    return HeadStudent(find_head(network), states, start, wishes, config.seed)
