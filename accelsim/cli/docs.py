"""`accelsim docs`: the pages of the documentation, at the terminal."""

from __future__ import annotations

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
            help="A page, as `hardware` or `peers/timeloop`; none: list them.", autocompletion=complete.pages
        ),
    ] = None,
) -> None:
    """Print a page of the documentation, or list the pages."""
    pages = find_pages()
    if page is None:
        width = max(map(len, pages))
        for name, path in pages.items():
            print(f"{name:{width}}  {title(path)}")
        return
    name = page.removeprefix("docs/").removesuffix(".md")
    if name not in pages:
        raise AccelsimError(
            f"docs: no page {page!r}{nearest(name, tuple(pages))}; `accelsim docs` lists them"
        )
    text = pages[name].read_text("utf-8")
    if not sys.stdout.isatty():
        print(text, end="")
        return
    from rich.markdown import Markdown

    console().print(Markdown(text, hyperlinks=False))


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
