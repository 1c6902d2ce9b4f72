"""The registered model loads classes of the package, and of nobody else."""

import json
import sys
from types import SimpleNamespace

import pandas as pd
import pytest

from kosparse.adapters.pyfunc_model import SparseEncoderModel
from kosparse.errors import InputError
from tests.fakes.tiny_sparse_encoder import write_tiny_morpheme_encoder, write_tiny_sparse_encoder


def load(folder):
    model = SparseEncoderModel()
    model.load_context(SimpleNamespace(artifacts={"sparse_encoder": str(folder)}))
    return model


@pytest.mark.parametrize("write", [write_tiny_sparse_encoder, write_tiny_morpheme_encoder])
def test_our_own_models_are_loaded(write, tmp_path):
    [weights] = load(write(tmp_path)).predict(None, pd.DataFrame({"text": ["셀 보호"]}), {"kind": "query"})["weights"]
    assert weights and set(weights.values()) == {1.0}


def test_a_stranger_among_our_classes_is_not_imported(tmp_path, monkeypatch):
    folder = write_tiny_morpheme_encoder(tmp_path)
    file = folder / "router_config.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    [document] = [name for name in config["types"] if "Document" in name]
    config["types"][document] = "stranger_of_kosparse.Class"
    file.write_text(json.dumps(config), encoding="utf-8")
    (tmp_path / "stranger_of_kosparse.py").write_text("Class = None\n")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(InputError, match=r"nor ours: stranger_of_kosparse\.Class"):
        load(folder)
    assert "stranger_of_kosparse" not in sys.modules
