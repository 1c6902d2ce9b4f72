"""One config class per step: the only place where a default is written.

The defaults are the ``small`` recipe. ``pipelines/recipes.py`` overrides some of them; users override
any. Numbers inside KFP dict parameters arrive as floats, so parsing is lenient (3.0 is 3, 3.5 is
refused) and unknown keys are errors.
"""

from kosparse.config.base import LlmStepConfig, StepConfig, WritingStepConfig
from kosparse.config.collection import (
    CheckPrerequisitesConfig,
    ComputeIdfConfig,
    DetectTrendsConfig,
    IngestCorpusConfig,
)
from kosparse.config.delivery import EvaluateConfig, ExportOpensearchConfig, RegisterModelConfig, ReportConfig
from kosparse.config.serving import ReleaseLlmConfig, ServeLlmConfig, StopLlmConfig
from kosparse.config.synonyms import (
    DiscoverSynonymsConfig,
    EnhanceDictionaryConfig,
    MineSynonymsConfig,
    VerifySynonymsConfig,
)
from kosparse.config.synthetic import (
    AugmentQueriesConfig,
    FilterPairsConfig,
    GenerateDocumentsConfig,
    GenerateHardNegativesConfig,
    GenerateQueriesConfig,
)
from kosparse.config.training import (
    BuildTrainingSetConfig,
    MineNegativesConfig,
    PrepareBackboneConfig,
    TrainSparseConfig,
)

__all__ = [
    "StepConfig",
    "LlmStepConfig",
    "CheckPrerequisitesConfig",
    "IngestCorpusConfig",
    "ComputeIdfConfig",
    "DetectTrendsConfig",
    "ServeLlmConfig",
    "ReleaseLlmConfig",
    "StopLlmConfig",
    "MineSynonymsConfig",
    "VerifySynonymsConfig",
    "DiscoverSynonymsConfig",
    "EnhanceDictionaryConfig",
    "GenerateQueriesConfig",
    "AugmentQueriesConfig",
    "GenerateDocumentsConfig",
    "GenerateHardNegativesConfig",
    "FilterPairsConfig",
    "PrepareBackboneConfig",
    "MineNegativesConfig",
    "BuildTrainingSetConfig",
    "TrainSparseConfig",
    "EvaluateConfig",
    "ReportConfig",
    "RegisterModelConfig",
    "ExportOpensearchConfig",
    "WritingStepConfig",
]
