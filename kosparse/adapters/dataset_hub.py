"""Files of a dataset from the Hugging Face hub, of one revision."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kosparse.errors import ServiceError


def download(repository: str, revision: str, patterns: Sequence[str], cache: Path) -> tuple[Path, str]:
    """Download what matches, or find it in the cache.

    Args:
        repository: Owner and name of the dataset.
        revision: Commit, tag or branch.
        patterns: Of the files wanted.
        cache: Folder that keeps downloads.

    Returns:
        The folder with the files, and the commit they are of.

    Raises:
        ServiceError: The hub cannot be reached, or has no such revision.
    """
    from huggingface_hub import snapshot_download

    try:
        folder = snapshot_download(
            repository, repo_type="dataset", revision=revision, allow_patterns=list(patterns), cache_dir=cache
        )
    except (OSError, ValueError, RuntimeError) as error:  # what the library raises, its HTTP errors included
        raise ServiceError(
            f"{repository} at {revision} cannot be downloaded: {str(error).splitlines()[0][:200]}",
            where="the Hugging Face hub",
            fix="Check the network (HF_ENDPOINT, HF_TOKEN), or give the files: --data FOLDER.",
        ) from error
    return Path(folder), Path(folder).name
