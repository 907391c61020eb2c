"""READMEs are short, and what they and the guides name is there."""

import re
from collections.abc import Iterator
from pathlib import Path

from tests.template.rendering import ROOT, git

MAX_LINES = 90
# Words of our own, where the field has one: see docs/glossary.md of a workspace.
PRIVATE = re.compile(
    r"\b(told|heard|hears?|obeys?|verdicts?|strangers?|offices?|books|patience|silence"
    r"|late answers?|kept letters?)\b",
    re.IGNORECASE,
)
# Paths that start in a folder of the workspace, with nothing to fill in.
PATH = re.compile(r"`((?:services|libs|tools|tests|contracts|components|deploy|docs)/[\w./-]+)`")
TARGET = re.compile(r"`make ([a-z][a-z-]*[a-z])")
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)]+))?\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def guides(folder: Path) -> list[Path]:
    return [folder / "README.md", *sorted((folder / "docs").glob("*.md"))]


def anchors(document: Path) -> set[str]:
    """As GitHub makes them."""
    titles = HEADING.findall(re.sub(r"```.*?```", "", document.read_text(), flags=re.DOTALL))
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def prose(document: Path) -> str:
    """Without code, whose names are not the document's."""
    return re.sub(r"```.*?```|`[^`]*`", "", document.read_text(), flags=re.DOTALL)


def broken(document: Path) -> Iterator[str]:
    for target, anchor in LINK.findall(document.read_text()):
        linked = document.parent / target if target else document
        if not linked.exists() or (anchor and anchor not in anchors(linked)):
            yield f"{document.name}: {target}#{anchor}"


def readmes() -> list[Path]:
    return [ROOT / name for name in git(ROOT, "ls-files", "*README.md").splitlines()]


def test_no_readme_has_more_lines_than_one_reads() -> None:
    lengths = {str(path): len(path.read_text().splitlines()) for path in readmes()}
    assert {path: lines for path, lines in lengths.items() if lines > MAX_LINES} == {}


def test_every_link_of_the_guides_leads_somewhere(workspace: Path) -> None:
    assert [line for guide in guides(workspace) for line in broken(guide)] == []


def test_every_link_of_every_document_leads_somewhere() -> None:
    documents = [ROOT / name for name in git(ROOT, "ls-files", "*.md").splitlines()]
    assert [line for document in documents for line in broken(document)] == []


def test_every_path_that_the_guides_name_is_there(workspace: Path) -> None:
    named = {
        (guide.name, path)
        for guide in guides(workspace)
        for path in PATH.findall(guide.read_text())
    }
    assert named
    assert [pair for pair in sorted(named) if not (workspace / pair[1]).exists()] == []


def test_every_task_that_the_guides_name_is_one_of_the_makefile(workspace: Path) -> None:
    makefiles = (workspace / "Makefile").read_text() + (ROOT / "Makefile").read_text()
    tasks = set(re.findall(r"^([a-z-]+):", makefiles, re.MULTILINE))
    named = {task for guide in guides(workspace) for task in TARGET.findall(guide.read_text())}
    assert named - tasks == set()


def test_the_code_has_no_private_words() -> None:
    code = [name for name in git(ROOT, "ls-files").splitlines() if name.endswith((".py", ".js"))]
    found = {
        f"{name}: {word}"
        for name in code
        if ROOT / name != Path(__file__)
        for word in PRIVATE.findall((ROOT / name).read_text().replace("_", " "))
    }
    assert found == set()


def test_the_guides_have_no_private_words(workspace: Path) -> None:
    found = {
        f"{guide.name}: {word}"
        for guide in [*guides(workspace), *readmes(), ROOT / "CONTRIBUTING.md"]
        for word in PRIVATE.findall(prose(guide))
    }
    assert found == set()
