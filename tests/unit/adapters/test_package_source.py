import os
import subprocess
import sys

from kosparse.adapters.package_source import copy_source
from tests.fakes.tiny_sparse_encoder import write_tiny_morpheme_encoder

LOAD = """
import sys
import kosparse
from sentence_transformers import SparseEncoder
model = SparseEncoder(sys.argv[1], device="cpu", trust_remote_code=True)
print(kosparse.__file__, model.encode_query(["셀 보호"]).to_dense().count_nonzero().item())
model.encode_document(["셀을 보호합니다."])
"""


def test_a_module_brings_all_it_imports_and_no_more(tmp_path):
    copied = copy_source("kosparse.corpus.text", tmp_path)
    assert {"kosparse", "kosparse.corpus", "kosparse.corpus.text"} <= set(copied)
    assert not any(name.startswith("kosparse.sparse") for name in copied)
    assert (tmp_path / "kosparse" / "corpus" / "text.py").is_file()


def test_a_model_over_morphemes_loads_with_nothing_else_of_ours(tmp_path):
    copy_source("kosparse.sparse.morpheme_modules", tmp_path / "code")
    model = write_tiny_morpheme_encoder(tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "code")}
    command = [sys.executable, "-c", LOAD, str(model)]

    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == [str(tmp_path / "code" / "kosparse" / "__init__.py"), "2"]
