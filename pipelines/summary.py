"""What a finished local run says: ``summary.json`` and the table at the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from kosparse.jsonl import read_json, write_json
from pipelines.live import Board

SYSTEMS = {
    "bm25_kiwi": "BM25, Kiwi morphemes",
    "dense": "dense",
    "sparse": "sparse (this model)",
    "fusion": "fusion of sparse and BM25",
    "dense_bm25": "fusion of dense and BM25",
    "sparse_dense": "fusion of sparse and dense",
}


def write_summary(run: Path, folders: dict[str, Path], board: Board) -> dict[str, Any]:
    """Complete the report's numbers with what only the runner knows; write and return them."""
    summary: dict[str, Any] = read_json(folders["report"] / "summary")
    summary["run_id"] = run.name
    summary.setdefault("model", {})["path"] = str(run / "model")
    llm = summary.setdefault("llm", {})
    llm["calls"], llm["cached"] = int(board.llm.get("calls", 0)), int(board.llm.get("cached", 0))
    summary["registry"] = read_json(folders["register_model"] / "registration")
    summary["seconds"] = {name: state.seconds for name, state in board.steps.items()}
    summary["report"] = str(run / "report.html")
    write_json(run / "summary.json", summary)
    return summary


def show(summary: dict[str, Any], run: Path, board: Board, console: Console, seconds: float) -> None:
    """Print the table at the end of a run."""
    console.print(_quality_table(summary))
    console.print(_counts(summary))
    slow = sorted(summary["seconds"].items(), key=lambda item: -item[1])[:8]
    console.print("seconds   " + ", ".join(f"{name} {value:.0f}" for name, value in slow) + f"; all {seconds:.0f}")
    for text in board.notes:
        console.print(f"note      {text}", style="dim", markup=False)
    registry = summary["registry"]
    if registry.get("version"):
        console.print(
            f"registry  {registry['name']} version {registry['version']}, alias {registry['alias']} (make mlflow)"
        )
    for name, path in (("report", "report.html"), ("model", "model"), ("bundle", "bundle")):
        console.print(f"{name:9} {run / path}", markup=False, soft_wrap=True)


def _quality_table(summary: dict[str, Any]) -> Table:
    judged = summary["evaluation"].get("judgements", "real")
    table = Table(title=f"{summary['corpus']['documents']:,} documents, {judged} queries", title_justify="left")
    table.add_column("system")
    for column in ("nDCG@10", "MRR@10", "Recall@100", "active dims"):
        table.add_column(column, justify="right")
    for key, label in SYSTEMS.items():
        row = summary["evaluation"][key]
        dims = summary["model"].get("active_dims_doc") if key == "sparse" else None
        numbers = [f"{row[name]:.3f}" for name in ("ndcg@10", "mrr@10", "recall@100")]
        table.add_row(label, *numbers, f"{dims:.0f}" if dims else "")
    return table


def _counts(summary: dict[str, Any]) -> str:
    pairs, dictionary, llm = summary["synthetic"], summary["dictionary"], summary["llm"]
    reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(pairs["rejected"].items(), key=lambda i: -i[1]))
    asked = llm["calls"] - llm["cached"]
    return (
        f"pairs     {pairs['generated']} generated, {pairs['kept']} kept; rejected: {reasons or 'none'}\n"
        f"synonyms  {dictionary['before']} before, {dictionary['after']} after\n"
        f"llm       {llm['model']} ({llm['quantization']}): {llm['calls']} answers, "
        f"{llm['cached']} from the cache, {asked} asked"
    )
