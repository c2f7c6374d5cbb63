"""Faults travel: workers of `processes` and `dask` send them back by pickle."""

from __future__ import annotations

import importlib
import pickle
import pkgutil

import pytest

import accelsim
from accelsim.errors import AccelsimError, nearest
from accelsim.hardware.faults import Fault, HardwareError


def all_of(kind: type[BaseException]) -> list[type[BaseException]]:
    return [kind, *(x for child in kind.__subclasses__() for x in all_of(child))]


def test_every_fault_survives_a_pickle() -> None:
    for module in pkgutil.walk_packages(accelsim.__path__, "accelsim."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    kinds = [x for x in all_of(AccelsimError) if x.__module__.startswith("accelsim.")]
    assert {"AccelsimError", "HardwareError", "MappingError", "StackError"} <= {x.__name__ for x in kinds}
    for kind in kinds:
        fault = kind("file", [Fault("a", "b")]) if kind is HardwareError else kind("what \x1b is wrong")
        for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
            again = pickle.loads(pickle.dumps(fault, protocol))
            assert type(again) is kind
            assert (str(again), again.args, vars(again)) == (str(fault), fault.args, vars(fault))


def test_the_faults_of_a_machine_come_with_it() -> None:
    with pytest.raises(HardwareError) as caught:
        accelsim.load_hardware({"name": 3})
    again = pickle.loads(pickle.dumps(caught.value))
    assert again.faults == caught.value.faults
    assert len(again.faults) > 1


def test_the_nearest_is_close_or_begins_so() -> None:
    known = ("size_bytes", "holds", "holds_choice", "kind")
    assert nearest("size", known) == "; did you mean 'size_bytes'?"
    assert nearest("knid", known) == "; did you mean 'kind'?"
    assert nearest("bandwidth", known) == "; known: holds, holds_choice, kind, size_bytes"


def test_what_is_missing_is_explained() -> None:
    data = accelsim.load_hardware("example").to_dict()
    del data["source"]
    with pytest.raises(
        AccelsimError, match=r"source: is missing \(What the description as a whole is based on"
    ):
        accelsim.load_hardware(data)
