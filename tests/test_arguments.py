"""Whatever a caller hands over from Python: it works, or one message says what the argument must be."""

from __future__ import annotations

import inspect
from contextlib import suppress
from typing import Any

import pytest

import accelsim
from accelsim.errors import AccelsimError


class Stranger:
    """Of no kind that anything asks for."""


CALLS: dict[str, dict[str, Any]] = {
    "evaluate": {"hardware": "example", "workload": accelsim.Layer(K=4, C=4), "mapper": "template"},
    "map_layer": {"hardware": "example", "layer": accelsim.Layer(K=4, C=4), "mapper": "template"},
    "map_network": {"hardware": "example", "network": "lenet5", "mapper": "template"},
    "sweep": {
        "hardware": "example", "networks": "lenet5", "vary": "memories.1.size_bytes=4096",
        "mapper": "template",
    },
    "memory_plan": {"network": "lenet5"},
    "load_network": {"source": "lenet5"},
    "load_hardware": {"source": "example"},
    "load_study": {"study": "none.study"},
    "resume": {"study": "none.study"},
}  # fmt: skip

JUNK = (
    Stranger(),
    Stranger,
    3.5,
    float("nan"),
    -1,
    2**70,
    True,
    b"x",
    "nothing like it",
    [],
    {},
    [None],
    (1, 2),
)

ARGUMENTS = [
    (call, name)
    for call in CALLS
    for name in inspect.signature(getattr(accelsim, call)).parameters
    if name not in ("cancel", "progress", "watch", "out")
]


@pytest.mark.parametrize(("call", "name"), ARGUMENTS)
def test_a_wrong_argument_ends_in_one_message(call: str, name: str) -> None:
    for value in JUNK:
        with suppress(AccelsimError):
            getattr(accelsim, call)(**{**CALLS[call], name: value})


@pytest.mark.parametrize("value", [3.5, [], b"x", Stranger()])
def test_what_is_written_needs_a_path(value: Any) -> None:
    with pytest.raises(AccelsimError, match=r"^out: must be a path, but got"):
        accelsim.sweep(**CALLS["sweep"], out=value)


def test_the_message_names_argument_rule_and_value() -> None:
    with pytest.raises(AccelsimError, match=r"^layer: must be a Layer, but got 'K=4'"):
        accelsim.map_layer("example", "K=4")  # type: ignore[arg-type]
    with pytest.raises(AccelsimError, match=r"^networks: must be a network or several, but got None"):
        accelsim.sweep("example", None, ["memories.1.size_bytes=4096"])  # type: ignore[arg-type]
