"""Rules between the fields of a hardware file.

They look at the raw JSON, and skip what is malformed itself, so that faults of both kinds come out together.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from accelsim.errors import nearest
from accelsim.hardware.faults import Fault, but_got, join, shown
from accelsim.hardware.fields import DIMENSIONS, MAX_WHOLE, TENSORS, is_number
from accelsim.hardware.holding import MOST_WAYS, count_ways

RESERVED = ("MAC", "notes", "source", "sources")
TAKEN = ("MAC", "mac", "array", "leakage")
"""Names that mean something else in traffic tables and in this file; in tables of energy and area."""

_PER_BIT = ("read_pj_per_bit", "write_pj_per_bit")
_PER_WORD = ("read_pj_per_word", "write_pj_per_word")


def cross_faults(raw: dict[str, Any]) -> list[Fault]:
    """All faults that lie between fields; `raw` may be arbitrarily malformed."""
    memories = _objects(raw.get("memories"))
    faults = [*_sources(raw, ""), *_precision(raw), *_memory_names(memories), *_totals(memories)]
    faults += [*_controller(raw, memories), *_ways(memories)]
    outermost = -1 if raw.get("kind") == "microcontroller" else 0
    for m, memory in memories:
        path = f"memories[{m}]"
        faults += [*_tensors(memory, path, m == outermost), *_choice(memory, path, m)]
        faults += [*_kind(memory, path, m), *_energy(memory, path)]
        faults += _port_users(memory, f"{path}.bandwidth.ports")
        faults += [*_room(memory, path, raw.get("precision_bits")), *_fanout(memory, path)]
    faults += [*_engines(raw), *_components(raw, memories)]
    if memories:
        faults += [*_dataflow(raw, memories), *_network(raw, memories), *_search(raw, memories)]
    return faults


# -- reading what may be malformed -----------------------------------------------------------------------


def _objects(value: Any) -> list[tuple[int, dict[str, Any]]]:
    return (
        [(i, x) for i, x in enumerate(value) if isinstance(x, dict)]
        if isinstance(value, list | tuple)
        else []
    )


def _table(value: Any) -> dict[str, Any]:
    return {k: v for k, v in value.items() if isinstance(k, str)} if isinstance(value, dict) else {}


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _texts(value: Any) -> list[str]:
    return [x for x in value if isinstance(x, str)] if isinstance(value, list | tuple) else []


def _repeated(names: list[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})


# -- memories --------------------------------------------------------------------------------------------


def _sources(value: Any, path: str) -> Iterator[Fault]:
    """Sources name keys of their object."""
    if isinstance(value, dict):
        present = [k for k in value if isinstance(k, str) and k not in ("sources", "notes")]
        for key in _table(value.get("sources")):
            if key not in present:
                yield Fault(join(path, "sources", key), f"names no key of this object{nearest(key, present)}")
        for key, item in _table(value).items():
            if key != "sources":
                yield from _sources(item, join(path, key))
    elif isinstance(value, list | tuple):
        for i, item in enumerate(value):
            yield from _sources(item, join(path, i))


def _precision(raw: dict[str, Any]) -> Iterator[Fault]:
    """A sum cannot be finished to more bits than it had."""
    machine = _table(raw.get("precision_bits"))
    places = [("precision_bits", machine)]
    for m, memory in _objects(raw.get("memories")):
        if own := _table(memory.get("precision_bits")):
            places.append((f"memories[{m}].precision_bits", own))
    for path, own in places:
        bits = machine | own
        psum, output = _count(bits.get("psum")), _count(bits.get("output"))
        if psum is not None and output is not None and psum < output and (own is machine or "psum" in own):
            rule = f"must be at least {output}, the bits of a finished output"
            yield Fault(f"{path}.psum", but_got(rule, psum))
        elif psum is not None and output is not None and psum < output and "output" in own:
            rule = f"must be at most {psum}, the bits of a partial sum here (psum)"
            yield Fault(f"{path}.output", but_got(rule, output))


def _engines(raw: dict[str, Any]) -> Iterator[Fault]:
    """Engines have names of their own."""
    names = [
        engine["name"] for _, engine in _objects(raw.get("engines")) if isinstance(engine.get("name"), str)
    ]
    for name in _repeated(names):
        yield Fault("engines", f"must each have a name of their own, but {name!r} comes twice")


def _components(raw: dict[str, Any], memories: list[tuple[int, dict[str, Any]]]) -> Iterator[Fault]:
    """Components have names of their own, also beside memories, and figures that mean something."""
    taken = {x["name"] for _, x in memories if isinstance(x.get("name"), str)} | set(TAKEN)
    for i, part in _objects(raw.get("components")):
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
    held = [sorted(_texts(memory.get("holds"))) for _, memory in memories]
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


def _tensors(memory: dict[str, Any], path: str, outermost: bool) -> Iterator[Fault]:
    """What a memory holds, and whether its tables by tensor fit that."""
    holds = _texts(memory.get("holds"))
    if any(t not in TENSORS for t in holds) or not holds:
        return
    for tensor in _repeated(holds):
        yield Fault(f"{path}.holds", f"must name each tensor once, but has {tensor} twice")
    absent = [t for t in TENSORS if t not in holds]
    if outermost and absent:
        yield Fault(
            f"{path}.holds",
            f"the outermost memory must hold W, I and O, but {' and '.join(absent)} "
            f"{'is' if len(absent) == 1 else 'are'} missing",
        )
    tables: dict[str, Any] = {"size_bytes": memory.get("size_bytes"), "banks": memory.get("banks")}
    for key in (*_PER_BIT, *_PER_WORD):
        tables[f"energy.{key}"] = _table(memory.get("energy")).get(key)
    tables["bandwidth.ports"] = _table(memory.get("bandwidth")).get("ports")
    for key, table in tables.items():
        for tensor, value in _table(table).items():
            if tensor in absent and value is not None:
                yield Fault(f"{path}.{key}.{tensor}", f"this memory holds only {', '.join(holds)}")
    size = memory.get("size_bytes")
    if isinstance(size, dict):
        for tensor in dict.fromkeys(holds):
            if size.get(tensor) is None:
                yield Fault(f"{path}.size_bytes.{tensor}", "is missing: this memory holds it")


def _choice(memory: dict[str, Any], path: str, m: int) -> Iterator[Fault]:
    """What may be left out is held, and not needed here."""
    path = f"{path}.holds_choice"
    choice: list[str] = [t for t in _texts(memory.get("holds_choice")) if t in TENSORS]
    holds = _texts(memory.get("holds"))
    for tensor in _repeated(choice):
        yield Fault(path, f"must name each tensor once, but has {tensor} twice")
    if m == 0 and choice:
        yield Fault(path, "the outermost memory must hold W, I and O, whatever the mapping; leave it out")
        return
    for tensor in dict.fromkeys(choice):
        if tensor not in holds:
            yield Fault(path, f"must name tensors of holds ({', '.join(holds)}), but got {shown(tensor)}")
        if tensor == memory.get("serial_folds"):
            yield Fault(path, f"{tensor} cannot pass by: its tile here is a fold (serial_folds)")


def _ways(memories: list[tuple[int, dict[str, Any]]]) -> Iterator[Fault]:
    """Every way to hold is tried."""
    left = [len(set(_texts(memory.get("holds_choice"))) & {*TENSORS}) for _, memory in memories]
    if count_ways(left) > MOST_WAYS:
        m = next(m for (m, _), n in reversed(list(zip(memories, left))) if n)
        yield Fault(
            f"memories[{m}].holds_choice",
            f"all choices together must leave at most {MOST_WAYS} ways to hold, one for each set of tensors "
            f"that may pass by, but {sum(left)} tensors leave {count_ways(left)}; name fewer",
        )


def _port_users(memory: dict[str, Any], path: str) -> Iterator[Fault]:
    """Each tensor in each direction uses one port."""
    holds = _texts(memory.get("holds"))
    seen: dict[str, int] = {}
    for i, port in _objects(_table(memory.get("bandwidth")).get("ports")):
        for user in _texts(port.get("users")):
            if user not in ("read", "write") and user[-1:] in TENSORS and user[-1] not in holds:
                yield Fault(f"{path}[{i}].users", f"{user!r}: this memory holds only {', '.join(holds)}")
            for one in [f"{user} {t}" for t in TENSORS] if user in ("read", "write") else [user]:
                if one in seen:
                    yield Fault(f"{path}[{i}].users", f"{one!r} already uses ports[{seen[one]}]")
                    break
                seen[one] = i


def _kind(memory: dict[str, Any], path: str, m: int) -> Iterator[Fault]:
    """Keys that only one kind of memory has."""
    size = memory.get("size_bytes")
    kind = memory.get("kind") or ("dram" if size is None else "sram")
    if kind == "dram":
        for key in ("width_bits", "banks"):
            if memory.get(key) is not None:
                yield Fault(f"{path}.{key}", "has no effect on DRAM; leave it out")
    elif kind in ("sram", "register"):
        if size is None:
            yield Fault(f"{path}.size_bytes", f"is missing: kind {shown(kind)} needs a size")
        if memory.get("dram_type") is not None:
            yield Fault(f"{path}.dram_type", f"has no effect on kind {shown(kind)}; leave it out")
    folds = memory.get("serial_folds")
    if folds in TENSORS and (m == 0 or folds not in _texts(memory.get("holds"))):
        yield Fault(
            f"{path}.serial_folds",
            but_got("must name a tensor held by this memory, which must not be the outermost one", folds),
        )
    if memory.get("fold_cycles") is not None and folds is None:
        yield Fault(f"{path}.fold_cycles", "has no effect without serial_folds; leave it out")
    if memory.get("double_buffered") is True and memory.get("overlap") is False:
        yield Fault(f"{path}.overlap", "must not be false where double_buffered is true")
    if isinstance(memory.get("banks"), dict) and not isinstance(size, dict):
        yield Fault(f"{path}.banks", "must be one number unless size_bytes has a part for each tensor")


def _energy(memory: dict[str, Any], path: str) -> Iterator[Fault]:
    """Figures per word need the word's width, and stand instead of those per bit."""
    energy = _table(memory.get("energy"))
    words = [key for key in _PER_WORD if energy.get(key) is not None]
    if words and energy.get("word_bits") is None:
        yield Fault(f"{path}.energy.word_bits", f"is missing: {words[0]} needs it")
    if not words and energy.get("word_bits") is not None:
        yield Fault(f"{path}.energy.word_bits", "has no effect without a figure per word; leave it out")
    for bit, word in zip(_PER_BIT, _PER_WORD):
        if energy.get(bit) is not None and energy.get(word) is not None:
            yield Fault(f"{path}.energy.{word}", f"must not stand beside {bit}")


