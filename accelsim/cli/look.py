"""`with_look`: the options `--style`, `--size` and `--font` of every command that draws."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import typer

OPTIONS = {
    "style": Annotated[
        str | None, typer.Option("--style", help="Of the figure: plain, grey, or paper (serif, thin lines).")
    ],
    "size": Annotated[
        str | None, typer.Option("--size", help="Of the figure, inches, as 3.5x2.4.", metavar="WxH")
    ],
    "font": Annotated[
        str | None, typer.Option("--font", help="Of the figure: family, points or both, as 'serif 8'.")
    ],
}


def with_look(command: Callable[..., None]) -> Callable[..., None]:
    """A command that takes these options too, and draws as they say."""
    signature = inspect.signature(command, eval_str=True)

    @wraps(command)
    def drawn(style: str | None, size: str | None, font: str | None, **rest: Any) -> None:
        if style is size is font is None:
            return command(**rest)
        from accelsim.errors import AccelsimError
        from accelsim.report.style import look

        if rest.get("plot") is None and rest.get("plot_stacks") is None:
            raise AccelsimError("--style, --size and --font are of the figure; give --plot FILE too")
        with look(style or "plain", size, font):
            return command(**rest)

    options = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
        for name, kind in OPTIONS.items()
    ]
    drawn.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[*signature.parameters.values(), *options]
    )
    drawn.__annotations__ = {name: one.annotation for name, one in drawn.__signature__.parameters.items()}  # type: ignore[attr-defined]
    return drawn
