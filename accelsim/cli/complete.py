"""What Tab offers: shipped names; where none begins so, the shell offers files."""

from __future__ import annotations

from collections.abc import Callable, Iterable

Offer = Callable[[str], list[str]]


def _starting(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


def machines(incomplete: str) -> list[str]:
    """Accelerators and microcontrollers."""
    from accelsim.hardware import hardware_names, microcontroller_names

    return _starting((*hardware_names(), *microcontroller_names()), incomplete)


def networks(incomplete: str) -> list[str]:
    """Networks."""
    from accelsim.workloads.load import network_names

    return _starting(network_names(), incomplete)


def machines_and_networks(incomplete: str) -> list[str]:
    """Either, where both may stand."""
    from accelsim.hardware import hardware_names

    return _starting(hardware_names(), incomplete) + networks(incomplete)


def spaces(incomplete: str) -> list[str]:
    """Spaces of subnets."""
    from accelsim.workloads.spaces import space_names

    return _starting(space_names(), incomplete)


def bench_chips(incomplete: str) -> list[str]:
    """Chips of the shipped benchmark."""
    import json
    from importlib import resources

    text = resources.files("accelsim").joinpath("nacos/data/macro/manifest.json").read_text("utf-8")
    return _starting(json.loads(text)["hashes"], incomplete)


def pages(incomplete: str) -> list[str]:
    """Pages of the documentation."""
    from accelsim.cli.docs import find_pages

    return _starting(find_pages(), incomplete)


def registered(place: str) -> Offer:
    """Names of a registry, as `module:NAME`."""

    def offer(incomplete: str) -> list[str]:
        from importlib import import_module

        module, _, name = place.partition(":")
        return _starting(getattr(import_module(module), name).names(), incomplete)

    return offer


mappers = registered("accelsim.mapping.mapper:MAPPERS")
objectives = registered("accelsim.cosearch.metrics:METRICS")
strategies = registered("accelsim.cosearch.strategies.base:STRATEGIES")
optimisers = registered("accelsim.cosearch.optimisers.base:OPTIMISERS")
engines = registered("accelsim.engines.base:ENGINES")
kinds = registered("accelsim.schemas:SCHEMAS")
