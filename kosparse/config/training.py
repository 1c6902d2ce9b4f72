"""Configs of the steps from backbone to trained model."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from kosparse.config.base import StepConfig


class PrepareBackboneConfig(StepConfig):
    """``prepare_backbone``."""

    units: Literal["morphemes", "pieces"] = "morphemes"
    """Dimensions of the sparse space. ``morphemes`` start as BM25 and are better; their query tokens are made
    by the client. ``pieces`` of the backbone's tokenizer run inside OpenSearch as they are."""
    max_units: int = Field(default=100_000, ge=1)
    """Of morphemes, those that the most passages hold; rarer ones cannot be searched for but by BM25."""
    model: str = "packaged:multilingual-e5-small"
    """``packaged:<name>``, a hub id, or a folder with a masked language model or encoder; weights as safetensors."""
    layers: int = Field(default=12, ge=1)
    """Of the encoder, from the bottom; those above are left away."""
    prune_vocabulary: bool = True
    """Whether word pieces that the collection does not use are left away."""
    max_length: int = Field(default=512, ge=16)
    """Tokens of the longest input; the rest of a text is not read."""
    active_quantile: float = Field(default=0.9, gt=0, lt=1)
    """Output logits below this quantile start at zero, else every term would be active; pieces only."""
    start_from: str = ""
    """A trained model to go on from, instead of ``model``: a folder, ``s3://bucket/prefix``, or a registered version
    such as ``models:/kosparse@champion``. Layers, pieces, units and longest input are then that model's."""
    adapt_steps: int = Field(default=0, ge=0)
    """Steps of masked language modelling on the collection, and of translation language modelling on parallel text,
    before the output is made; 0 leaves the encoder as it is."""
    adapt_seconds: float = Field(default=300.0, gt=0)
    """Adaptation ends then, whatever its steps."""
    adapt_learning_rate: float = Field(default=5e-5, gt=0)
    """Of adaptation, at its highest."""


class MineNegativesConfig(StepConfig):
    """``mine_negatives``."""

    per_pair: int = Field(default=4, ge=0)
    """By BM25; 0 mines none."""
    dense_per_pair: int = Field(default=0, ge=0)
    """By the dense encoder, which then reads all passages; 0 mines none."""
    depth: int = Field(default=50, ge=1)
    """Passages of each ranking that negatives are taken from."""
    max_share_of_positive: float = Field(default=0.95, gt=0, le=1)
    """A candidate scoring above this share of the positive is left out (NV-Retriever, 2407.15831)."""


class BuildTrainingSetConfig(StepConfig):
    """``build_training_set``."""

    max_passages: int = Field(default=30_000, ge=0)
    """Passages that training ranks, whole documents: those that queries came from first, others by the hash of their
    ids. What it needs grows with them times the collection's words; search has all. 0 takes all."""
    pseudo_queries: int = Field(default=6000, ge=0)
    """Noun phrases and sentences of passage bodies, scored by the teachers."""
    teacher_depth: int = Field(default=64, ge=2)
    """Passages kept with a teacher score per query."""
    bm25_weight: float = Field(default=0.5, ge=0, le=1)
    """Share of BM25 in the teacher; the rest is dense."""
    lead_weight: float = Field(default=4.0, ge=0, le=100)
    """As in train_sparse, of the teacher's BM25."""
    teacher_scores: str = ""
    """Scores of a further teacher, such as a cross-encoder: JSON lines of ``query``, ``passage_id`` or ``document_id``,
    and ``score``; a path or s3 address."""
    teacher_weight: float = Field(default=0.5, ge=0, le=1)
    """Share of those scores where there are any, brought to [0, 1] per query; the rest is BM25 and dense."""
    use_synthetic: bool = True
    """Whether the filtered synthetic pairs are learned from."""
    use_real: bool = False
    """Learn also from the judged queries of the ``train`` split; then the model is no longer zero-label."""
    use_written_negatives: bool = False
    """LLM-written negatives underperform mined ones in most studies (2504.21015v3)."""


