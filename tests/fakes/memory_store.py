"""An object store in a dictionary."""

from __future__ import annotations

from pathlib import Path

from kosparse.errors import ServiceError


class MemoryStore:
    """Holds ``objects`` by ``bucket/key``; while ``broken``, every call fails as a dead store does."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.buckets: set[str] = set()
        self.downloads = 0
        self.broken = False

    def upload(self, path: Path, bucket: str, key: str) -> None:
        self._answer()
        self.objects[f"{bucket}/{key}"] = Path(path).read_bytes()

    def download(self, bucket: str, key: str, path: Path) -> None:
        self._answer()
        self.downloads += 1
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.objects[f"{bucket}/{key}"])

    def list(self, bucket: str, prefix: str) -> list[str]:
        self._answer()
        start = f"{bucket}/{prefix}"
        return sorted(name.removeprefix(f"{bucket}/") for name in self.objects if name.startswith(start))

    def delete(self, bucket: str, key: str) -> None:
        self._answer()
        self.objects.pop(f"{bucket}/{key}", None)

    def ensure_bucket(self, bucket: str) -> None:
        self._answer()
        self.buckets.add(bucket)

    def mirror_folder(self, folder: Path, bucket: str, prefix: str) -> int:
        files = [path for path in sorted(Path(folder).rglob("*")) if path.is_file()]
        for path in files:
            self.upload(path, bucket, f"{prefix}/{path.relative_to(folder).as_posix()}")
        return len(files)

    def fetch_folder(self, bucket: str, prefix: str, folder: Path) -> int:
        keys = self.list(bucket, f"{prefix}/")
        for key in keys:
            self.download(bucket, key, folder / key.removeprefix(f"{prefix}/"))
        return len(keys)

    def _answer(self) -> None:
        if self.broken:
            raise ServiceError("the object store does not answer", where="memory", fix="Mend it.")
