"""Pages of the site that are not Markdown under docs/: the README, notebooks, and the API reference."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
TOP = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}


def on_files(files: Files, config: Any) -> Files:
    """Add the generated pages; the notebooks themselves become pages."""
    for name, page in TOP.items():
        files.append(File.generated(config, page, content=_moved((ROOT / name).read_text())))
    files.append(File.generated(config, "api.md", content=api()))
    for file in [file for file in files if file.src_uri.endswith(".ipynb")]:
        files.remove(file)
        page = file.src_uri.removesuffix(".ipynb") + ".md"
        files.append(File.generated(config, page, content=_notebook(ROOT / "docs" / file.src_uri)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Links to notebooks go to their pages."""
    return markdown.replace(".ipynb)", ".md)")


def _moved(text: str) -> str:
    """Links of a page at the top of the checkout, as from docs/."""
    text = text.replace("](docs/", "](")
    for name, page in TOP.items():
        text = text.replace(f"]({name})", f"]({page})")
    return text


def _notebook(path: Path) -> str:
    import jupytext

    text = jupytext.writes(jupytext.read(path), fmt="md")
    body = re.sub(r"\A---\n.*?\n---\n+", "", text, flags=re.S)
    return (
        f"{body}\n\n[This notebook]({path.name.removesuffix('.ipynb')}.md) is `docs/notebooks/{path.name}`.\n"
    )


def api() -> str:
    """Everything that `accelsim` and `accelsim.report` name, by where it is defined."""
    import accelsim
    from accelsim import report

    parts = ["# API", "", "Import all of this from `accelsim`; it is loaded on first use.", ""]
    homes = {name: f"{home}.{name}" for name, home in accelsim._HOME.items()}
    for name in sorted(homes, key=str.lower):
        parts += [f"::: {_defined(name, accelsim)}", ""]
    parts += ["# Figures", "", "From `accelsim.report`; each returns a matplotlib `Figure`.", ""]
    for name in report.__all__:
        parts += [f"::: {_defined(name, report)}", ""]
    return "\n".join(parts)


def _defined(name: str, package: Any) -> str:
    thing = getattr(package, name)
    return f"{thing.__module__}.{name}"
