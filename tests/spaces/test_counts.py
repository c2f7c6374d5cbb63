"""MACs and parameters equal what others counted."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from accelsim.workloads.spaces import load, load_space

from .facts import MACRO, PUBLISHED

SUBSET = Path(__file__).parents[1] / "accuracy" / "data" / "dynas_subset.csv"

README_SLIP = "ofa-note10-08"
"""The README says 79 M; its own net.config has 75.8 M. The parameters agree."""

RESNET50_D = "r224-d2.1.2.2.1-w100.100.100.100.100.100-e25.25.25_25.25.25.25_25.25.25.25.25.25_25.25.25"


@pytest.mark.parametrize(("name", "subnet", "macs", "params", "top1"), PUBLISHED)
def test_published_nets(name: str, subnet: str, macs: float, params: float, top1: float) -> None:
    """The README rounds MACs to a million, now and then upwards, and parameters to a hundred thousand."""
    network = load(*subnet.split(":"))
    if name == README_SLIP:
        assert network.macs / 1e6 == pytest.approx(75.8, abs=0.05)
    else:
        assert abs(network.macs / 1e6 - macs) < 1.0
    assert abs(network.params / 1e6 - params) <= 0.05 + 1e-9


def test_measured_subset() -> None:
    """300 subnets whose exact MACs and parameters DyNAS-T states."""
    space = load_space("ofa_mbv3")
    rows = list(csv.DictReader(SUBSET.read_text().splitlines()))
    genomes = [space.encode(space.parse(row["encoding"])) for row in rows]
    assert len(rows) == 300
    assert space.macs(genomes).tolist() == [int(row["macs"]) for row in rows]
    assert space.params(genomes).tolist() == [int(row["params"]) for row in rows]


def test_all_measured(shared_dir: Path) -> None:
    path = shared_dir / "data" / "ofa_mbv3_w1.0_imagenet_measured.csv"
    space = load_space("ofa_mbv3")
    genomes, macs, params = [], [], []
    for row in csv.DictReader(path.read_text().splitlines()):
        ks, e, d = ([int(float(x)) for x in row[c].split("-")] for c in ("ks", "e", "d"))
        genomes.append(space.encode(space.from_ofa(ks, e, d, int(row["r"]))))
        macs.append(int(row["macs"]))
        params.append(int(row["params"]))
    assert len(np.unique(genomes, axis=0)) == 2162
    assert (space.macs(genomes) == macs).all()
    assert (space.params(genomes) == params).all()


@pytest.mark.parametrize(("code", "params", "macs"), MACRO)
def test_macro_rows(code: str, params: int, macs: int) -> None:
    network = load("nasbench_macro", code)
    assert (network.params, network.macs) == (params, macs)


def test_all_macro(shared_dir: Path) -> None:
    text = (shared_dir / "data" / "nasbench_macro_cifar10.csv").read_text()
    rows = list(csv.DictReader(text.splitlines()))
    space = load_space("nasbench_macro")
    genomes = [[0, *map(int, row["arch"])] for row in rows]
    assert len(rows) == 6561
    assert (space.macs(genomes) == [int(row["flops"]) for row in rows]).all()
    assert (space.params(genomes) == [int(row["params"]) for row in rows]).all()


def test_resnet50_d() -> None:
    """ResNet50-D is one of the subnets: 25.58 M parameters (timm's resnet50d) and 4.33 GMACs at 224."""
    network = load("ofa_resnet50", RESNET50_D)
    assert network.params == 25_576_264
    assert network.macs == 4_328_824_832


def test_resnet50_extremes() -> None:
    """The range that OFA's README spans with its networks lies inside: 0.32 G at 128 to 7.49 G at 224."""
    space = load_space("ofa_resnet50", (128, 224))
    assert space.macs(space.smallest())[0] / 1e9 == pytest.approx(0.32, abs=0.005)
    assert space.macs(space.largest())[0] / 1e9 == pytest.approx(7.49, abs=0.005)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        # (9^2 + 9^3 + 9^4)^5 per resolution (OFA section 4.1), 25 resolutions
        ("ofa_mbv3", 25 * 7371**5),
        ("ofa_mbv3_w1.2", 25 * 7371**5),
        ("ofa_proxyless", 25 * 9 * 7371**5),
        # stem 2 x 2 x 3, widths 3^4, expansions of 2 to 4 blocks in three stages and of 4 to 6 in one
        ("ofa_resnet50", 9 * 12 * 3**4 * (3**2 + 3**3 + 3**4) ** 3 * (3**4 + 3**5 + 3**6)),
        # per stage: 3 for the first slot, then 0 to n-1 operators in a row
        ("nasbench_macro", 3 * 3 * (3 * 7) ** 2),
    ],
)
def test_size(name: str, size: int) -> None:
    assert load_space(name).size == size


def test_resnet50_stem_width_merges() -> None:
    """OFA's code tells 0.65 and 0.80 apart in the inner stem, though both give it 24 channels."""
    a, b = (RESNET50_D.replace("w100.100", f"w{w}.100") for w in (65, 80))
    space = load_space("ofa_resnet50")
    assert (space.encode(space.parse(a)) == space.encode(space.parse(b))).all()
    assert load("ofa_resnet50", a).macs < load("ofa_resnet50", RESNET50_D).macs


def test_mcunet_is_108_spaces_of_the_released_class() -> None:
    """9 widths and 12 resolutions; depths 2 to 4 of 9 choices in five stages, one block of 9 choices last."""
    space = load_space("mcunet")
    assert space.size == 108 * (9**2 + 9**3 + 9**4) ** 5 * 9
    wide = space.to_network(space.largest())
    assert (wide.input_shape, wide.layers[0].K) == ((3, 224, 224), 32)
    narrow = space.to_network(space.smallest())
    assert (narrow.input_shape, narrow.layers[0].K) == ((3, 48, 48), 8)
