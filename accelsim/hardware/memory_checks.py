"""Rules between the fields of the memories of a hardware file, as in `hardware.checks`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from accelsim.errors import nearest
from accelsim.hardware.faults import Fault, but_got, shown
from accelsim.hardware.fields import MAX_WHOLE, RESERVED, TENSORS
from accelsim.hardware.holding import MOST_WAYS, count_ways
from accelsim.hardware.malformed import count_of, objects_of, repeated, table_of, texts_of

_PER_BIT = ("read_pj_per_bit", "write_pj_per_bit")
_PER_WORD = ("read_pj_per_word", "write_pj_per_word")


def memory_faults(
    memories: list[tuple[int, dict[str, Any]]], outermost: int, precision: Any
) -> Iterator[Fault]:
    """Faults of memories one by one, and of all together; `outermost` is the one that holds all tensors."""
    yield from (*_totals(memories), *_ways(memories))
    for m, memory in memories:
        path = f"memories[{m}]"
        yield from (*_tensors(memory, path, m == outermost), *_choice(memory, path, m))
        yield from (*_kind(memory, path, m), *_energy(memory, path))
        yield from _port_users(memory, f"{path}.bandwidth.ports")
        yield from (*_room(memory, path, precision), *_fanout(memory, path))


def _tensors(memory: dict[str, Any], path: str, outermost: bool) -> Iterator[Fault]:
    """What a memory holds, and whether its tables by tensor fit that."""
    holds = texts_of(memory.get("holds"))
    if any(t not in TENSORS for t in holds) or not holds:
        return
    for tensor in repeated(holds):
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
        tables[f"energy.{key}"] = table_of(memory.get("energy")).get(key)
    tables["bandwidth.ports"] = table_of(memory.get("bandwidth")).get("ports")
    for key, table in tables.items():
        for tensor, value in table_of(table).items():
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
    choice: list[str] = [t for t in texts_of(memory.get("holds_choice")) if t in TENSORS]
    holds = texts_of(memory.get("holds"))
    for tensor in repeated(choice):
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
    left = [len(set(texts_of(memory.get("holds_choice"))) & {*TENSORS}) for _, memory in memories]
    if count_ways(left) > MOST_WAYS:
        m = next(m for (m, _), n in reversed(list(zip(memories, left))) if n)
        yield Fault(
            f"memories[{m}].holds_choice",
            f"all choices together must leave at most {MOST_WAYS} ways to hold, one for each set of tensors "
            f"that may pass by, but {sum(left)} tensors leave {count_ways(left)}; name fewer",
        )


def _port_users(memory: dict[str, Any], path: str) -> Iterator[Fault]:
    """Each tensor in each direction uses one port."""
    holds = texts_of(memory.get("holds"))
    seen: dict[str, int] = {}
    for i, port in objects_of(table_of(memory.get("bandwidth")).get("ports")):
        for user in texts_of(port.get("users")):
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
    if folds in TENSORS and (m == 0 or folds not in texts_of(memory.get("holds"))):
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
    energy = table_of(memory.get("energy"))
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
    bits = table_of(precision) | {
        k: v for k, v in table_of(memory.get("precision_bits")).items() if v is not None
    }
    width = {
        "W": count_of(bits.get("weight")),
        "I": count_of(bits.get("input")),
        "O": count_of(bits.get("psum")),
    }
    copies = 2 if memory.get("double_buffered") is True else 1
    size = memory.get("size_bytes")
    holds = [t for t in texts_of(memory.get("holds")) if t in TENSORS]
    parts = {f".{t}": (size.get(t), [t]) for t in holds} if isinstance(size, dict) else {"": (size, holds)}
    for key, (given, tensors) in parts.items():
        widths = [width[t] for t in dict.fromkeys(tensors)]
        have = count_of(given)
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
    axes = objects_of(memory.get("fanout"))
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
    size, room = count_of(dict(axes)[i].get("size")), count_of(others[shares].get("size"))
    if size is not None and room is not None and size > room:
        yield Fault(f"{here}.size", f"must be at most {room}, the size of axis {shares!r}, but got {size}")


def _totals(memories: list[tuple[int, dict[str, Any]]]) -> Iterator[Fault]:
    """Instances and bytes of the whole machine stay countable."""
    instances = 1
    for m, memory in memories:
        size = memory.get("size_bytes")
        sizes = [count_of(v) or 0 for v in size.values()] if isinstance(size, dict) else [count_of(size) or 0]
        if max(sizes, default=0) <= MAX_WHOLE < instances * sum(sizes):
            yield Fault(
                f"memories[{m}].size_bytes",
                f"must be at most {MAX_WHOLE} (2^53 - 1) bytes over all {instances} instances",
            )
        for _, axis in objects_of(memory.get("fanout")):
            if axis.get("shares") is None:
                instances *= count_of(axis.get("size")) or 1
        if instances > MAX_WHOLE:
            yield Fault(
                f"memories[{m}].fanout",
                f"instances down to here must be at most {MAX_WHOLE} (2^53 - 1), but there are {instances}",
            )
            return
