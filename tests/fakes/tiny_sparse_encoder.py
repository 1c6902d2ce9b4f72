"""A real but tiny inference-free SparseEncoder: random BERT for documents, fixed weights for queries."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.fakes.tiny_encoder import words_and_characters, write_tiny_encoder

TEXTS = (
    "셀 보호를 설정하면 스프레드시트의 내용을 바꿀 수 없습니다.",
    "표를 문서에 넣으려면 표 메뉴에서 삽입을 고릅니다.",
    "인쇄 범위를 정한 다음 파일을 인쇄합니다.",
    "protect cells in a spreadsheet",
)


def write_tiny_sparse_encoder(
    folder: Path, texts: Sequence[str] = TEXTS, family: str = "bert", listed: Sequence[str] = ()
) -> Path:
    """Write a sentence-transformers SparseEncoder folder and return it. Deterministic.

    ``family`` is ``bert`` or ``modernbert``, whose head is wider than the vocabulary, as is common there. ``listed``
    are further special tokens, which tokenizers keep as a list.
    """
    import torch
    from sentence_transformers import SparseEncoder
    from sentence_transformers.models import Router
    from sentence_transformers.sparse_encoder.models import MLMTransformer, SparseStaticEmbedding, SpladePooling
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    cut = pre_tokenizers.BertPreTokenizer()
    words, characters = words_and_characters([" ".join(word for word, _ in cut.pre_tokenize_str(t)) for t in texts])
    pieces = [*special, *listed, *words, *characters, *(f"##{character}" for character in characters)]
    tokenizer = Tokenizer(models.WordPiece({name: number for number, name in enumerate(pieces)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = cut
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        additional_special_tokens=list(listed),
        model_max_length=64,
    )
    torch.manual_seed(0)
    plain = folder / "plain"
    _network(family, tokenizer.get_vocab_size()).save_pretrained(plain)
    fast.save_pretrained(plain)
    query = SparseStaticEmbedding(tokenizer=fast, weight=torch.ones(tokenizer.get_vocab_size()))
    document = [MLMTransformer(str(plain)), SpladePooling(pooling_strategy="max", activation_function="log1p_relu")]
    router = Router.for_query_document(query_modules=[query], document_modules=document)
    SparseEncoder(modules=[router], device="cpu").save_pretrained(str(folder / "sparse"))
    return folder / "sparse"


def _network(family: str, vocabulary: int) -> Any:
    from transformers import BertConfig, BertForMaskedLM, ModernBertConfig, ModernBertForMaskedLM

    size = {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 32, "max_position_embeddings": 64}
    if family == "bert":
        return BertForMaskedLM(BertConfig(vocab_size=vocabulary, num_hidden_layers=1, **size))
    special = {"pad_token_id": 0, "cls_token_id": 2, "bos_token_id": 2, "sep_token_id": 3, "eos_token_id": 3}
    padded = ModernBertConfig(vocab_size=vocabulary + 7, num_hidden_layers=2, local_attention=8, **size, **special)
    return ModernBertForMaskedLM(padded)


def write_tiny_morpheme_encoder(folder: Path, texts: Sequence[str] = TEXTS) -> Path:
    """Write a SparseEncoder folder over morphemes below ``folder`` and return it: untrained, query weights 1."""
    import torch

    from kosparse.sparse.backbone import build_backbone, load_backbone
    from kosparse.sparse.model import save_morpheme_model
    from kosparse.sparse.morpheme_head import load_head
    from kosparse.sparse.morpheme_modules import MorphemeDocument

    encoder = write_tiny_encoder(folder / "encoder", texts)
    options = {"cache": folder / "states", "layers": 2, "prune_vocabulary": True, "max_length": 64}
    build_backbone(encoder, texts, [], folder / "backbone", active_quantile=0.8, units="morphemes", **options)
    network, tokenizer, _ = load_backbone(folder / "backbone")
    head, saturation = load_head(folder / "backbone")
    document = MorphemeDocument(network, tokenizer, saturation, head)
    save_morpheme_model(folder / "model", document, torch.ones(len(saturation.units.names)))
    return folder / "model"
