"""Options that would change nothing beside others: refused in one message, before any work begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from accelsim.errors import AccelsimError

if TYPE_CHECKING:
    from accelsim.cosearch.config import SearchConfig
    from accelsim.cosearch.setup import Setup

FOR_PEOPLE = ("wide", "explain", "nests", "every")
"""Options that shape a report."""

MODELLED = "maestro prices dataflows and searches no mappings"


def given(context: typer.Context, *names: str) -> str:
    """Which of these parameters of a command its user wrote, as their options; empty for none."""
    wrote = [
        name for name in names if getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"
    ]
    return ", ".join(_option(context, name) for name in wrote)


def refuse(context: typer.Context, why: str, *names: str) -> None:
    """Raise AccelsimError naming those of these parameters that the user wrote; `why` they say nothing."""
    if useless := given(context, *names):
        raise AccelsimError(f"{context.info_name}: {useless}: {why}")


def check_mapper(
    context: typer.Context, mapper: str, model: str = "accelsim", *, draws: bool = False
) -> None:
    """Refuse what changes nothing under a mapper or a model; `draws`: the seed decides something else too."""
    seed = () if draws else ("seed",)
    if model == "maestro":
        refuse(context, MODELLED, "mapper", "budget", *seed)
    elif mapper == "template":
        refuse(context, "the mapper template draws nothing at random", *seed)


def check_workers(context: typer.Context, scheduler: str | None) -> None:
    """Refuse a number of workers for a cluster that runs already."""
    if scheduler is not None:
        refuse(context, "the cluster behind --scheduler has its own", "workers")


def check_search(context: typer.Context, config: SearchConfig) -> None:
    """Refuse options that would change nothing in a search."""
    from accelsim.cosearch.setup import Setup, screens
    from accelsim.pricing.models import load_model

    setup, device = Setup(config), config.model == "microcontroller"
    if device:
        why = f"for machines with mappings, but {setup.base.name} is a microcontroller"
        refuse(context, why, "mapper", "budget", "screen", "finishing")
    if config.strategy in ("blockwise_exact", "gradient"):
        refuse(context, f"the strategy {config.strategy} asks none", "optimiser")
    genes = config.strategy == "joint" or (config.strategy == "single" and "mapping" not in config.fix)
    if genes:
        refuse(context, f"the strategy {config.strategy} maps by its genes", "mapper", "budget", "screen")
    elif "mapping" in config.fix:
        refuse(context, "--fix mapping takes the template's", "mapper")
    if not screens(load_model(config.model, setup.way())):
        refuse(context, "what the template maps and what others price is never screened", "screen")
    check_reported(context, setup)


def check_reported(context: typer.Context, setup: Setup) -> None:
    """Refuse what would change nothing in what is said of a search."""
    if not setup.exact:
        why = "for mappings of accelsim's own model, which this search leaves as they are"
        refuse(context, why, "finishing")
    if not setup.goals.uses_accuracy or setup.config.space is None:
        refuse(context, "no objective or limit of this search is the accuracy of a subnet", "accuracy")
    if "accuracy" not in setup.goals.objectives:
        refuse(context, "accuracy is no objective of this search", "apart")


def check_form(context: typer.Context, param: typer.CallbackParam, value: bool) -> bool:
    """Callback of options that say how something is printed: two forms at once are refused."""
    if value:
        for name, other in context.params.items():
            if not other or name == param.name:
                continue
            pair = {name, str(param.name)}
            if pair == {"as_json", "as_csv"}:
                raise AccelsimError(f"{context.info_name}: give either --json or --csv")
            form, report = pair & {"as_json", "as_csv"}, pair & {*FOR_PEOPLE}
            if form and report:
                shape, instead = _option(context, report.pop()), _option(context, form.pop())
                raise AccelsimError(
                    f"{context.info_name}: {shape}: shapes the report, which {instead} leaves out"
                )
    return value


def _option(context: typer.Context, name: str) -> str:
    """What a user writes for a parameter."""
    return next(
        word for one in context.command.params if one.name == name for word in one.opts if word[:2] == "--"
    )
