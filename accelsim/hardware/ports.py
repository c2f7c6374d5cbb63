"""Ports of a memory: who uses each, how wide it is, and what a file that gives none is taken to mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from accelsim.hardware.figures import WAYS

if TYPE_CHECKING:
    from accelsim.hardware.accelerator import Accelerator

DRAM_BYTES = 8.0
"""Bytes per cycle of a DRAM whose file does not give any: a 64-bit bus, reads and writes in turn."""

SRAM_WIDTH_BITS = 64
"""Access width of a buffer whose file does not give one."""


class Port(NamedTuple):
    """One port of a memory: users as "read W" take turns on `rate` bytes per cycle and instance."""

    rate: float
    users: tuple[str, ...]
    given: bool


def ports_of(hw: Accelerator, m: int) -> tuple[Port, ...]:
    """All ports of memory `m`; together they serve every held tensor in both directions.

    Those that the file leaves out have defaults: a DRAM one port of `DRAM_BYTES` for all; an SRAM a port of
    its access width in each direction; registers, for each tensor and direction, as many operands as there
    are lanes below, and as many sums again, as sums come and go while the MACs add.
    """
    memory = hw.memories[m]
    known = [Port(rate, users, True) for rate, users in memory.given_ports() if users]
    served = {user for port in known for user in port.users}
    open_ = [u for way in WAYS for t in memory.holds if (u := f"{way} {t}") not in served]
    if not open_:
        return tuple(known)
    if memory.technology == "dram":
        return (*known, Port(DRAM_BYTES, tuple(open_), False))
    if memory.technology == "register":
        bits = hw.kept_bits(m)
        lanes = hw.lanes(m)
        wide = {"W": bits.weight, "I": bits.input, "O": 2 * bits.psum}
        return (*known, *(Port(lanes * wide[u[-1]] / 8, (u,), False) for u in open_))
    width = (memory.width_bits or SRAM_WIDTH_BITS) / 8
    ways = [tuple(u for u in open_ if u.startswith(way)) for way in WAYS]
    return (*known, *(Port(width, users, False) for users in ways if users))


def ports_text(hw: Accelerator, m: int) -> str:
    """All ports in a few words: `read+write 8`, `read I 2, read O 8`, like ones as `write W/I 4 each`."""
    held = hw.memories[m].holds
    like: dict[tuple[str, float], list[str]] = {}
    for port in hw.ports(m):
        way, _, what = short(port, held).partition(" ")
        like.setdefault((way, port.rate), []).append(what)
    words = {
        key: f"{key[0]} {'/'.join(whats)}".rstrip() + f" {key[1]:g}" + (" each" if len(whats) > 1 else "")
        for key, whats in like.items()
    }
    return ", ".join(words.values())


def short(port: Port, held: tuple[str, ...]) -> str:
    """The port's users, whole directions in one word."""
    whole = [way for way in WAYS if all(f"{way} {t}" in port.users for t in held)]
    rest = [user for user in port.users if user.split()[0] not in whole]
    return "+".join([*whole, *rest])


def assumed(hw: Accelerator) -> tuple[str, ...]:
    """A sentence for each memory with ports that its file does not give."""
    out = []
    for m, memory in enumerate(hw.memories):
        guessed = [port for port in hw.ports(m) if not port.given]
        if guessed:
            taken = ", ".join(f"{short(port, memory.holds)} {port.rate:g}" for port in guessed)
            out.append(f"memories[{m}].bandwidth: {memory.name} has none for this, taken as {taken} B/cycle")
    return tuple(out)


def feeds(hw: Accelerator, m: int) -> float:
    """Largest share of the MACs below an instance of memory `m` that its ports can keep busy, at most 1.

    Every multiply-accumulate reads each operand and writes each sum at the memory that holds it last, once
    for all that axes with multicast (or reduction) share it with; less than that no mapping asks for.
    """
    memory = hw.memories[m]
    bits = hw.kept_bits(m)
    last = [t for t in memory.holds if all(t not in inner.holds for inner in hw.memories[m + 1 :])]
    below = hw.instances(len(hw.memories)) / hw.instances(m)
    slowest = 0.0
    for port in hw.ports(m):
        wanted = 0.0
        for user in port.users:
            way, t = user.split()
            if t in last and way == ("write" if t == "O" else "read"):
                wanted += below / _shared(hw, m, t) * bits.of(t) / 8  # type: ignore[arg-type]
        slowest = max(slowest, wanted / port.rate / hw.cycles_per_mac)
    return 1.0 / max(1.0, slowest)


def _shared(hw: Accelerator, m: int, tensor: str) -> float:
    """MACs below an instance of memory `m` that one word can serve, or gather from, at most."""
    total = 1.0
    for memory in hw.memories[m:]:
        able = {a.axis: a.reduction if tensor == "O" else a.multicast for a in memory.fanout}
        for axis in memory.fanout:
            lies_here = [a.axis for a in memory.fanout if axis.axis in (a.axis, a.shares)]
            if axis.shares is None and any(able[name] for name in lies_here):
                total *= axis.size
    return total
