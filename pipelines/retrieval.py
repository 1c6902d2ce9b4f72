"""The graph: unlabelled documents in, a reviewed sparse retriever out.

One task per step, named like it; one dict parameter per step, whose default is the step's config
class. Everything runs inside an exit handler whose task stops the language model server.
"""

from functools import cache

from kfp import dsl

import components
from components import images
from kosparse import config as defaults
from pipelines.deployment import CPU_REQUEST, MEMORY_LIMIT, MEMORY_REQUEST, Placement, configure

UNCACHED = ("check_prerequisites", "serve_llm", "release_llm", "register_model", "stop_llm")
"""Steps that act on the world: a cached result would be a lie."""


ANY_NODE: dict[str, str] = {}

_COMPONENTS = components.load()


@cache
def kosparse_pipeline() -> dsl.graph_component.GraphComponent:
    """The graph, built when asked for the first time.

    Not when imported: KFP searches the call stack at every setting of a task, and the frames of an import make that
    take seconds instead of milliseconds.
    """
    return dsl.pipeline(
        name="kosparse",
        description="From Korean documents without labels to a neural sparse retriever for OpenSearch.",
    )(_graph)


def _graph(
    corpus: str,
    queries: str = "",
    qrels: str = "",
    query_log: str = "",
    check_prerequisites: dict = defaults.CheckPrerequisitesConfig.defaults(),
    ingest_corpus: dict = defaults.IngestCorpusConfig.defaults(),
    prepare_backbone: dict = defaults.PrepareBackboneConfig.defaults(),
    compute_idf: dict = defaults.ComputeIdfConfig.defaults(),
    detect_trends: dict = defaults.DetectTrendsConfig.defaults(),
    serve_llm: dict = defaults.ServeLlmConfig.defaults(),
    mine_synonyms: dict = defaults.MineSynonymsConfig.defaults(),
    verify_synonyms: dict = defaults.VerifySynonymsConfig.defaults(),
    discover_synonyms: dict = defaults.DiscoverSynonymsConfig.defaults(),
    enhance_dictionary: dict = defaults.EnhanceDictionaryConfig.defaults(),
    generate_queries: dict = defaults.GenerateQueriesConfig.defaults(),
    augment_queries: dict = defaults.AugmentQueriesConfig.defaults(),
    generate_documents: dict = defaults.GenerateDocumentsConfig.defaults(),
    generate_hard_negatives: dict = defaults.GenerateHardNegativesConfig.defaults(),
    filter_pairs: dict = defaults.FilterPairsConfig.defaults(),
    release_llm: dict = defaults.ReleaseLlmConfig.defaults(),
    mine_negatives: dict = defaults.MineNegativesConfig.defaults(),
    build_training_set: dict = defaults.BuildTrainingSetConfig.defaults(),
    train_sparse: dict = defaults.TrainSparseConfig.defaults(),
    evaluate: dict = defaults.EvaluateConfig.defaults(),
    report: dict = defaults.ReportConfig.defaults(),
    register_model: dict = defaults.RegisterModelConfig.defaults(),
    export_opensearch: dict = defaults.ExportOpensearchConfig.defaults(),
    stop_llm: dict = defaults.StopLlmConfig.defaults(),
    cpu_image: str = images.CPU,
    gpu_image: str = images.GPU,
    gpus: int = 1,
    train_gpus: int = 1,
    gpu_type: str = "nvidia.com/gpu",
    node_selector: dict = ANY_NODE,
    tolerations: list = defaults.ServeLlmConfig().tolerations,
    cpu_request: str = CPU_REQUEST,
    memory_request: str = MEMORY_REQUEST,
    memory_limit: str = MEMORY_LIMIT,
    s3_secret: str = "kosparse-s3",
    llm_secret: str = "kosparse-llm",
) -> None:
    """Train a sparse retriever and a bilingual dictionary from documents alone.

    Args:
        corpus: Where the documents are: a folder, a file or ``s3://bucket/key``.
        queries: Real queries for evaluation; empty when there are none.
        qrels: Relevance judgements for those queries; empty when there are none.
        query_log: What people typed, one per line or a CSV with counts; empty when there is none.
        check_prerequisites: ``CheckPrerequisitesConfig``.
        ingest_corpus: ``IngestCorpusConfig``.
        prepare_backbone: ``PrepareBackboneConfig``.
        compute_idf: ``ComputeIdfConfig``.
        detect_trends: ``DetectTrendsConfig``.
        serve_llm: ``ServeLlmConfig``.
        mine_synonyms: ``MineSynonymsConfig``.
        verify_synonyms: ``VerifySynonymsConfig``.
        discover_synonyms: ``DiscoverSynonymsConfig``.
        enhance_dictionary: ``EnhanceDictionaryConfig``.
        generate_queries: ``GenerateQueriesConfig``.
        augment_queries: ``AugmentQueriesConfig``.
        generate_documents: ``GenerateDocumentsConfig``.
        generate_hard_negatives: ``GenerateHardNegativesConfig``.
        filter_pairs: ``FilterPairsConfig``.
        release_llm: ``ReleaseLlmConfig``.
        mine_negatives: ``MineNegativesConfig``.
        build_training_set: ``BuildTrainingSetConfig``.
        train_sparse: ``TrainSparseConfig``.
        evaluate: ``EvaluateConfig``.
        report: ``ReportConfig``.
        register_model: ``RegisterModelConfig``.
        export_opensearch: ``ExportOpensearchConfig``.
        stop_llm: ``StopLlmConfig``.
        cpu_image: Image of the steps that need no GPU.
        gpu_image: Image of the steps that use one.
        gpus: GPUs of each step that asks for one; 0 on a cluster without.
        train_gpus: The same of ``train_sparse``; 0 on a cluster without, and where ``train_sparse.nodes`` do its work.
        gpu_type: The resource they are asked for as.
        node_selector: Labels of the nodes for the steps in the GPU image.
        tolerations: Of the same steps.
        cpu_request: Cores that each of the same steps asks for, such as ``8``.
        memory_request: Memory that each of them asks for, such as ``32Gi``.
        memory_limit: Memory that each of them may take.
        s3_secret: Secret with ``accesskey`` and ``secretkey`` of the object store.
        llm_secret: Secret with ``api_key`` of the language model.
    """
    place = Placement(
        cpu_image=cpu_image,
        gpu_image=gpu_image,
        gpus=gpus,
        train_gpus=train_gpus,
        gpu_type=gpu_type,
        node_selector=node_selector,
        tolerations=tolerations,
        cpu_request=cpu_request,
        memory_request=memory_request,
        memory_limit=memory_limit,
        s3_secret=s3_secret,
        llm_secret=llm_secret,
    )

    def task(step: str, config: object, **arguments: object) -> dsl.PipelineTask:
        made = getattr(_COMPONENTS, step)(config=config, **arguments)
        if step in UNCACHED:
            made.set_caching_options(False)
        return configure(made, step, place)

    with dsl.ExitHandler(task("stop_llm", stop_llm), name="everything"):
        checked = task("check_prerequisites", check_prerequisites, corpus=corpus)
        ingested = task(
            "ingest_corpus", ingest_corpus, corpus=corpus, queries=queries, qrels=qrels, query_log=query_log
        ).after(checked)
        documents, passages = ingested.outputs["documents"], ingested.outputs["passages"]
        parallel, evaluation = ingested.outputs["parallel"], ingested.outputs["evaluation"]
        prepared = task("prepare_backbone", prepare_backbone, passages=passages, parallel=parallel)
        backbone = prepared.outputs["backbone"]
        idf = task("compute_idf", compute_idf, passages=passages, backbone=backbone).outputs["idf"]
        trends = task("detect_trends", detect_trends, documents=documents, idf=idf).outputs["trends"]

        served = task("serve_llm", serve_llm, gpu_type=gpu_type, llm_secret=llm_secret).after(ingested)
        llm = served.outputs["llm"]
        mined_terms = task("mine_synonyms", mine_synonyms, documents=documents, parallel=parallel)
        candidates = mined_terms.outputs["candidates"]
        verified = task("verify_synonyms", verify_synonyms, candidates=candidates, llm=llm)
        discovered = task(
            "discover_synonyms", discover_synonyms, verdicts=verified.outputs["verdicts"], documents=documents, llm=llm
        )
        enhanced = task(
            "enhance_dictionary",
            enhance_dictionary,
            candidates=candidates,
            verdicts=verified.outputs["verdicts"],
            discovered=discovered.outputs["discovered"],
        )
        dictionary = enhanced.outputs["dictionary"]

        written = task("generate_queries", generate_queries, passages=passages, llm=llm)
        pairs = written.outputs["pairs"]
        augmented = task("augment_queries", augment_queries, pairs=pairs, dictionary=dictionary, llm=llm)
        generated = task(
            "generate_documents", generate_documents, pairs=pairs, logged=ingested.outputs["logged"], llm=llm
        )
        generated_passages = generated.outputs["generated_passages"]
        negatives = task("generate_hard_negatives", generate_hard_negatives, pairs=pairs, passages=passages, llm=llm)
        filtered = task(
            "filter_pairs",
            filter_pairs,
            passages=passages,
            pairs=pairs,
            augmented=augmented.outputs["augmented"],
            generated=generated.outputs["generated"],
            generated_passages=generated_passages,
            query_rejects=written.outputs["rejects"],
            augmented_rejects=augmented.outputs["rejects"],
            generated_rejects=generated.outputs["rejects"],
            evaluation=evaluation,
            llm=llm,
        )
        kept = filtered.outputs["kept"]
        released = task("release_llm", release_llm).after(filtered, enhanced, negatives)

        mined = task("mine_negatives", mine_negatives, kept=kept, passages=passages).after(released)
        # After prepare_backbone, which leaves the passages' dense vectors in the cache where both use one encoder.
        built = task(
            "build_training_set",
            build_training_set,
            passages=passages,
            generated_passages=generated_passages,
            kept=kept,
            mined=mined.outputs["mined"],
            written=negatives.outputs["negatives"],
            evaluation=evaluation,
            dictionary=dictionary,
        ).after(prepared)
        training_set = built.outputs["training_set"]
        trained = task(
            "train_sparse",
            train_sparse,
            training_set=training_set,
            backbone=backbone,
            idf=idf,
            trends=trends,
            dictionary=dictionary,
        )
        model = trained.outputs["model"]
        results = task(
            "evaluate",
            evaluate,
            model=model,
            passages=passages,
            documents=documents,
            evaluation=evaluation,
            training_set=training_set,
            parallel=parallel,
            champion=checked.outputs["champion"],
        ).outputs["results"]
        reported = task(
            "report",
            report,
            prerequisites=checked.outputs["prerequisites"],
            corpus_summary=ingested.outputs["corpus_summary"],
            llm=llm,
            calibration=verified.outputs["calibration"],
            dictionary_summary=enhanced.outputs["dictionary_summary"],
            dictionary=dictionary,
            funnel=filtered.outputs["funnel"],
            kept=kept,
            rejects=filtered.outputs["rejects"],
            training_set=training_set,
            history=trained.outputs["history"],
            trends=trends,
            results=results,
        )
        task(
            "register_model",
            register_model,
            model=model,
            results=results,
            html=reported.outputs["html"],
            summary=reported.outputs["summary"],
            dictionary=dictionary,
        )
        task("export_opensearch", export_opensearch, model=model, idf=idf, synonyms=enhanced.outputs["synonyms"])
