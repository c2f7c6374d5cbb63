"""A study of somebody else's names code; nothing of it is imported unless that is allowed."""

from __future__ import annotations

import sys

import pytest

from accelsim import AccelsimError, search
from accelsim.accuracy import KNOWN
from accelsim.cosearch.metrics import METRICS
from accelsim.cosearch.optimisers.base import OPTIMISERS
from accelsim.cosearch.run import load_study, resume
from accelsim.cosearch.strategies.base import STRATEGIES
from accelsim.mapping.mapper import MAPPERS
from accelsim.pricing.models import MODELS
from accelsim.workloads.spaces import SPACES
from tests.command import run
from tests.cosearch.small import SUBNETS, TINY

REGISTRIES = (KNOWN, MAPPERS, METRICS, MODELS, OPTIMISERS, SPACES, STRATEGIES)

CODE = """
from pathlib import Path

from accelsim.accuracy.surrogate import SurrogateSource
from accelsim.cosearch.metrics import Latency
from accelsim.cosearch.optimisers.random import RandomSearch
from accelsim.cosearch.strategies.nested import Nested
from accelsim.mapping.mapper import TemplateMapper
from accelsim.pricing.models.loopnest import LoopNest
from accelsim.workloads.spaces import load_space

(Path(__file__).parent / "ran").touch()


class Mine(Latency):
    name = "mine"


class Map(TemplateMapper):
    pass


class Draw(RandomSearch):
    pass


class Nest(Nested):
    pass


class Price(LoopNest):
    pass


class Know(SurrogateSource):
    pass


def space():
    return load_space("nasbench_macro")
"""


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Forget the stranger's module, as another process would not know it."""
    (tmp_path / "strange.py").write_text(CODE)
    monkeypatch.syspath_prepend(str(tmp_path))
    for registry in REGISTRIES:
        monkeypatch.setattr(registry, "_added", {})

    def forget():
        sys.modules.pop("strange", None)
        (tmp_path / "ran").unlink()
        for registry in REGISTRIES:
            registry._added.clear()

    yield forget
    sys.modules.pop("strange", None)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (TINY | {"mapper": "strange:Map"}, "mapper strange:Map"),
        (TINY | {"optimiser": "strange:Draw"}, "optimiser strange:Draw"),
        (TINY | {"strategy": "strange:Nest"}, "strategy strange:Nest"),
        (TINY | {"model": "strange:Price"}, "model strange:Price"),
        (SUBNETS | {"accuracy": "strange:Know"}, "accuracy strange:Know"),
    ],
    ids=["mapper", "optimiser", "strategy", "model", "accuracy"],
)
def test_code_that_a_study_names_is_not_run(options, words, tmp_path, elsewhere, capsys) -> None:
    path, ran = tmp_path / "a.study", tmp_path / "ran"
    search(**options, evaluations=8, study=path)
    elsewhere()
    before = path.read_bytes()
    for command in (["show"], ["resume"], ["export", "--out", str(tmp_path / "out")]):
        code, out, err = run(capsys, "study", command[0], str(path), *command[1:])
        assert (code, out) == (2, "")
        assert words in err
        assert "--trust" in err
    assert run(capsys, "study", "list", str(tmp_path))[0] == 0
    assert not ran.exists()
    assert not (tmp_path / "out").exists()
    assert path.read_bytes() == before
    assert len(load_study(path, trust=True)) == 8
    assert ran.exists()


def test_metrics_are_computed_only_to_go_on(tmp_path, elsewhere, capsys) -> None:
    path, ran = tmp_path / "a.study", tmp_path / "ran"
    search(**TINY, evaluations=8, study=path, objectives="strange:Mine")
    elsewhere()
    assert load_study(path).best.metrics["mine"] == load_study(path).best.metrics["latency"]
    assert run(capsys, "study", "show", str(path))[0] == 0
    with pytest.raises(AccelsimError, match="metric strange:Mine"):
        resume(path, 16, finish=0)
    assert not ran.exists()
    code, out, _ = run(
        capsys, "study", "resume", str(path), "--evaluations", "16", "--finish", "0", "--trust"
    )
    assert code == 0
    assert "16 candidates" in out
    assert ran.exists()


def test_the_command_that_names_it_goes_on(tmp_path, elsewhere) -> None:
    path = tmp_path / "a.study"
    search(**TINY, mapper="strange:Map", evaluations=8, study=path)
    elsewhere()
    assert len(search(**TINY, mapper="strange:Map", evaluations=16, study=path)) == 16
