"""Rules between the fields of a hardware file.

They look at the raw JSON, and skip what is malformed itself, so that faults of both kinds come out together.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from accelsim.errors import nearest
from accelsim.hardware.faults import Fault, but_got, join, shown
from accelsim.hardware.fields import DIMENSIONS, RESERVED, TENSORS, is_number
from accelsim.hardware.malformed import count_of, objects_of, repeated, table_of, texts_of
from accelsim.hardware.memory_checks import memory_faults

TAKEN = ("MAC", "mac", "array", "leakage")
"""Names that mean something else in traffic tables and in this file; in tables of energy and area."""


def cross_faults(raw: dict[str, Any]) -> list[Fault]:
    """All faults that lie between fields; `raw` may be arbitrarily malformed."""
    memories = objects_of(raw.get("memories"))
    faults = [*_sources(raw, ""), *_precision(raw), *_memory_names(memories), *_controller(raw, memories)]
    outermost = -1 if raw.get("kind") == "microcontroller" else 0
    faults += memory_faults(memories, outermost, raw.get("precision_bits"))
    faults += [*_engines(raw), *_components(raw, memories)]
    if memories:
        faults += [*_dataflow(raw, memories), *_network(raw, memories), *_search(raw, memories)]
    return faults


def _sources(value: Any, path: str) -> Iterator[Fault]:
    """Sources name keys of their object."""
    if isinstance(value, dict):
        present = [k for k in value if isinstance(k, str) and k not in ("sources", "notes")]
        for key in table_of(value.get("sources")):
            if key not in present:
                yield Fault(join(path, "sources", key), f"names no key of this object{nearest(key, present)}")
        for key, item in table_of(value).items():
            if key != "sources":
                yield from _sources(item, join(path, key))
    elif isinstance(value, list | tuple):
        for i, item in enumerate(value):
            yield from _sources(item, join(path, i))


def _precision(raw: dict[str, Any]) -> Iterator[Fault]:
    """A sum cannot be finished to more bits than it had."""
    machine = table_of(raw.get("precision_bits"))
    places = [("precision_bits", machine)]
    for m, memory in objects_of(raw.get("memories")):
        if own := table_of(memory.get("precision_bits")):
            places.append((f"memories[{m}].precision_bits", own))
    for path, own in places:
        bits = machine | own
        psum, output = count_of(bits.get("psum")), count_of(bits.get("output"))
        if psum is not None and output is not None and psum < output and (own is machine or "psum" in own):
            rule = f"must be at least {output}, the bits of a finished output"
            yield Fault(f"{path}.psum", but_got(rule, psum))
        elif psum is not None and output is not None and psum < output and "output" in own:
            rule = f"must be at most {psum}, the bits of a partial sum here (psum)"
            yield Fault(f"{path}.output", but_got(rule, output))


def _engines(raw: dict[str, Any]) -> Iterator[Fault]:
    """Engines have names of their own."""
    names = [
        engine["name"] for _, engine in objects_of(raw.get("engines")) if isinstance(engine.get("name"), str)
    ]
    for name in repeated(names):
        yield Fault("engines", f"must each have a name of their own, but {name!r} comes twice")


def _components(raw: dict[str, Any], memories: list[tuple[int, dict[str, Any]]]) -> Iterator[Fault]:
    """Components have names of their own, also beside memories, and figures that mean something."""
    taken = {x["name"] for _, x in memories if isinstance(x.get("name"), str)} | set(TAKEN)
    for i, part in objects_of(raw.get("components")):
        name = part.get("name")
        if isinstance(name, str):
            if name in taken:
                rule = f"must differ from memories, other components and {', '.join(TAKEN)}"
                yield Fault(f"components[{i}].name", but_got(rule, name))
            taken.add(name)
        if part.get("pj_per_bit") is not None and part.get("per") not in ("choice", "routing"):
            rule = 'has no effect unless `per` is "choice" or "routing"; leave it out'
            yield Fault(f"components[{i}].pj_per_bit", rule)


def _memory_names(memories: list[tuple[int, dict[str, Any]]]) -> Iterator[Fault]:
    first: dict[str, int] = {}
    for m, memory in memories:
        name = memory.get("name")
        if not isinstance(name, str):
            continue
        if name in RESERVED:
            yield Fault(
                f"memories[{m}].name", f"must not be one of {', '.join(RESERVED)}, but got {shown(name)}"
            )
        if name in first:
            rule = f"must differ from the name of memories[{first[name]}]"
            yield Fault(f"memories[{m}].name", but_got(rule, name))
        first.setdefault(name, m)


def _controller(raw: dict[str, Any], memories: list[tuple[int, dict[str, Any]]]) -> Iterator[Fault]:
    """A microcontroller has its section, Flash for weights, SRAM for activations, and nothing to search."""
    if raw.get("kind") != "microcontroller":
        if raw.get("microcontroller") is not None:
            yield Fault("microcontroller", 'has no effect unless kind is "microcontroller"; leave it out')
        return
    if not isinstance(raw.get("microcontroller"), dict):
        yield Fault("microcontroller", "is missing: it holds the rate of MACs")
    held = [sorted(texts_of(memory.get("holds"))) for _, memory in memories]
    if held != [["W"], ["I", "O"]]:
        yield Fault(
            "memories",
            "of a microcontroller must be two: Flash, which holds W, then SRAM, which holds I and O",
        )
    for m, memory in memories:
        if memory.get("size_bytes") is None:
            yield Fault(f"memories[{m}].size_bytes", "is missing: a microcontroller's memories have sizes")
        if memory.get("fanout"):
            yield Fault(f"memories[{m}].fanout", "has no effect on a microcontroller; leave it out")
    for key in ("search", "dataflow", "engines", "network"):
        if raw.get(key):
            yield Fault(key, "has no effect on a microcontroller; leave it out")


# -- dataflow, network, search -----------------------------------------------------------------------------


def _dataflow(raw: dict[str, Any], memories: list[tuple[int, dict[str, Any]]]) -> Iterator[Fault]:
    flow = table_of(raw.get("dataflow"))
    axes: dict[str, list[str]] = {}
    for _, memory in memories:
        if isinstance(memory.get("name"), str):
            here = [x["axis"] for _, x in objects_of(memory.get("fanout")) if isinstance(x.get("axis"), str)]
            axes[memory["name"]] = axes.get(memory["name"], []) + here
    for key in ("axes", "orders"):
        for name in table_of(flow.get(key)):
            if name not in axes:
                yield _unknown_memory(join(f"dataflow.{key}", name), name, axes)
    for name, table in table_of(flow.get("axes")).items():
        known = axes.get(name, [])
        for axis, dims in table_of(table).items():
            path = join("dataflow.axes", name, axis)
            if name in axes and axis not in known:
                hint = nearest(axis, known) if known else "; it has none"
                yield Fault(path, f"no such axis below memory {name!r}{hint}")
            if not dims and isinstance(dims, list | tuple):
                yield Fault(path, "must name at least one dimension; leave the axis out to allow all")
            yield from _dims_once(dims, path)
    for name, orders in table_of(flow.get("orders")).items():
        if isinstance(orders, list | tuple):
            for i, order in enumerate(orders):
                yield from _dims_once(order, join("dataflow.orders", name, i))


def _unknown_memory(path: str, name: str, known: dict[str, Any]) -> Fault:
    return Fault(path, f"no memory is called {name!r}{nearest(name, known)}")


def _dims_once(dims: Any, path: str) -> Iterator[Fault]:
    for d in repeated([d for d in texts_of(dims) if d in DIMENSIONS]):
        yield Fault(path, f"must name each dimension once, but has {d} twice")


def _network(raw: dict[str, Any], memories: list[tuple[int, dict[str, Any]]]) -> Iterator[Fault]:
    """Residency needs a place: the first memory below the outermost one that holds the tensor."""
    network = table_of(raw.get("network"))
    inner = [(m, texts_of(x.get("holds"))) for m, x in memories if m > 0]
    first = {t: next((m for m, holds in inner if t in holds), None) for t in TENSORS}
    if network.get("activations") == "on_chip_if_fit" and (first["I"] is None or first["I"] != first["O"]):
        yield Fault(
            "network.activations",
            '"on_chip_if_fit" needs a memory below the outermost one that is the first to hold both I and O',
        )
    if network.get("weights") == "resident_if_fit" and first["W"] is None:
        yield Fault(
            "network.weights", '"resident_if_fit" needs a memory below the outermost one that holds W'
        )


def _search(raw: dict[str, Any], memories: list[tuple[int, dict[str, Any]]]) -> Iterator[Fault]:
    search = table_of(raw.get("search"))
    known = {x["name"]: x for _, x in memories if isinstance(x.get("name"), str)}
    for key in ("buffers", "bandwidths"):
        for name, span in table_of(search.get(key)).items():
            path = join(f"search.{key}", name)
            if name not in known:
                yield _unknown_memory(path, name, known)
            elif key == "buffers" and known[name].get("size_bytes") is None:
                yield Fault(path, f"memory {name!r} has no size to vary")
            yield from _span(table_of(span), path, "min", "max")
    for key in ("precision", "layer_precision"):
        widths = [x for _, x in objects_of(search.get(key))]
        for i, one in enumerate(widths):
            if one in widths[:i]:
                yield Fault(f"search.{key}[{i}]", f"is there already, as search.{key}[{widths.index(one)}]")
    array = table_of(search.get("array"))
    below = array.get("memory")
    if isinstance(below, str) and below not in known:
        yield _unknown_memory("search.array.memory", below, known)
    yield from _span(array, "search.array", "min_axes", "max_axes")
    yield from _span(array, "search.array", "min_size", "max_size")
    yield from _dims_once(array.get("dims"), "search.array.dims")


def _span(table: dict[str, Any], path: str, low: str, high: str) -> Iterator[Fault]:
    a, b = table.get(low), table.get(high)
    if is_number(a) and is_number(b) and a > b:  # type: ignore[operator]
        yield Fault(path, f"{low} <= {high} must hold, but got {shown(a)} > {shown(b)}")
