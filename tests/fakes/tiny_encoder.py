"""A real but tiny encoder: a random two-layer BERT, ModernBERT or RoBERTa, over the words of the given texts.

RoBERTa comes with the tokenizer of its family: byte-level BPE, here without merges.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_MOST_WORDS = 500
_SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]


def words_and_characters(texts: Sequence[str]) -> tuple[list[str], list[str]]:
    """The most frequent words of the texts, and all their characters; unlike a trained cut, the same every time."""
    counts = Counter(word for text in texts for word in unicodedata.normalize("NFKC", text).split())
    words = sorted(counts, key=lambda word: (-counts[word], word))[:_MOST_WORDS]
    return [word for word in words if len(word) > 1], sorted(set("".join(counts)))


def write_tiny_encoder(folder: Path, texts: Sequence[str], dimensions: int = 32, family: str = "bert") -> Path:
    """Write a sentence-transformers folder (encoder, mean pooling) and return it. Deterministic."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Normalize, Pooling, Transformer
    from tokenizers import processors
    from transformers import PreTrainedTokenizerFast

    tokenizer = _bytes() if family == "roberta" else _unigram(texts)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        cls_token="<s>",
        eos_token="</s>",
        sep_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        mask_token="<mask>",
        model_max_length=128,
    )
    torch.manual_seed(0)
    plain = folder / "plain"
    _network(family, tokenizer.get_vocab_size(), dimensions).save_pretrained(plain)
    fast.save_pretrained(plain)
    transformer = Transformer(str(plain))
    pooling = Pooling(dimensions)
    SentenceTransformer(modules=[transformer, pooling, Normalize()], device="cpu").save(str(folder / "encoder"))
    return folder / "encoder"


def _unigram(texts: Sequence[str]) -> Any:
    """Whole words, and characters for what is not known."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

    words, characters = words_and_characters(texts)
    # A whole word scores above its characters together, so it is cut only where it is not known.
    pieces = [*((name, 0.0) for name in _SPECIAL), *((f"▁{word}", -1.0) for word in words)]
    pieces += [(character, -9.0) for character in ("▁", *characters)]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=_SPECIAL.index("<unk>")))
    tokenizer.add_special_tokens(_SPECIAL)
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    return tokenizer


def _bytes() -> Any:
    """One piece per byte."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {piece: number for number, piece in enumerate([*_SPECIAL, *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>"))
    tokenizer.add_special_tokens(_SPECIAL)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _network(family: str, vocabulary: int, dimensions: int) -> Any:
    from transformers import BertConfig, BertModel, ModernBertConfig, ModernBertModel, RobertaConfig, RobertaModel

    size = {"hidden_size": dimensions, "num_attention_heads": 2, "intermediate_size": 2 * dimensions}
    shared = {**size, "vocab_size": vocabulary, "num_hidden_layers": 2, "max_position_embeddings": 130}
    if family == "bert":
        return BertModel(BertConfig(**shared, pad_token_id=1))
    if family == "roberta":
        return RobertaModel(RobertaConfig(**shared, pad_token_id=1))
    special = {"pad_token_id": 1, "cls_token_id": 0, "bos_token_id": 0, "sep_token_id": 2, "eos_token_id": 2}
    # Weights of the usual size would make all states nearly alike, and their differences those of half precision.
    return ModernBertModel(ModernBertConfig(**shared, **special, local_attention=8, initializer_range=0.2))