class TrainSparseConfig(StepConfig):
    """``train_sparse``."""

    train: Literal["head", "all"] = "head"
    """``head`` trains on cached encoder states: minutes on two cores. ``all`` wants a GPU."""
    activation: Literal["log1p_relu", "relu"] = "relu"
    """From logits to weights: ``relu`` is log(1 + relu(x)), SPLADE's (2107.05720); ``log1p_relu`` is
    log(1 + log(1 + relu(x))), OpenSearch's l0 activation (2504.14839), whose weights differ less. The model's folder
    says which."""
    closed_form: bool = True
    """Before the first step, fit the rows of morphemes to the dense teacher's query vectors, by ridge regression."""
    max_seconds: float = Field(default=240.0, gt=0)
    """Training ends then, whatever its steps."""
    checkpoint_seconds: float = Field(default=120.0, ge=0)
    """Between two checkpoints; 0 keeps one after every step."""
    curve_seconds: float = Field(default=5.0, ge=0)
    """Between two points of the live curves, in MLflow and in the progress line; 0 draws one for every step."""
    max_steps: int = Field(default=300, ge=0)
    """0 keeps the calibrated backbone as it is, held at ``active_dims``."""
    batch_size: int = Field(default=16, ge=1)
    """Queries in a step."""
    learning_rate: float = Field(default=3e-4, gt=0)
    """Of the document side, at its highest."""
    query_learning_rate: float = Field(default=3e-3, ge=0)
    """Of the weights that terms have in a query; 0 leaves these as they are."""
    temperature: float = Field(default=20.0, gt=0)
    """Teacher scores in [0, 1] are multiplied by this before the softmax."""
    kl_weight: float = Field(default=1.0, ge=0)
    """Of the KL divergence from the teacher's ranking."""
    margin_mse_weight: float = Field(default=0.0, ge=0)
    """Of MarginMSE: the distance of the own passage to each other one should be the teacher's (2010.02666)."""
    info_nce_weight: float = Field(default=0.0, ge=0)
    """Of InfoNCE: the own passage against those of the batch's other queries and the hard negatives (1807.03748)."""
    negatives_per_query: int = Field(default=4, ge=0)
    """Hard negatives of each query in a step, drawn from the mined ones: with ``train="all"``, and for InfoNCE."""
    rounds: int = Field(default=1, ge=1)
    """Parts of the training; between two, the hard negatives are mined anew by the model's own ranking (2007.00808)."""
    active_dims: float = Field(default=150.0, ge=0)
    """Mean active dimensions per passage, held within 10 %; 0 leaves them to ``flops_weight`` alone."""
    flops_weight: float = Field(default=3e-3, ge=0)
    """Of the FLOPS regulariser (2004.05665), which keeps vectors sparse; 0 switches it off."""
    query_encoder: Literal["weights", "network"] = "weights"
    """``weights``: a query is its terms, each with a learnt weight, so that searching needs no encoder.
    ``network``: queries go through the document encoder and are expanded too; word pieces and ``train="all"`` only."""
    query_flops_weight: float = Field(default=3e-3, ge=0)
    """As ``flops_weight``, of the queries, with ``query_encoder="network"``."""
    flops_l0_mask: int = Field(default=0, ge=0)
    """Passages with at most this many active dimensions cost nothing in FLOPS: the l0 mask (2504.14839); 0 spares none.
    With ``train="head"`` they are counted anew every 20 steps."""
    flops_apart: bool = False
    """FLOPS of the queries' own passages and of all others apart, and the mean of both: else the few own ones hardly
    count."""
    dictionary_weight: float = Field(default=0.1, ge=0)
    """Of the loss by which a passage learns the translations of its terms; 0 switches it off, ``translation_share`` the
    rest of what the dictionary does."""
    dictionary_p: float = Field(default=0.8, ge=0, le=1)
    """Entries below this probability neither supervise nor translate."""
    lexical_prior: bool = True
    """Whether a passage has its own morphemes from the start, weighed as by BM25. Morphemes only."""
    lead_weight: float = Field(default=4.0, ge=0, le=100)
    """How much more the first morpheme of a passage counts for than one far below, in its frequency before that
    saturates: 4 is five times as much, fading over the first 20 or so. 0 counts all alike. Morphemes only; a model
    that training goes on from keeps its own."""
    translation_share: float = Field(default=0.8, ge=0, le=1)
    """A passage has the translations of its own morphemes from the start, with this share of their weight times the
    entry's probability; 0 leaves them to training. Morphemes only."""
    label_weight: float = Field(default=0.0, ge=0, le=1)
    """Share of the target moved to the passage a query came from."""
    passages_per_query: int = Field(default=2, ge=1)
    """With ``train="all"``: passages of each query's teacher ranking that a step encodes."""
    micro_batch: int = Field(default=64, ge=1)
    """With ``train="all"``: passages whose activations are held at once; halved when memory runs out. The batch, and
    what is learnt from it, stays the same."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """With ``train="all"``: ``bf16`` multiplies in half precision; weights and optimizer stay in single."""
    gradient_checkpointing: bool = False
    """With ``train="all"``: hold what goes into each layer alone and compute the layer again on the way back: less
    memory, more time, the same result."""
    optimizer: Literal["adamw", "adamw_8bit"] = "adamw"
    """``adamw_8bit`` holds its state in a quarter of the memory, where bitsandbytes can."""
    synthetic_share: float = Field(default=0.33, ge=0, le=1)
    """Share of a batch drawn from synthetic pairs; the rest are pseudo-queries."""
    real_share: float = Field(default=0.5, ge=0, le=1)
    """Share of a batch drawn from real queries first, where the training set holds any."""
    real_label_weight: float = Field(default=0.5, ge=0, le=1)
    """As ``label_weight``, for real queries: somebody judged their passage relevant."""
    judged_spread: float = Field(default=0.15, ge=0, le=2)
    """After the last step, the query weights of units are fitted to the real queries of the train split, where there
    are any: how far one may go from where it was, as the standard deviation of its logarithm; 0 leaves them."""
    device: str = "auto"
    """A torch device such as ``cpu`` or ``cuda``; ``auto`` takes a GPU where there is one."""
    nodes: int = Field(default=1, ge=1, le=64)
    """With ``train="all"`` on a cluster: pods that share the training, as a TrainJob of Kubeflow's Trainer; 1 trains in
    the step's own pod."""
    node_processes: int = Field(default=1, ge=1)
    """Of each node: as many as ``node_runtime`` gives it GPUs, 1 without."""
    node_runtime: str = "kosparse-train"
    """TrainingRuntime in the run's namespace: memory, GPUs, place and credentials of a node."""
    nodes_ready_seconds: float = Field(default=1800.0, gt=0)
    """All nodes must run within this long, else the step ends: no room, no image."""
    nodes_deadline_seconds: int = Field(default=72000, ge=60)
    """The TrainJob ends after this long even if nobody stops it."""

    @model_validator(mode="after")
    def _learns(self) -> Self:
        if not self.kl_weight + self.margin_mse_weight + self.info_nce_weight:
            raise ValueError("nothing to learn from: set kl_weight, margin_mse_weight or info_nce_weight above 0")
        if self.rounds > 1 and not self.uses_negatives:
            raise ValueError(
                "rounds change nothing where no step looks at hard negatives: set negatives_per_query above 0, and "
                'train="all" or info_nce_weight above 0'
            )
        if self.query_encoder == "network" and self.train != "all":
            raise ValueError('a head alone cannot learn to read queries: set train="all", or query_encoder="weights"')
        if not self.flops_weight and (self.flops_l0_mask or self.flops_apart):
            raise ValueError("flops_l0_mask and flops_apart change nothing without FLOPS: set flops_weight above 0")
        return self

    @model_validator(mode="after")
    def _nodes_share_all(self) -> Self:
        if self.nodes > 1 and self.train != "all":
            raise ValueError(f'{self.nodes} nodes cannot share the training of a head: set train="all", or nodes=1')
        return self

    @property
    def uses_negatives(self) -> bool:
        """Whether a step looks at hard negatives: ``head`` with the divergence alone ranks all passages anyway."""
        return self.negatives_per_query > 0 and (self.train == "all" or self.info_nce_weight > 0)


WHERE_IT_TRAINS = ("device", "nodes", "node_processes", "node_runtime", "nodes_ready_seconds", "nodes_deadline_seconds")
"""Settings of ``TrainSparseConfig`` that change nothing about what is learnt."""
