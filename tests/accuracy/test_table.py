"""Tables of measured subnets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kendalltau

from accelsim.accuracy import AccuracyError, load_source
from accelsim.accuracy.table import TableSource
from accelsim.errors import AccelsimError
from accelsim.workloads.spaces import MacroPlan, MacroSpace, Space, load_space

from .conformance import AccuracySourceContract

DATA = Path(__file__).parent / "data"
SMALL = MacroSpace(MacroPlan(slots=(2, 3)), "small_macro")


class TestMixedContract(AccuracySourceContract):
    @pytest.fixture
    def space(self) -> Space:
        return load_space("ofa_mbv3", (224,))

    @pytest.fixture(params=["both", "fit"])
    def source(self, request, space: Space) -> TableSource:
        return TableSource(DATA / "dynas_subset.csv", space, answer=request.param)

    @pytest.fixture
    def genomes(self, source: TableSource, space: Space) -> np.ndarray:
        return np.vstack([source.genomes(space)[:20], space.sample(np.random.default_rng(0), 20)])


class TestCompleteContract(AccuracySourceContract):
    @pytest.fixture
    def space(self) -> Space:
        return SMALL

    @pytest.fixture(params=["both", "exact", "fit"])
    def source(self, request, space: Space) -> TableSource:
        return TableSource(DATA / "macro_synthetic.csv", space, answer=request.param)


def test_complete_table() -> None:
    """Every network has its row: measured throughout, the mean of three runs, error from their scatter."""
    source = TableSource(DATA / "macro_synthetic.csv", SMALL)
    assert source.complete
    assert source.kinds(SMALL) == ("measured",)
    found = source.predict(SMALL, SMALL.enumerate())
    assert len(found) == 189
    assert set(found.kind.tolist()) == {"measured"}
    first = source.accuracy(SMALL.parse("00010"), SMALL)
    assert first.value == pytest.approx((79.92 + 80.14 + 80.09) / 3)
    assert 0.05 < first.error < 0.3
    fitted = TableSource(DATA / "macro_synthetic.csv", SMALL, answer="fit").predict(SMALL, SMALL.enumerate())
    assert kendalltau(fitted.value, found.value).statistic > 0.95
    assert np.abs(fitted.value - found.value).mean() < 0.3


def test_true_front_can_be_enumerated() -> None:
    """What a search is scored against: the front of MACs and accuracy, by brute force."""
    source = TableSource(DATA / "macro_synthetic.csv", SMALL)
    genomes = SMALL.enumerate()
    macs, top1 = SMALL.macs(genomes), source.predict(SMALL, genomes).value
    front = [i for i in range(len(genomes)) if not ((macs <= macs[i]) & (top1 > top1[i])).any()]
    assert 5 <= len(front) < len(genomes) / 2
    assert macs.argmin() in front
    assert top1.argmax() in front


def test_equal_networks_share_their_runs(tmp_path: Path) -> None:
    """Codes that differ in the place of an idle slot are one network: their trainings are averaged."""
    path = tmp_path / "t.csv"
    path.write_text("arch,top1\n00010,70\n00001,71\n00000,60\n")
    source = TableSource(path, SMALL, answer="exact")
    assert source.accuracy(SMALL.parse("00010"), SMALL).value == 70.5
    assert source.accuracy(SMALL.parse("00001"), SMALL).value == 70.5
    assert len(source.top1) == 2


def test_hits_are_exact_and_misses_say_so() -> None:
    space = load_space("ofa_mbv3", (224,))
    source = TableSource(DATA / "dynas_subset.csv", space)
    hit = source.accuracy(space.parse("r224-d4.4.4.3.2-k7537.3577.5555.557.73-e4464.3364.3343.643.64"))
    assert (hit.value, hit.kind) == (75.634, "measured")
    miss = source.accuracy(space.parse("r224-d4.4.4.4.4-k3333.3333.3333.3333.3333-e3333.3333.3333.3333.3333"))
    assert miss.kind == "surrogate"
    assert abs(miss.value - 74.8) < miss.error + 0.1
    assert "additive fit" in miss.source
    assert "MAE 0.0" in miss.source
    with pytest.raises(AccuracyError, match="measured and surrogate"):
        source.predict(space, space.smallest())
    exact = TableSource(DATA / "dynas_subset.csv", space, answer="exact")
    with pytest.raises(AccuracyError, match="is not in"):
        exact.predict(space, space.smallest())


def test_once_for_all_columns(tmp_path: Path) -> None:
    """`ks`, `e`, `d` as OFA's code lists them, unused slots included; the resolution where it is given."""
    path = tmp_path / "t.csv"
    ks, e = "-".join(["3"] * 20), "-".join(["4"] * 20)
    path.write_text(f"ks,e,d,r,params,top1\n{ks},{e},2-2-2-2-2,160,1,70\n{ks},{e},2-2-2-2-3,,1,75\n")
    space = load_space("ofa_mbv3")
    source = TableSource(path, space, answer="exact")
    assert source.resolutions(space) == (160, 224)
    assert source.accuracy(space.parse("r160-d2.2.2.2.2-k33.33.33.33.33-e44.44.44.44.44")).value == 70
    assert source.accuracy(space.parse("r224-d2.2.2.2.3-k33.33.33.33.333-e44.44.44.44.444")).value == 75


