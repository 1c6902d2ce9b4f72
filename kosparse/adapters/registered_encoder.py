"""A registered model as its users get it: in a Python that holds what the model asks for, and nothing of ours."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Literal

import kosparse
from kosparse.errors import InputError, ServiceError
from kosparse.progress import Bar

_WORKER = Path(__file__).with_name("pyfunc_worker.py")
_STAMP = "requirements.txt"
_AT_ONCE = 8
"""Texts per request: a head over word pieces holds the logits of all their tokens."""


def python_with(requirements: str, folder: Path) -> Path:
    """A Python that holds these requirements and nothing else: made once, kept below a folder.

    Args:
        requirements: Lines for pip, which reads its index from its own settings (``PIP_INDEX_URL`` and kin).
        folder: Of such environments.

    Raises:
        ServiceError: pip cannot install them.
    """
    place = folder / hashlib.sha256(requirements.encode()).hexdigest()[:16]
    python = place / "bin" / "python"
    if (place / _STAMP).is_file():
        return python
    shutil.rmtree(place, ignore_errors=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as listed:
        listed.write(requirements)
        listed.flush()
        try:
            venv.create(place)
            pip = [sys.executable, "-I", "-m", "pip", "--python", str(python), "install", "--quiet", "--no-input"]
            subprocess.run([*pip, "-r", listed.name], check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError) as error:
            shutil.rmtree(place, ignore_errors=True)
            raise ServiceError(
                f"what the model requires cannot be installed: {_last_line(error)}",
                where=str(place),
                fix="Check the network, PIP_INDEX_URL and the free disk, or name a Python that has it all: --python.",
            ) from error
    (place / _STAMP).write_text(requirements, encoding="utf-8")
    return python


class RegisteredEncoder:
    """Encodes texts with a registered model, in another process.

    Args:
        process: Of ``pyfunc_worker``.
        log: What it writes to standard error.
        model_uri: The model, as errors name it.
    """

    def __init__(self, process: subprocess.Popen[str], log: IO[str], model_uri: str) -> None:
        self._process, self._log, self._model_uri = process, log, model_uri
        loaded = self._answer()["kosparse"]
        if loaded and Path(loaded).resolve() == Path(kosparse.__file__).resolve():
            raise InputError(
                "the model was loaded with the kosparse of this machine, not with the code it was registered with",
                where=loaded,
                fix="Name another Python with --python, or none: then one is made.",
            )

    def encode(self, texts: Sequence[str], kind: Literal["document", "query"]) -> list[dict[str, float]]:
        """One ``{term: weight}`` per text, in order.

        Raises:
            InputError: The model failed; says how.
        """
        assert self._process.stdin is not None
        found: list[dict[str, float]] = []
        bar = Bar(f"encoding {kind}s", len(texts), "texts")
        for start in range(0, len(texts), _AT_ONCE):
            part = list(texts[start : start + _AT_ONCE])
            try:
                self._process.stdin.write(json.dumps({"kind": kind, "texts": part}) + "\n")
                self._process.stdin.flush()
            except BrokenPipeError:
                raise self._failure() from None
            found += self._answer()
            bar.advance(len(part))
        bar.close()
        return found

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise self._failure()
        return json.loads(line)

    def _failure(self) -> InputError:
        self._process.wait()
        self._log.seek(0)
        lines = self._log.read().strip().splitlines()
        return InputError(
            f"the registered model cannot be used: {lines[-1] if lines else f'exit {self._process.returncode}'}",
            where=self._model_uri,
            fix="Whoever loads it would see the same. Register it again, or train anew; do not promote it.",
        )


@contextmanager
def registered_encoder(model_uri: str, registry: str, python: Path) -> Iterator[RegisteredEncoder]:
    """Load a registered model in a Python of its own, for as long as it is asked.

    Args:
        model_uri: Such as ``models:/kosparse/3``.
        registry: Address of the MLflow server.
        python: Interpreter that holds what the model requires. It sees no ``PYTHONPATH`` and no current folder.

    Raises:
        InputError: The model cannot be loaded, or not with its own code.
        ServiceError: There is no such interpreter.
    """
    addresses = {"MLFLOW_TRACKING_URI": registry, "MLFLOW_REGISTRY_URI": registry}
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        try:
            process = subprocess.Popen(
                [str(python), "-I", str(_WORKER), model_uri],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, **addresses},
                cwd=tempfile.gettempdir(),
                text=True,
                encoding="utf-8",
            )
        except OSError as error:
            raise ServiceError(
                f"there is no Python to be started: {error.strerror}", where=str(python), fix="Check --python."
            ) from error
        try:
            yield RegisteredEncoder(process, log, model_uri)
        finally:
            process.kill()
            process.communicate()


def _last_line(error: Exception) -> str:
    said = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
    return said[-1] if said else type(error).__name__
