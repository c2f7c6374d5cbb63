"""What Tab offers: names of what is shipped, for every word that takes one."""

from __future__ import annotations

import pytest

from accelsim.cli import app


@pytest.fixture
def offered(capsys, monkeypatch):
    """A function: the completions of the last of some words, as Bash asks for them."""

    def ask(words: str) -> set[str]:
        monkeypatch.setenv("_ACCELSIM_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", f"accelsim {words}")
        monkeypatch.setenv("COMP_CWORD", str(len(words.split())))
        with pytest.raises(SystemExit):
            app([], prog_name="accelsim")
        return set(capsys.readouterr().out.split())

    return ask


@pytest.mark.parametrize(
    ("words", "one"),
    [
        ("ev", "evaluate"),
        ("evaluate ey", "eyeriss"),
        ("evaluate mcu_f4", "mcu_f412"),
        ("evaluate eyeriss resnet50_", "resnet50_v1"),
        ("check nvdla_20", "nvdla_2048"),
        ("compare eyeriss lenet", "lenet5"),
        ("compare eyeriss nvdla_20", "nvdla_2048"),
        ("sweep eyeriss lenet", "lenet5"),
        ("network unet", "unet"),
        ("memory vgg16", "vgg16"),
        ("memory lenet5 --hardware mcu_f4", "mcu_f412"),
        ("new mine --like gemm", "gemmini"),
        ("map eyeriss lenet5 --mapper opt", "optimal"),
        ("map eyeriss lenet5 --engine da", "dask"),
        ("space nas", "nasbench_macro"),
        ("lut eyeriss --space ofa_res", "ofa_resnet50"),
        ("search eyeriss --space mcu", "mcunet"),
        ("search eyeriss --network lenet", "lenet5"),
        ("search eyeriss --strategy seq", "sequential"),
        ("search eyeriss --optimiser sms", "sms_emoa"),
        ("search eyeriss --objectives peak", "peak_memory"),
        ("docs peers/t", "peers/timeloop"),
        ("schema mapp", "mapping"),
        ("nacos query 11111111 exa", "example"),
    ],
)
def test_names_are_offered(words, one, offered) -> None:
    assert offered(words) == {one}


def test_nothing_where_no_name_begins_so(offered) -> None:
    """Then the shell offers files."""
    assert offered("evaluate ./") == set()