def test_few_rows_cannot_be_fitted(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("encoding,top1\nsmallest,70\n")
    space = load_space("ofa_mbv3", (128,))
    source = TableSource(path, space)
    assert source.accuracy(space.decode(space.smallest())).kind == "measured"
    with pytest.raises(AccuracyError, match="at least 20"):
        source.accuracy(space.decode(space.largest()))


def test_unseen_choices_widen_the_error(tmp_path: Path) -> None:
    rows = [
        r for r in (DATA / "macro_synthetic.csv").read_text().splitlines()[1:] if "2" not in r.split(",")[0]
    ]
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["arch,acc1,acc2,acc3", *rows]) + "\n")
    source = TableSource(path, SMALL)
    seen = source.predict(SMALL, [[0, 1, 1, 1, 1, 1]], mixed=True)
    unseen = source.predict(SMALL, [[0, 2, 1, 1, 1, 1]], mixed=True)
    assert (seen[0].kind, unseen[0].kind) == ("measured", "surrogate")
    assert unseen[0].error > 3.0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "needs a column encoding"),
        ("net,top1\nx,1\n", "needs a column encoding"),
        ("arch,value\n00000,1\n", "needs a column top1"),
        ("arch,top1\n", "at least one measured subnet"),
        ("arch,top1\n00000,70\n00003,70\n", "line 3: .*must be one of 0, 1, 2"),
        ("arch,top1\n0000,70\n", "line 2: .*5 digits"),
        ("arch,top1\n00000,high\n", "line 2: top1 must be a number from 0 to 100, but got 'high'"),
        ("arch,top1\n00000,101\n", "from 0 to 100"),
        ("arch,top1\n00000,nan\n", "from 0 to 100"),
        ("arch,top1\n00000\n", "from 0 to 100"),
    ],
)
def test_bad_tables(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(AccelsimError, match=words):
        load_source(f"table:{path}", SMALL)


def test_bad_once_for_all_rows(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    for row, words in (
        ("3-x,3,2", "whole numbers joined by dashes"),
        ("3,3,2", "line 2: .*needs 20 kernels"),
    ):
        path.write_text(f"ks,e,d,top1\n{row},70\n")
        with pytest.raises(AccelsimError, match=words):
            TableSource(path, load_space("ofa_mbv3"))
    path.write_bytes(b"arch,top1\n\xff\xfe,1\n")
    with pytest.raises(AccelsimError, match="not UTF-8 text"):
        TableSource(path, SMALL)
    with pytest.raises(AccelsimError, match="answer must be one of"):
        TableSource(path, SMALL, answer="maybe")


@pytest.mark.parametrize("text", ["inf", "-inf", "nan", "1e400", "3.7", "", "9" * 5000])
@pytest.mark.parametrize("column", ["ks", "e", "d", "r"])
def test_ofa_columns_hold_whole_numbers(column: str, text: str, tmp_path: Path) -> None:
    if column == "r" and not text:
        pytest.skip("no resolution is 224")
    row = {"ks": "-".join(["3"] * 20), "e": "-".join(["4"] * 20), "d": "2-2-2-2-2", "r": "224"}
    row[column] = "-".join([text, *row[column].split("-")[1:]])
    path = tmp_path / "t.csv"
    path.write_text(f"{','.join(row)},top1\n{','.join(row.values())},70\n")
    with pytest.raises(AccelsimError) as caught:
        TableSource(path, load_space("ofa_mbv3"))
    words = "line 2: ks, e, d and r must be whole numbers joined by dashes"
    assert str(caught.value) == f"{path}: {words}"


def test_whole_numbers_written_as_floats(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    ks, e = "-".join(["3.0"] * 20), "-".join(["4.0"] * 20)
    path.write_text(f"ks,e,d,r,top1\n{ks},{e},2.0-2-2-2-2,160.0,70\n")
    space = load_space("ofa_mbv3")
    source = TableSource(path, space, answer="exact")
    assert source.accuracy(space.parse("r160-d2.2.2.2.2-k33.33.33.33.33-e44.44.44.44.44")).value == 70


def test_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"\xef\xbb\xbfarch,top1\n00000,60\n")
    assert TableSource(path, SMALL, answer="exact").top1.tolist() == [60]


def test_wanted_column(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("arch,top1,top5\n00000,60,90\n")
    assert TableSource(path, SMALL, "top5", "exact").top1.tolist() == [90]
    with pytest.raises(AccelsimError, match="needs a column 'top3'"):
        TableSource(path, SMALL, "top3")


def test_nasbench_macro(shared_dir: Path) -> None:
    """The whole benchmark: 6561 trained codes are 3969 networks, best 93.13 %; half predicts the other."""
    space = load_space("nasbench_macro")
    source = load_source(f"table:{shared_dir / 'data' / 'nasbench_macro_cifar10.csv'}", space)
    assert isinstance(source, TableSource)
    assert source.complete
    found = source.predict(space, space.enumerate())
    assert found.value.max() == pytest.approx(93.13, abs=0.005)
    assert source.accuracy(space.parse("00000000")).value == pytest.approx((45.32 + 45.33 + 45.44) / 3)
    assert 0.1 < np.median(found.error) < 0.3
