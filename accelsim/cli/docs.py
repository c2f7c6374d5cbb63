"""`accelsim docs`: the pages of the documentation, at the terminal."""

from __future__ import annotations

import re
import sys
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

from accelsim.cli import complete
from accelsim.cli.app import app, console
from accelsim.errors import AccelsimError, nearest


@app.command()
def docs(
    page: Annotated[
        str | None,
        typer.Argument(
            help="A page, as `hardware` or `peers/timeloop`, or a section, as `hardware#searching-it`; "
            "none: list the pages.",
            autocompletion=complete.pages,
        ),
    ] = None,
) -> None:
    """Print a page of the documentation or a section of one, or list the pages."""
    pages = find_pages()
    if page is None:
        width = max(map(len, pages))
        for name, path in pages.items():
            print(f"{name:{width}}  {title(path)}")
        return
    name, _, mark = page.removeprefix("docs/").partition("#")
    name = name.removesuffix(".md")
    if name not in pages:
        raise AccelsimError(
            f"docs: no page {page!r}{nearest(name, tuple(pages))}; `accelsim docs` lists them"
        )
    text = pages[name].read_text("utf-8")
    if mark:
        text = section(text, mark, name)
    if not sys.stdout.isatty():
        print(text, end="")
        return
    from rich.markdown import Markdown

    console().print(Markdown(text, hyperlinks=False))


def section(page: str, mark: str, name: str) -> str:
    """The part of a page under the heading with the anchor `mark`. Raises AccelsimError if there is none."""
    heads: dict[str, tuple[int, int]] = {}  # anchor: line, depth
    lines, code = page.splitlines(keepends=True), False
    for i, line in enumerate(lines):
        code ^= line.startswith("```")
        depth = len(line) - len(line.lstrip("#"))
        if not code and 0 < depth <= 6 and line[depth] == " ":
            heads.setdefault(
                re.sub(r"[^\w\- ]", "", line.strip("# \n").lower()).replace(" ", "-"), (i, depth)
            )
    if mark not in heads:
        raise AccelsimError(f"docs: {name} has no section {mark!r}{nearest(mark, tuple(heads))}")
    first, depth = heads[mark]
    end = min((i for i, d in heads.values() if i > first and d <= depth), default=len(lines))
    return "".join(lines[first:end]).rstrip() + "\n"


def find_pages() -> dict[str, Path]:
    """Name -> file, of the checkout or the installed package. Raises AccelsimError where there are none."""
    home = Path(__file__).resolve().parents[2] / "docs"
    if (home / "cost_model.md").is_file():
        found = {path.relative_to(home).with_suffix("").as_posix(): path for path in home.rglob("*.md")}
    else:
        found = _installed()
    if not found:
        raise AccelsimError("docs: this installation has no pages; they stand in docs/ of the source")
    return dict(sorted(found.items(), key=lambda item: ("/" in item[0], item[0])))


def _installed() -> dict[str, Path]:
    """The pages that the wheel brought along."""
    mark = "share/accelsim/docs/"
    try:
        files = metadata.files("accelsim") or ()
    except metadata.PackageNotFoundError:
        return {}
    return {
        file.as_posix().partition(mark)[2].removesuffix(".md"): Path(str(file.locate()))
        for file in files
        if mark in file.as_posix() and file.suffix == ".md"
    }


def title(path: Path) -> str:
    """The first heading."""
    return path.read_text("utf-8").partition("\n")[0].lstrip("# ")
