"""The second graph: a finished run brought to the collection as it is now, without training.

One task, which is the command ``kosparse refresh``. It finds its run in the object store and leaves it there refreshed
(``kosparse/commands/stored_run.py``): what it begins with differs each time, which no artifact of a graph can say.
"""

from typing import Any

from kfp import dsl

from components import images
from pipelines.deployment import Placement, configure

RUN_SETTINGS: dict[str, Any] = {}


@dsl.container_component
def refresh(run: str, corpus: str, settings: dict) -> dsl.ContainerSpec:
    """``kosparse refresh``; see ``refresh_pipeline``."""
    return dsl.ContainerSpec(
        image=images.CPU,
        command=["kosparse", "refresh"],
        args=["--run", run, "--corpus", corpus, "--config", settings, "--json"],
    )


@dsl.pipeline(
    name="kosparse-refresh",
    description="A finished run brought to the collection as it is now, without training.",
)
def refresh_pipeline(
    run: str,
    corpus: str,
    settings: dict = RUN_SETTINGS,
    cpu_image: str = images.CPU,
    s3_secret: str = "kosparse-s3",
    llm_secret: str = "kosparse-llm",
) -> None:
    """Refresh a run; made to recur.

    Args:
        run: Where the run's outputs are, such as ``s3://mlpipeline/v2/artifacts/kosparse/<run id>``; the refreshed
            one is left below it, and the next refresh begins there. More addresses may follow, with blanks between:
            of runs whose outputs this one took from the cache.
        corpus: ``s3://bucket/key`` of the whole collection as it is now.
        settings: Of the steps, as they were given to the run: ``{step: {key: value}}``.
        cpu_image: Image of the task.
        s3_secret: Secret with ``accesskey`` and ``secretkey`` of the object store.
        llm_secret: Secret with ``api_key`` of the language model.
    """
    place = Placement(cpu_image=cpu_image, s3_secret=s3_secret, llm_secret=llm_secret)
    task = refresh(run=run, corpus=corpus, settings=settings)
    task.set_caching_options(False)  # the same addresses hold something else each time
    configure(task, "refresh", place)
