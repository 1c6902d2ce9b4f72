"""A real but tiny encoder: a random two-layer BERT with a tokenizer trained on the given texts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def write_tiny_encoder(folder: Path, texts: Sequence[str], dimensions: int = 32) -> Path:
    """Write a sentence-transformers folder (encoder, mean pooling) and return it. Deterministic."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Normalize, Pooling, Transformer
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    trainer = trainers.UnigramTrainer(vocab_size=600, special_tokens=special, unk_token="<unk>", show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
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
        model_max_length=128,
    )
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=dimensions,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=2 * dimensions,
        max_position_embeddings=130,
        pad_token_id=1,
    )
    plain = folder / "plain"
    BertModel(config).save_pretrained(plain)
    fast.save_pretrained(plain)
    transformer = Transformer(str(plain))
    pooling = Pooling(dimensions)
    SentenceTransformer(modules=[transformer, pooling, Normalize()], device="cpu").save(str(folder / "encoder"))
    return folder / "encoder"
