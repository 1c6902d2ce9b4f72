import stat

import pytest

from kosparse.corpus.debian import unpack_packages
from kosparse.errors import InputError, ServiceError

APT_GET = """#!/bin/sh
echo "$@" >> {log}
case "$*" in *update*) touch {folder}/updated; exit 0;; esac
if [ -n "{lists}" ] && [ ! -e {folder}/updated ]; then echo "E: Unable to locate package" >&2; exit 100; fi
for name in "$@"; do case $name in help-*) echo deb > "$PWD/$name.deb";; esac; done
"""
DPKG_DEB = """#!/bin/sh
case "$1" in
  -x) mkdir -p "$3/usr" && basename "$2" >> "$3/usr/unpacked";;
  --show) printf '%s\\t7.4-1' "$(basename "$3" .deb)";;
esac
"""


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """Stand-ins for apt-get and dpkg-deb, first on the path."""

    def install(empty_lists=False, fails=False, only=("apt-get", "dpkg-deb")):
        folder = tmp_path / "bin"
        folder.mkdir()
        lists = "empty" if empty_lists else ""
        scripts = {
            "apt-get": "#!/bin/sh\necho no mirror >&2; exit 100\n"
            if fails
            else APT_GET.format(log=tmp_path / "log", folder=tmp_path, lists=lists),
            "dpkg-deb": DPKG_DEB,
        }
        for name in only:
            (folder / name).write_text(scripts[name])
            (folder / name).chmod(0o755 | stat.S_IEXEC)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin" if len(only) == 2 else str(folder))

    return install


def test_packages_are_unpacked_side_by_side_and_versions_told(tools, tmp_path):
    tools()
    versions = unpack_packages(["help-ko", "help-en"], tmp_path / "work")
    assert versions == {"help-en": "7.4-1", "help-ko": "7.4-1"}
    assert sorted((tmp_path / "work/usr/unpacked").read_text().split()) == ["help-en.deb", "help-ko.deb"]


def test_empty_package_lists_are_fetched_privately(tools, tmp_path):
    tools(empty_lists=True)
    assert unpack_packages(["help-ko"], tmp_path / "work") == {"help-ko": "7.4-1"}
    first, update, again = (tmp_path / "log").read_text().splitlines()
    assert first == "download help-ko"
    assert f"Dir::State::lists={tmp_path}/work" in update and update.endswith("update")
    assert f"Dir::State::lists={tmp_path}/work" in again and again.endswith("download help-ko")


def test_a_machine_without_apt_is_told_to_bring_documents(tools, tmp_path):
    tools(only=("dpkg-deb",))
    with pytest.raises(InputError, match="no apt-get") as caught:
        unpack_packages(["help-ko"], tmp_path)
    assert "make run CORPUS=" in caught.value.fix


def test_mirrors_that_do_not_answer_are_quoted(tools, tmp_path):
    tools(fails=True)
    with pytest.raises(ServiceError, match="no mirror") as caught:
        unpack_packages(["help-ko"], tmp_path)
    assert "apt-get update" in caught.value.fix
