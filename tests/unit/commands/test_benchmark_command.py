"""``kosparse benchmark`` on files at hand and over the hub's protocol."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from kosparse.adapters.dataset_hub import download
from kosparse.cli import main
from kosparse.errors import ServiceError
from kosparse.export.hashing import folder_hash
from kosparse.jsonl import read_json, write_lines
from tests.fakes.tiny_sparse_encoder import write_tiny_sparse_encoder
from tests.unit.evaluation.world import QUERIES, TEXTS, FakeEmbedder

COMMIT = "0" * 39 + "1"


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setattr("kosparse.adapters.embedder.open_embedder", FakeEmbedder)
    for name in ("MLFLOW_TRACKING_URI", "KOSPARSE_RUN_ID", "S3_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "model").symlink_to(write_tiny_sparse_encoder(tmp_path / "encoder"))
    return folder


@pytest.fixture
def published(tmp_path):
    """The tiny collection as a set is published."""
    folder = tmp_path / "data" / "ko_strategyqa"
    rows = [{"_id": name, "title": "", "text": text} for name, text in TEXTS.items()]
    write_lines(folder / "corpus.jsonl", map(json.dumps, [*rows, {"_id": "short", "title": "", "text": "짧음"}]))
    queries = [{"_id": name, "text": text} for name, (text, _) in QUERIES.items()]
    write_lines(folder / "queries.jsonl", map(json.dumps, queries))
    judged = [{"query-id": name, "corpus-id": document, "score": 1} for name, (_, document) in QUERIES.items()]
    write_lines(folder / "qrels" / "dev.jsonl", map(json.dumps, judged))
    return tmp_path / "data"


def test_a_set_at_hand_is_measured_and_its_files_and_model_are_named(run, published, tmp_path, capsys):
    command = ["benchmark", "ko_strategyqa", "--data", str(published), "--run", str(run)]
    assert main([*command, "--output", str(tmp_path / "out")]) == 0

    found = read_json(tmp_path / "out" / "benchmark.json")["ko_strategyqa"]
    assert (found["documents"], found["queries"]) == (5, 3), "the short document counts too"
    assert found["systems"]["bm25_kiwi"]["metrics"]["ndcg@10"] == pytest.approx(1.0)
    assert found["revision"] == "sha256:" + folder_hash(published / "ko_strategyqa")
    assert found["model_sha256"] == folder_hash(run / "model")
    table = (tmp_path / "out" / "benchmark.md").read_text(encoding="utf-8")
    assert "| bm25_kiwi | 1.0000 |" in table and found["revision"] in table and table.strip() in capsys.readouterr().out


def test_what_was_measured_is_not_measured_again(run, published, tmp_path, monkeypatch):
    command = ["benchmark", "ko_strategyqa", "--data", str(published), "--run", str(run)]
    command += ["--output", str(tmp_path / "out")]
    assert main(command) == 0
    monkeypatch.setattr("kosparse.adapters.embedder.open_embedder", lambda: pytest.fail("measured again"))
    assert main(command) == 0


def test_a_collection_alone_is_what_a_run_takes(published, tmp_path):
    command = ["benchmark", "ko_strategyqa", "--data", str(published), "--read-only"]
    assert main([*command, "--output", str(tmp_path / "out")]) == 0
    folder = tmp_path / "out" / "ko_strategyqa" / "collection"
    assert {path.name for path in folder.iterdir()} == {"corpus.jsonl", "queries.jsonl", "qrels", "source.json"}


def test_mistakes_of_the_caller(run, tmp_path, capsys):
    assert main(["benchmark", "msmarco", "--run", str(run)]) == 2
    assert "Known: ko_strategyqa" in capsys.readouterr().err
    assert main(["benchmark", "autorag", "--run", str(tmp_path)]) == 2
    assert main(["benchmark", "autorag", "--run", str(run), "--data", str(tmp_path), "--output", str(tmp_path)]) == 2
    assert str(tmp_path / "autorag") in capsys.readouterr().err


class Hub(BaseHTTPRequestHandler):
    """A hub with one dataset of two files, of which one is wanted."""

    FILES = {"corpus.jsonl": b'{"_id": "d1", "text": "x"}\n', "README.md": b"no"}

    def do_GET(self):
        if "/api/datasets/owner/set/revision/" in self.path:
            self._send(200, json.dumps({"id": "owner/set", "sha": COMMIT, "siblings": self._files()}).encode())
        elif "/api/datasets/owner/set/tree/" in self.path:
            tree = [
                {"type": "file", "path": name, "size": len(body), "oid": "0" * 40} for name, body in self.FILES.items()
            ]
            self._send(200, json.dumps(tree).encode())
        elif self.path.startswith(f"/datasets/owner/set/resolve/{COMMIT}/"):
            self._send(200, self.FILES[self.path.rsplit("/", 1)[-1]])
        else:
            self._send(404, b'{"error": "Repository not found"}')

    do_HEAD = do_GET

    def _files(self):
        return [{"rfilename": name} for name in self.FILES]

    def _send(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"abc"')
        self.send_header("X-Repo-Commit", COMMIT)
        if status == 404:
            self.send_header("X-Error-Code", "RepoNotFound")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_):
        """Tests stay quiet."""


@pytest.fixture
def hub(monkeypatch):
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}"
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", address)
        resolve = address + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", resolve)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        yield address
        server.shutdown()


def test_files_wanted_come_from_the_hub_with_the_commit_they_are_of(hub, tmp_path):
    folder, commit = download("owner/set", "main", ["*.jsonl"], tmp_path)
    assert commit == COMMIT
    assert [path.name for path in folder.iterdir()] == ["corpus.jsonl"]
    assert (folder / "corpus.jsonl").read_bytes() == Hub.FILES["corpus.jsonl"]


def test_a_set_that_the_hub_does_not_have_is_said_with_the_way_out(hub, tmp_path):
    with pytest.raises(ServiceError, match="--data FOLDER"):
        download("owner/other", "main", ["*.jsonl"], tmp_path)
