"""The mapping JSON of a network as a run of the pricer: mappings of layers, what stays on chip, stacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from accelsim.errors import nearest
from accelsim.fusion import Stack, read_stacks
from accelsim.fusion.price import StackParts
from accelsim.mapping.mapping import Mapping, MappingError, check_keys, check_version
from accelsim.pricing.residency import plan
from accelsim.pricing.run import Run
from accelsim.workloads.network import Network

if TYPE_CHECKING:
    from accelsim.hardware import Accelerator


def given_run(hw: Accelerator, network: Network, mapping: Any) -> Run:
    """A network whose mappings, what stays on chip, and stacks may be given."""
    given = _layer_mappings(network, mapping)
    stacks: tuple[Stack, ...] = ()
    if isinstance(mapping, dict) and "stacks" in mapping:
        every = read_stacks(network, mapping["stacks"])
        stacks = tuple(s for s in every if s.first < s.last)
        for lone in (s for s in every if s.first == s.last):
            given |= _whole(network, lone)
    for i in sorted(i for s in stacks for i in range(s.first, s.last + 1)):
        if network.names[i] in given:
            raise MappingError(
                f"mapping.layers.{network.names[i]}: is in a stack, whose `pieces` give its mappings"
            )
    stay = _resident(network, mapping)
    if stay is None:
        # A given mapping is priced as it is: nothing around its layer may rely on staying on chip.
        residency = plan(hw, network, without=[network.names.index(name) for name in given])
    else:
        residency = plan(hw, network)
        residency.kept &= stay[0]
        residency.weights &= stay[1]
        residency.settle()
    return Run(hw, network, schedule=lambda layer: given.get(layer.name), residency=residency, stacks=stacks)


def maps_all(run: Run) -> bool:
    """Whether a run of `given_run` has mappings of all layers and pieces, so that none is searched.

    Raises StackError where a stack cannot run.
    """
    fused = {i for stack in run.stacks for i in range(stack.first, stack.last + 1)}
    alone = [layer for i, layer in enumerate(run.network.layers) if i not in fused]
    parts = [StackParts.of(run.chip, run.network, stack) for stack in run.stacks]
    return all(run.schedule and run.schedule(layer) for layer in alone) and all(
        (part.at, part.piece.P, part.piece.Q) in one.stack.pieces for one in parts for part in one.all
    )


def _whole(network: Network, stack: Stack) -> dict[str, Mapping]:
    """The mapping that a stack of one layer, which is the layer as ever, gives it. Raises MappingError."""
    layer, name = network.layers[stack.first], network.names[stack.first]
    for _, rows, cols in stack.pieces:
        if (rows, cols) != (layer.P, layer.Q):
            raise MappingError(
                f"mapping.stacks: {name} is a stack by itself, whose only piece is {layer.P}x{layer.Q}, not "
                f"{rows}x{cols}"
            )
    return dict(zip([name], stack.pieces.values()))


def _layer_mappings(network: Network, mapping: Any) -> dict[str, Mapping]:
    if mapping is None:
        return {}
    table = (
        mapping.get("layers", {} if "stacks" in mapping else mapping) if isinstance(mapping, dict) else None
    )
    if not isinstance(table, dict) or "levels" in table:
        raise MappingError(
            f"mapping: of network {network.name}, must be an object from layer name to mapping, "
            'as in {"layers": {"conv1": {"version": 1, "levels": [...]}}}'
        )
    if table is not mapping:
        check_keys(mapping, {"version", "layers", "resident", "stacks", "notes"}, "mapping")
        check_version(mapping, "mapping")
    out = {}
    for name, item in table.items():
        if name not in network.names:
            raise MappingError(
                f"mapping.layers.{name}: {network.name} has no such layer{nearest(name, network.names)}"
            )
        try:
            out[name] = item if isinstance(item, Mapping) else Mapping.from_dict(item)
        except MappingError as fault:
            raise MappingError(f"mapping.layers.{name}: {fault}") from None
    return out


def _resident(network: Network, mapping: Any) -> tuple[set[int], set[int]] | None:
    """Indices of layers whose results, and whose weights, the mapping keeps on chip; None if it is silent."""
    section = (
        mapping.get("resident") if isinstance(mapping, dict) and {"layers", "stacks"} & set(mapping) else None
    )
    if section is None:
        return None
    if not isinstance(section, dict) or not set(section) <= {"kept", "weights"}:
        raise MappingError('mapping.resident: must be an object like {"kept": ["conv1"], "weights": []}')
    out = []
    for part in ("kept", "weights"):
        names = section.get(part, [])
        if not isinstance(names, list):
            raise MappingError(f"mapping.resident.{part}: must be a list of layer names, but got {names!r}")
        for i, name in enumerate(names):
            if name not in network.names:
                raise MappingError(
                    f"mapping.resident.{part}[{i}]: {network.name} has no layer {name!r}"
                    f"{nearest(str(name), network.names)}"
                )
        out.append({network.names.index(name) for name in names})
    return out[0], out[1]
