"""Train the sparse encoder on what the teachers and the synthetic pairs say."""

from __future__ import annotations

import json
from typing import Any

from kosparse.config import TrainSparseConfig
from kosparse.jsonl import read_json, read_records, write_lines
from kosparse.records import SynonymEntry
from kosparse.settings import settings
from kosparse.steps.runtime import InPath, Metrics, OutPath, step


@step
def run(
    config: TrainSparseConfig,
    *,
    training_set: InPath,
    backbone: InPath,
    idf: InPath,
    trends: InPath,
    dictionary: InPath,
    model: OutPath,
    history: OutPath,
) -> Metrics:
    """Train, keep the best state, and write a folder that plain sentence-transformers loads."""
    import numpy as np
    import torch

    from kosparse.sparse.backbone import load_backbone
    from kosparse.sparse.model import save_sparse_model
    from kosparse.sparse.training import Trainer
    from kosparse.sparse.training_set import TrainingSet
    from kosparse.sparse.wishes import dictionary_wishes

    torch.manual_seed(config.seed)
    data = TrainingSet.load(training_set)
    network, tokenizer, max_length = load_backbone(backbone)
    texts = [passage.text for passage in data.passages]
    entries = list(read_records(dictionary, SynonymEntry)) if config.dictionary_weight else []
    wishes = dictionary_wishes(tokenizer, texts, entries, config.dictionary_p)
    start = _query_weights(tokenizer, read_json(idf), read_json(trends)["terms"])
    student = _student(config, network, tokenizer, texts, max_length, start, wishes)
    encoded = tokenizer([query.text for query in data.queries], add_special_tokens=False)["input_ids"]
    pieces = [np.unique(np.asarray(ids, dtype=np.int64)) for ids in encoded]
    trained = Trainer(config, data, student, pieces).run()
    save_sparse_model(model, backbone, network, student.finish(network))
    write_lines(history, (json.dumps(row) for row in trained.history))
    first, best = trained.history[0], min(trained.history, key=lambda row: row["validation_kl"])
    return {
        "steps": float(trained.steps),
        "validation_kl_at_start": first["validation_kl"],
        "validation_kl": best["validation_kl"],
        "validation_ndcg@10": best["validation_ndcg@10"],
        "active_terms": best["active_terms"],
        "passages_with_dictionary_terms": float(len(wishes.wanted)),
    }


def _query_weights(tokenizer: Any, idf: dict[str, float], boosts: dict[str, float]) -> Any:
    """IDF times trend boost for each term; special tokens weigh nothing: shape [terms]."""
    import torch

    tokens = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    weights = torch.tensor([float(idf.get(token, 0.0)) * float(boosts.get(token, 1.0)) for token in tokens])
    weights[torch.tensor(tokenizer.all_special_ids)] = 0.0
    return weights


def _student(
    config: TrainSparseConfig, network: Any, tokenizer: Any, texts: list[str], max_length: int, start: Any, wishes: Any
) -> Any:
    import torch

    from kosparse.sparse.backbone import body_fingerprint
    from kosparse.sparse.head import find_head
    from kosparse.sparse.states import encoder_states
    from kosparse.sparse.students import FullStudent, HeadStudent

    if config.train == "all":
        device = ("cuda" if torch.cuda.is_available() else "cpu") if config.device == "auto" else config.device
        pieces = tokenizer(texts, truncation=True, max_length=max_length)["input_ids"]
        return FullStudent(network.to(device).train(), pieces, tokenizer.pad_token_id, start, wishes)
    states = encoder_states(
        network,
        tokenizer,
        texts,
        cache=settings().cache / "states",
        body=body_fingerprint(network, tokenizer),
        max_length=max_length,
    )
    return HeadStudent(find_head(network), states, start, wishes, config.seed)