def _room(memory: dict[str, Any], path: str, precision: Any) -> Iterator[Fault]:
    """Every memory has room for one element of each tensor."""
    bits = _table(precision) | {
        k: v for k, v in _table(memory.get("precision_bits")).items() if v is not None
    }
    width = {"W": _count(bits.get("weight")), "I": _count(bits.get("input")), "O": _count(bits.get("psum"))}
    copies = 2 if memory.get("double_buffered") is True else 1
    size = memory.get("size_bytes")
    holds = [t for t in _texts(memory.get("holds")) if t in TENSORS]
    parts = {f".{t}": (size.get(t), [t]) for t in holds} if isinstance(size, dict) else {"": (size, holds)}
    for key, (given, tensors) in parts.items():
        widths = [width[t] for t in dict.fromkeys(tensors)]
        have = _count(given)
        if have is None or None in widths:
            continue
        need = copies * sum(w for w in widths if w is not None)
        if need > 8 * have:
            twice = " twice, as it is double-buffered," if copies == 2 else ""
            wanted = -(-need // 8)
            single = " or set double_buffered to false" if copies == 2 else ""
            yield Fault(
                f"{path}.size_bytes{key}",
                f"must have room for one element of {' and '.join(tensors)}{twice} ({need} bits), "
                f"but has {8 * have} bits, {wanted - have} bytes too few; raise it to {wanted} bytes{single}",
            )


def _fanout(memory: dict[str, Any], path: str) -> Iterator[Fault]:
    axes = _objects(memory.get("fanout"))
    names = {i: x["axis"] for i, x in axes if isinstance(x.get("axis"), str)}
    for i, axis in axes:
        here = f"{path}.fanout[{i}]"
        name = names.get(i)
        if name in RESERVED:
            yield Fault(f"{here}.axis", f"must not be one of {', '.join(RESERVED)}, but got {shown(name)}")
        first = next(j for j in names if names[j] == name) if name is not None else i
        if first < i:
            yield Fault(f"{here}.axis", but_got(f"must differ from the name of fanout[{first}]", name))
        if axis.get("forwarding") is True and axis.get("multicast") is not True:
            yield Fault(
                f"{here}.forwarding", "needs multicast: set multicast to true, or forwarding to false"
            )
        shares = axis.get("shares")
        if isinstance(shares, str):
            yield from _shares(axes, i, shares, here)


def _shares(axes: list[tuple[int, dict[str, Any]]], i: int, shares: str, here: str) -> Iterator[Fault]:
    """An axis lies on the lanes of another one that has lanes of its own, and enough of them."""
    others = {x["axis"]: x for j, x in axes if j != i and isinstance(x.get("axis"), str)}
    if shares not in others:
        known = nearest(shares, others) if others else "; there is no other"
        yield Fault(
            f"{here}.shares", f"must name another axis of this fan-out, but got {shown(shares)}{known}"
        )
        return
    if others[shares].get("shares") is not None:
        yield Fault(f"{here}.shares", f"axis {shares!r} itself shares the lanes of another axis")
    size, room = _count(dict(axes)[i].get("size")), _count(others[shares].get("size"))
    if size is not None and room is not None and size > room:
        yield Fault(f"{here}.size", f"must be at most {room}, the size of axis {shares!r}, but got {size}")


def _totals(memories: list[tuple[int, dict[str, Any]]]) -> Iterator[Fault]:
    """Instances and bytes of the whole machine stay countable."""
    instances = 1
    for m, memory in memories:
        size = memory.get("size_bytes")
        sizes = [_count(v) or 0 for v in size.values()] if isinstance(size, dict) else [_count(size) or 0]
        if max(sizes, default=0) <= MAX_WHOLE < instances * sum(sizes):
            yield Fault(
                f"memories[{m}].size_bytes",
                f"must be at most {MAX_WHOLE} (2^53 - 1) bytes over all {instances} instances",
            )
        for _, axis in _objects(memory.get("fanout")):
            if axis.get("shares") is None:
                instances *= _count(axis.get("size")) or 1
        if instances > MAX_WHOLE:
            yield Fault(
                f"memories[{m}].fanout",
                f"instances down to here must be at most {MAX_WHOLE} (2^53 - 1), but there are {instances}",
            )
            return


# -- dataflow, network, search -----------------------------------------------------------------------------


def _dataflow(raw: dict[str, Any], memories: list[tuple[int, dict[str, Any]]]) -> Iterator[Fault]:
    flow = _table(raw.get("dataflow"))
    axes: dict[str, list[str]] = {}
    for _, memory in memories:
        if isinstance(memory.get("name"), str):
            here = [x["axis"] for _, x in _objects(memory.get("fanout")) if isinstance(x.get("axis"), str)]
            axes[memory["name"]] = axes.get(memory["name"], []) + here
    for key in ("axes", "orders"):
        for name in _table(flow.get(key)):
            if name not in axes:
                yield _unknown_memory(join(f"dataflow.{key}", name), name, axes)
    for name, table in _table(flow.get("axes")).items():
        known = axes.get(name, [])
        for axis, dims in _table(table).items():
            path = join("dataflow.axes", name, axis)
            if name in axes and axis not in known:
                hint = nearest(axis, known) if known else "; it has none"
                yield Fault(path, f"no such axis below memory {name!r}{hint}")
            if not dims and isinstance(dims, list | tuple):
                yield Fault(path, "must name at least one dimension; leave the axis out to allow all")
            yield from _dims_once(dims, path)
    for name, orders in _table(flow.get("orders")).items():
        if isinstance(orders, list | tuple):
            for i, order in enumerate(orders):
                yield from _dims_once(order, join("dataflow.orders", name, i))


def _unknown_memory(path: str, name: str, known: dict[str, Any]) -> Fault:
    return Fault(path, f"no memory is called {name!r}{nearest(name, known)}")


def _dims_once(dims: Any, path: str) -> Iterator[Fault]:
    for d in _repeated([d for d in _texts(dims) if d in DIMENSIONS]):
        yield Fault(path, f"must name each dimension once, but has {d} twice")


def _network(raw: dict[str, Any], memories: list[tuple[int, dict[str, Any]]]) -> Iterator[Fault]:
    """Residency needs a place: the first memory below the outermost one that holds the tensor."""
    network = _table(raw.get("network"))
    inner = [(m, _texts(x.get("holds"))) for m, x in memories if m > 0]
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
    search = _table(raw.get("search"))
    known = {x["name"]: x for _, x in memories if isinstance(x.get("name"), str)}
    for key in ("buffers", "bandwidths"):
        for name, span in _table(search.get(key)).items():
            path = join(f"search.{key}", name)
            if name not in known:
                yield _unknown_memory(path, name, known)
            elif key == "buffers" and known[name].get("size_bytes") is None:
                yield Fault(path, f"memory {name!r} has no size to vary")
            yield from _span(_table(span), path, "min", "max")
    for key in ("precision", "layer_precision"):
        widths = [x for _, x in _objects(search.get(key))]
        for i, one in enumerate(widths):
            if one in widths[:i]:
                yield Fault(f"search.{key}[{i}]", f"is there already, as search.{key}[{widths.index(one)}]")
    array = _table(search.get("array"))
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
