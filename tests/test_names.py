"""`Registry`: names that are shipped, given here, or imported; and help texts that leave none out."""

from __future__ import annotations

import pickle
from fractions import Fraction

import pytest

from accelsim.accuracy import KNOWN as ACCURACY
from accelsim.cosearch.metrics import METRICS
from accelsim.cosearch.optimisers.base import OPTIMISERS
from accelsim.cosearch.strategies.base import STRATEGIES
from accelsim.emit.base import EMITTERS
from accelsim.engines.base import ENGINES
from accelsim.errors import AccelsimError
from accelsim.mapping.mapper import MAPPERS
from accelsim.names import Registry
from accelsim.pricing.models.base import MODELS
from accelsim.schemas import SCHEMAS
from accelsim.validation import REPORTS
from accelsim.workloads.spaces import SPACES
from tests.command import run

BASE = "fractions:Fraction"


def numbers() -> Registry:
    return Registry(
        "number", {"whole": "fractions:Fraction", "other": "decimal:Decimal"}, "accelsim.number", BASE
    )


def test_a_shipped_name_is_imported_when_asked_for() -> None:
    assert numbers().load("whole") is Fraction
    assert numbers().make("whole") == 0


def test_what_is_not_of_the_kind_is_refused() -> None:
    for wrong in (3.5, "x", None, object, "decimal:Decimal.no", "no.such.module:Thing"):
        with pytest.raises(AccelsimError, match="number: "):
            numbers().load(wrong)


@pytest.mark.parametrize("place", ["os:system", "sys:exit", "os:environ", "builtins:object"])
def test_what_is_somewhere_else_is_called_with_care(place) -> None:
    """Whatever a command line names: one message, which shows nothing of what is there."""
    for registry in (numbers(), MAPPERS, STRATEGIES, OPTIMISERS, METRICS, ENGINES, MODELS, SPACES):
        for read in (registry.load, registry.make):
            with pytest.raises(AccelsimError) as fault:
                read(place)
            assert place in str(fault.value)
            assert "PATH" not in str(fault.value)
    for registry in (EMITTERS, SCHEMAS, REPORTS):
        with pytest.raises(AccelsimError, match=place):
            registry.call(place, str)


def test_a_function_may_make_one() -> None:
    known = numbers()
    known.register("half", half)
    assert known.load("half") is half
    assert known.make("half") == known.make("tests.test_names:half") == 0.5
    with pytest.raises(AccelsimError, match="is a function"):
        known.load("tests.test_names:half")


def half() -> Fraction:
    return Fraction(1, 2)


def test_an_unknown_name_is_told_the_nearest() -> None:
    with pytest.raises(AccelsimError, match="did you mean 'whole'"):
        numbers().check("whol")


def test_an_object_gets_a_name_that_finds_it_again_here_and_says_so_elsewhere() -> None:
    known, half = numbers(), Fraction(1, 2)
    name = known.name_of(half)
    assert known.load(name) is half
    assert name not in known.names(), "names of objects are no names to choose from"
    with pytest.raises(AccelsimError, match="object of another process"):
        numbers().load(name)


def test_a_registered_name_stands_and_is_not_given_twice() -> None:
    known, half = numbers(), Fraction(1, 2)
    known.register("half", half)
    assert known.names() == ("whole", "other", "half")
    assert known.name_of(half) == "half"
    for taken in ("half", "whole"):
        with pytest.raises(AccelsimError, match="already"):
            known.register(taken, half)
    assert numbers().names() == ("whole", "other"), "names of one registry are not another's"


def test_only_what_this_process_would_import_anew_is_foreign() -> None:
    known = numbers()
    assert known.is_foreign("fractions:Fraction")
    known.register("fractions:Fraction", 1)
    assert not known.is_foreign("fractions:Fraction")
    assert not known.is_foreign("whole")


def test_its_faults_survive_pickle() -> None:
    with pytest.raises(AccelsimError) as caught:
        numbers().check("nothing like it")
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@pytest.mark.parametrize(
    "known",
    [ACCURACY, EMITTERS, ENGINES, MAPPERS, METRICS, MODELS, OPTIMISERS, REPORTS, SCHEMAS, SPACES, STRATEGIES],
    ids=lambda x: x.kind,
)
def test_every_shipped_name_leads_to_something(known) -> None:
    for name in known.home:
        assert known.load(name) is not None


@pytest.mark.parametrize("known", [STRATEGIES, OPTIMISERS, ENGINES], ids=lambda x: x.kind)
def test_help_names_all_that_may_be_chosen(known, capsys) -> None:
    words = run(capsys, "search", "--help")[1].replace(",", " ").replace(".", " ").split()
    assert set(known.home) <= set(words)
