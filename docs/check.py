"""Check the words: ``python -m docs.check`` (part of ``make check``).

No link leads nowhere; every ``make`` target, ``kosparse`` command with its options, Python module and file that a page
names exists; the reference is what the code says; README.ko.md shows the commands, links and figures of README.md.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from docs import reference

ROOT = Path(__file__).parents[1]
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_PATH = re.compile(r"`((?:kosparse|pipelines|components|k8s|docs|tests|benchmarks|images|requirements)/[\w./-]+)`")
_FIGURE = re.compile(r"\d+(?:\.\d+)?")


def main() -> int:
    """Print what is wrong, a line each; 1 when something is."""
    found = [problem for page in pages() for problem in check(page)]
    if reference.page() != reference.PAGE.read_text(encoding="utf-8"):
        found.append("docs/reference.md: not what the code says: make docs")
    found += same_in_both(_read("README.md"), _read("README.ko.md"))
    print("\n".join(found) or f"{len(list(pages()))} pages, nothing stale")
    return 1 if found else 0


def pages() -> Iterator[Path]:
    """Every Markdown page that git keeps."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "*.md"], cwd=ROOT, capture_output=True)
    for name in listed.stdout.decode().splitlines():
        if (ROOT / name).is_file():
            yield ROOT / name


def check(page: Path) -> Iterator[str]:
    """What is wrong with one page."""
    text, name = page.read_text(encoding="utf-8"), page.relative_to(ROOT).as_posix()
    for link in _LINK.findall(_CODE.sub("", text)):
        if not link.startswith(("http://", "https://", "mailto:")) and not _leads_somewhere(page, link):
            yield f"{name}: dead link {link}"
    for path in _PATH.findall(text):
        if not list(ROOT.glob(path.rstrip("/"))):
            yield f"{name}: there is no {path}"
    if name == "CHANGELOG.md" or name.startswith("docs/adr/"):
        return  # these tell of the past
    for code in _CODE.findall(text):
        yield from (f"{name}: {problem}" for problem in stale(code))


def stale(code: str) -> Iterator[str]:
    """Targets, commands, options and modules in a piece of code that do not exist."""
    commands = reference.commands()
    for line in code.strip("`").splitlines():
        line = line.split("#", 1)[0]
        for target in re.findall(r"(?:^|&& |\$ )make ((?:[a-z][a-z0-9-]*)(?: [a-z][a-z-]+)*)", line.strip()):
            yield from (f"no make target {each}" for each in target.split() if each not in _targets())
        for module in re.findall(r"python3? -m ((?:kosparse|pipelines|components|benchmarks|k8s|docs)[\w.]*)", line):
            if find_spec(module) is None:
                yield f"no module {module}"
        for command, rest in re.findall(r"(?:^|/|\$ |&& |\| )kosparse ([a-z][\w-]*)([^|\n]*)", line.strip()):
            if command not in commands:
                yield f"no command kosparse {command}"
                continue
            options = commands[command][1]
            for option in re.findall(r"(?<!\S)(--[a-z][\w-]*)", rest):
                if options and option not in options | {"--help"}:
                    yield f"kosparse {command} has no {option}"


def same_in_both(english: str, korean: str) -> Iterator[str]:
    """Commands, links and figures of tables that one README has and the other lacks."""
    for what, of in (("command", _shell_lines), ("link", _links), ("figure", _table_figures)):
        here, there = Counter(of(english)), Counter(of(korean))
        for each in (here - there).keys() | (there - here).keys():
            yield f"README.ko.md: {what} {each!r} is not alike in both"


def _shell_lines(text: str) -> list[str]:
    blocks = re.findall(r"```\n(.*?)```", text, re.DOTALL)
    lines = (line.split("#", 1)[0].strip() for block in blocks for line in block.splitlines())
    return [line for line in lines if line.startswith(("make", ".venv", "$", "kosparse"))]


def _links(text: str) -> list[str]:
    return [link for link in _LINK.findall(text) if not link.startswith("README")]


def _table_figures(text: str) -> list[str]:
    rows = [line for line in text.splitlines() if line.startswith("|") and not line.startswith("| [")]
    return [figure for row in rows for figure in _FIGURE.findall(row)]


def _leads_somewhere(page: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = (page.parent / path) if path else page
    if not target.exists():
        return False
    return not anchor or target.is_dir() or anchor in map(_slug, _HEADING.findall(target.read_text(encoding="utf-8")))


def _slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).strip().replace(" ", "-")


@cache
def _targets() -> set[str]:
    lines = re.findall(r"^([a-z][a-z -]*):", _read("Makefile"), re.MULTILINE)
    return {name for line in lines for name in line.split()}


def _read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
