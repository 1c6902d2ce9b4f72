"""The search for planted credentials finds them in any layer, across pieces, and in the configuration."""

import io
import os
import tarfile

from benchmarks import image_secrets
from benchmarks.image_secrets import NAMES, find, planted


def tar(files):
    """A tar with these files, and a link as image archives have."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "../elsewhere"
        archive.addfile(link)
    return written.getvalue()


def test_values_are_found_where_they_are(monkeypatch):
    monkeypatch.setattr(image_secrets, "_PIECE", 8)
    lower, upper = (
        tar({"etc/empty": b"", "app/compose.env": b"0123456" + b"key-one" + b"9"}),
        tar({"etc/fine": b"key-"}),
    )
    saved = tar({"a1.tar": lower, "b2.tar": upper, "c3.json": b'{"Env": ["KEY=key-two"]}'})

    found = find(io.BytesIO(saved), ["key-one", "key-two", "key-three"])

    assert found == {"key-one": "app/compose.env", "key-two": "c3.json"}


def test_what_is_planted_is_taken_away_again(tmp_path, monkeypatch):
    monkeypatch.setenv("LLM_API_KEY", "before")

    with planted(tmp_path) as values:
        inside = dict(os.environ)
        written = (tmp_path / "compose.env").read_text(encoding="utf-8")

    assert len(set(values)) == 2 * len(NAMES)
    assert {inside[name] for name in NAMES} < set(values)
    assert all(value in written for value in values if value not in inside.values())
    assert not (tmp_path / "compose.env").exists()
    assert os.environ["LLM_API_KEY"] == "before"


def test_a_compose_env_of_ones_own_is_kept_and_searched_for(tmp_path):
    (tmp_path / "compose.env").write_text("# mine\nLLM_API_KEY=my-own\nOTHER=\n", encoding="utf-8")

    with planted(tmp_path) as values:
        assert "my-own" in values and "" not in values

    assert "my-own" in (tmp_path / "compose.env").read_text(encoding="utf-8")
