"""The docs check finds what it is there to find, and the pages pass it."""

import pytest

from docs import check, reference


def test_the_pages_of_this_project_are_in_order(capsys):
    assert check.main() == 0, capsys.readouterr().out


def test_every_step_command_and_setting_is_in_the_reference():
    page = reference.page()
    assert all(f"### {step}\n" in page for step in reference.STEPS)
    assert (
        "| `max_bad_share` | `0.1` | float, >= 0, <= 1 | The run stops when more than this share of the rows is bad."
        in page
    )
    assert "| `kosparse serve` |" in page and "| `LLM_BASE_URL` |" in page


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("`make rnu CORPUS=x`", "no make target rnu"),
        ("```\nmake images push-it\n```", "no make target push-it"),
        ("`kosparse serch 셀`", "no command kosparse serch"),
        ("`kosparse serve --prot 1`", "kosparse serve has no --prot"),
        ("`python -m kosparse.nowhere`", "no module kosparse.nowhere"),
    ],
)
def test_what_is_stale_is_named(code, problem):
    assert list(check.stale(code)) == [problem]


@pytest.mark.parametrize(
    "code", ["`make run CORPUS=x`", "`kosparse label make q.txt --depth 3`", "`kosparse serve --help`"]
)
def test_what_is_there_is_not_named(code):
    assert list(check.stale(code)) == []


def test_dead_links_and_files_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr(check, "ROOT", tmp_path)
    (tmp_path / "other.md").write_text("# Some `code` here\n")
    page = tmp_path / "page.md"
    page.write_text(
        "[a](other.md#some-code-here) [b](gone.md) [c](other.md#gone) [d](https://x.y) `kosparse/gone.py`\n"
    )
    assert list(check.check(page)) == [
        "page.md: dead link gone.md",
        "page.md: dead link other.md#gone",
        "page.md: there is no kosparse/gone.py",
    ]


def test_both_readmes_show_the_same_commands_links_and_figures():
    english = "```\nmake run   # run\n```\n| a | 0.58 |\n[x](docs/x.md)\n"
    assert list(check.same_in_both(english, english.replace("# run", "# 실행"))) == []
    wrong = list(check.same_in_both(english, "```\nmake test\n```\n| a | 0.59 |\n"))
    assert len(wrong) == 5
