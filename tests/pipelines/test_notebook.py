"""The notebook runs from top to bottom, and what is committed of it tells nothing about a machine."""

import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "notebooks" / "korean_neural_sparse_training.ipynb"
STAGES = ("1.", "2.", "3.", "4.", "5.", "6.", "7.", "8.")


@pytest.fixture(scope="module")
def notebook():
    return nbformat.read(NOTEBOOK, as_version=4)


def _outputs(notebook):
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def test_the_notebook_has_the_eight_stages_under_headings_in_both_languages(notebook):
    headings = [
        line for cell in notebook.cells if cell.cell_type == "markdown" for line in cell.source.splitlines()[:1]
    ]
    for stage in STAGES:
        assert any(heading.startswith(f"## {stage}") for heading in headings)
    assert sum(" / " in heading and bool(re.search("[가-힣]", heading)) for heading in headings) >= 9


def test_the_committed_outputs_are_whole_and_small_and_leak_nothing_of_a_machine(notebook):
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not [
        output for output in _outputs(notebook) if output.output_type == "error" or output.get("name") == "stderr"
    ]
    assert sum(output.get("data", {}).get("image/png") is not None for output in _outputs(notebook)) >= 4
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert len(text.encode()) < 1_000_000
    assert not re.search(r"/(tmp|home|root|work|Users|usr)/|127\.0\.0\.1|localhost|api_key", text)


@pytest.mark.slow
def test_the_notebook_runs_from_top_to_bottom(notebook, tiny, environment, settings_of_run, tmp_path, monkeypatch):
    from nbclient import NotebookClient

    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    corpus = tiny / "corpus"
    given = {
        "CORPUS": str(corpus),
        "QUERIES": str(corpus / "queries.jsonl"),
        "QRELS": str(corpus / "qrels.tsv"),
        "RECIPE": "smoke",
        "SETTINGS": settings_of_run,
        "WORK": str(tmp_path / "work"),
    }
    parameters = next(cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
    parameters.source += "\n" + "\n".join(f"{name} = {value!r}" for name, value in given.items())
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(ROOT)}}).execute()
    bundle = tmp_path / "work" / "export_opensearch" / "bundle"
    assert (bundle / "manifest.json").is_file()
    assert any("ndcg@10" in str(output.get("data", {})) for output in _outputs(notebook))
