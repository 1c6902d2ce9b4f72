"""Which classes of a folder may be loaded by name, and what is said of weights that are not."""

import json

import pytest

from kosparse.errors import InputError
from kosparse.trust import needs_trust, why_not_loaded

ROUTER = "sentence_transformers.base.modules.Router"
POOLING = "sentence_transformers.sparse_encoder.modules.SpladePooling"
OURS = "kosparse.sparse.morpheme_modules.MorphemeDocument"


def write(folder, modules, routed, config=None):
    (folder / "encoder").mkdir()
    (folder / "modules.json").write_text(json.dumps([{"type": name} for name in modules]))
    (folder / "router_config.json").write_text(json.dumps({"types": dict(enumerate(routed))}))
    (folder / "encoder" / "config.json").write_text(json.dumps(config or {}))
    return folder


@pytest.mark.parametrize(
    ("modules", "routed", "expected"),
    [([ROUTER], [OURS, POOLING], True), ([ROUTER, OURS], [], True), ([ROUTER], [POOLING], False)],
)
def test_classes_of_ours_are_to_be_trusted_and_those_of_sentence_transformers_need_not(
    modules, routed, expected, tmp_path
):
    assert needs_trust(write(tmp_path, modules, routed)) is expected


@pytest.mark.parametrize(
    ("modules", "routed", "config", "named"),
    [
        ([ROUTER], [OURS, "stranger.Pooling"], {}, "stranger.Pooling"),
        ([ROUTER, "stranger.Pooling"], [OURS], {}, "stranger.Pooling"),
        ([ROUTER], ["kosparse.sparse_stranger.Pooling"], {}, "kosparse.sparse_stranger.Pooling"),
        ([ROUTER], [OURS], {"auto_map": {"AutoModel": "stranger.Model"}}, "auto_map of encoder"),
    ],
)
def test_one_stranger_is_enough_to_load_nothing(modules, routed, config, named, tmp_path):
    with pytest.raises(InputError, match=f"nor ours: {named}"):
        needs_trust(write(tmp_path, modules, routed, config))


def test_weights_that_are_no_safetensors_are_told_from_a_model_that_is_not_there():
    missing = OSError("Error no file named model.safetensors found in directory x.")
    reason, fix = why_not_loaded(missing, "Name another.")
    assert "pickled ones are not read" in reason and "save_pretrained" in fix
    assert why_not_loaded(OSError("no such model\nmore"), "Name another.") == ("no such model", "Name another.")
