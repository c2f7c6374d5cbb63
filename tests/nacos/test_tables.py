"""Trust: shipped tables are what cost model and exact mapper say today; foreign ones are refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import accelsim
from accelsim.errors import AccelsimError
from accelsim.files import Lock
from accelsim.nacos import create
from accelsim.nacos.build import build
from accelsim.nacos.chips import adds_up, bases, draws
from accelsim.nacos.manifest import MANIFEST, TABLES
from accelsim.nacos.nets import Nets
from accelsim.nacos.pair import tabulate
from accelsim.nacos.tables import PERCENTS, Tables
from accelsim.nacos.verify import _reprove, verify
from tests.nacos.small import small

SHIPPED = Path(accelsim.__file__).parent / "nacos" / "data" / "macro"


def test_rows_and_proofs_are_what_they_were(bench) -> None:
    """If this fails the contract has changed: raise CONTRACT and make the tables anew."""
    found = verify(bench, rows=400, pairs=4, seed=1)
    assert (found.rows, found.pairs, found.faults) == (400, 4, [])


def test_a_changed_row_is_found(bench) -> None:
    tables = bench.tables
    energy = np.nextafter(tables.template.energy, np.inf)
    broken = _broken(bench, template=tables.template._replace(energy=energy))
    found = verify(broken, rows=200, pairs=0)
    assert 0 < len(found.faults) < 100
    assert all(fault.startswith("template row") for fault in found.faults)


def _broken(bench, **parts):
    return accelsim.nacos.Bench(bench.manifest, Tables(**{**bench.tables.__dict__, **parts}))


def test_a_front_with_a_point_too_few_is_found(bench) -> None:
    tables = bench.tables
    pair = int(np.argmax(np.diff(tables.start) > 1))
    keep = np.arange(len(tables.front.latency)) != tables.start[pair]
    start = tables.start - (np.arange(len(tables.start)) > pair)
    broken = _broken(bench, front=tables.front.take(keep), start=start)
    assert _reprove(bench, pair) == ""
    assert _reprove(broken, pair) == "proved again, it has another front"


def _other_axis(rows):
    """As many cycles and as much energy by another mapping."""
    tile = rows.batch.tile.copy()
    tile[:, 0, 0] += 1
    return rows._replace(batch=rows.batch._replace(tile=tile))


@pytest.mark.parametrize(
    ("part", "change", "words"),
    [
        ("front", _other_axis, "proved again, it has another front"),
        ("template", lambda r: r._replace(latency=r.latency + 1), "the template gives another mapping"),
        ("template", _other_axis, "the template gives another mapping"),
        ("drawn", lambda r: r._replace(latency=r.latency + 1), "its random mappings are others"),
        ("fits", lambda n: n - 1, "others of its random mappings fit"),
        ("bound", lambda x: x * 0.999, "its bound is another"),
    ],
)  # fmt: skip
def test_whatever_differs_of_a_pair_is_found(bench, part, change, words) -> None:
    pair = bench.chips.index("example") * len(bench.nets.layers)
    broken = _broken(bench, **{part: change(getattr(bench.tables, part))})
    assert words in _reprove(broken, pair)
    assert ";" not in _reprove(broken, pair)


def test_progress_counts_to_the_end(bench) -> None:
    told = []
    verify(bench, rows=3, pairs=1, progress=lambda done, of: told.append((done, of)))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_nothing_random_or_default_beats_the_proof(bench) -> None:
    tables = bench.tables
    for pair in range(tables.pairs):
        front = tables.of(pair)
        rows = slice(pair * len(PERCENTS), (pair + 1) * len(PERCENTS))
        for latency, energy in (
            (tables.template.latency[[pair]], tables.template.energy[[pair]]),
            (tables.drawn.latency[rows], tables.drawn.energy[rows]),
        ):
            # A mapping beats a front if it beats the point that is next below it in latency.
            inside = np.searchsorted(front.latency, latency, "right") - 1
            finite = np.isfinite(latency)
            assert (inside[finite] >= 0).all()
            assert (energy[finite] >= front.energy[inside[finite]]).all()
        assert (front.latency >= tables.bound[pair, 0] * (1 - 1e-12)).all()
        assert (front.energy >= tables.bound[pair, 1] * (1 - 1e-12)).all()
        assert (np.diff(front.latency) > 0).all()
        assert (np.diff(front.energy) < 0).all()


def test_quantiles_rise(bench) -> None:
    tables = bench.tables
    edp = (tables.drawn.latency * tables.drawn.energy).reshape(-1, len(PERCENTS))
    some = edp[tables.fits > 0]
    assert np.isfinite(some).all()
    assert (np.diff(some, axis=1) >= 0).all()
    assert np.isinf(edp[tables.fits == 0]).all()
    assert tables.fits.max() <= bench.manifest.draws


def test_shipped_chips_are_those_that_ship(bench) -> None:
    for name in bench.chips:
        assert adds_up(bench.chip(name))
        assert name.split("-")[0] in bases()
        if "-" not in name:
            assert bench.chip(name).hash == accelsim.load_hardware(name).hash
    drawn = [pair for pair, _ in zip(draws("nvdla_256", bench.manifest.seed), range(6))]
    known = {*bench.chips, *bench.manifest.left_out["nvdla_256"]}
    assert {name for name, _ in drawn} <= known
    for name, chip in drawn:
        assert name not in bench.chips or bench.chip(name).hash == chip.hash
    other = [name for (name, _), _ in zip(draws("nvdla_256", bench.manifest.seed + 1), range(3))]
    assert not set(other[1:]) & known


def test_tables_survive_the_file(bench) -> None:
    again = Tables.from_bytes(bench.tables.to_bytes(), "x", bench.tables.digest())
    for name, array in bench.tables.arrays().items():
        assert np.array_equal(again.arrays()[name], array), name


@pytest.fixture
def copy(tmp_path) -> Path:
    return Path(shutil.copytree(SHIPPED, tmp_path / "copy"))


def _change(folder: Path, **values) -> None:
    path = folder / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"contract": 2}, "version 2 of the cost model's contract"),
        ({"format": 9}, "format must be 1"),
        ({"sha256": {TABLES: "0" * 64}}, "SHA-256 is not the one in the manifest"),
        ({"layers": []}, "its layers are not those"),
        ({"hashes": {}}, "every chip needs a hash"),
        ({"space": "micro"}, "no benchmark 'micro'"),
        ({"percents": [1]}, "percents must be"),
        ({"draws": 1}, "more random mappings fit"),
        ({"chips": 3}, "is no manifest"),
    ],
)
def test_foreign_manifests_are_refused(copy, change, words) -> None:
    create(copy)
    _change(copy, **change)
    with pytest.raises(AccelsimError, match=words):
        create(copy)


def test_another_chip_is_refused(copy) -> None:
    chips = json.loads((copy / MANIFEST).read_text())["chips"]
    name = next(iter(chips))
    chips[name]["clock_mhz"] = 1.0
    _change(copy, chips=chips)
    with pytest.raises(AccelsimError, match="its hash differs"):
        create(copy)


@pytest.mark.parametrize("at", [0, 40, 1000, 5000, -60, -1])
def test_a_flipped_byte_is_refused_or_harmless(copy, bench, at) -> None:
    path = copy / TABLES
    data = bytearray(path.read_bytes())
    data[at] ^= 0xFF
    path.write_bytes(data)
    try:
        found = create(copy).tables.digest()
    except AccelsimError as fault:
        found = str(fault)
    assert "damaged" in found or found == bench.tables.digest()  # a byte of the container that nobody reads


def test_cut_and_missing_tables_are_refused(copy) -> None:
    path = copy / TABLES
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(AccelsimError, match="damaged"):
        create(copy)
    path.unlink()
    with pytest.raises(AccelsimError, match="cannot be read"):
        create(copy)
    with pytest.raises(AccelsimError, match="no folder of tables"):
        create(copy / "nowhere")


def test_an_interrupted_build_goes_on_and_gives_the_same(tmp_path, monkeypatch) -> None:
    """Small: of each layer only what takes few nodes is asked for."""
    monkeypatch.setattr("accelsim.nacos.build.bases", lambda: ("nvdla_64",))
    few = {"chips": 2, "draws": 4, "max_nodes": 100_000, "seed": 5}
    monkeypatch.setattr("accelsim.nacos.build.SHIPPED", 1)
    nets = SimpleNamespace(name="macro", layers=Nets("macro").layers[:5])
    monkeypatch.setattr("accelsim.nacos.build.Nets", lambda _: nets)
    asked = []
    from accelsim.nacos import build as module

    def quick(chip, layer, **options):
        asked.append(layer)
        return tabulate(chip, small(layer), **options)

    monkeypatch.setattr(module, "tabulate", quick)
    whole = build(tmp_path / "a", **few)
    calls = len(asked)
    assert build(tmp_path / "b", **few, cancel=lambda: len(asked) > calls + 7) is None
    assert (tmp_path / "b.part").is_dir()
    assert not (tmp_path / "b").exists()
    with pytest.raises(AccelsimError, match="parts of other tables"):
        build(tmp_path / "b", **few | {"seed": 6})
    asked.clear()
    again = build(tmp_path / "b", **few, workers=2)
    assert len(asked) < calls
    assert again.manifest.tables == whole.manifest.tables
    assert not (tmp_path / "b.part").exists()
    other = build(tmp_path / "c", **few | {"seed": 6})
    assert other.manifest.tables != whole.manifest.tables
    more = build(tmp_path / "d", **few | {"draws": 9})
    assert more.manifest.tables != whole.manifest.tables
    monkeypatch.chdir(tmp_path / "a")
    assert build(".", **few).manifest.tables == whole.manifest.tables
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "c", "d"]


def test_a_damaged_part_of_a_build_is_made_again(tmp_path, monkeypatch) -> None:
    """Also one that is empty, which would stand for a chip that is left out, and that of another chip."""
    nets = SimpleNamespace(name="macro", layers=Nets("macro").layers[:3])
    monkeypatch.setattr("accelsim.nacos.build.bases", lambda: ("nvdla_64",))
    monkeypatch.setattr("accelsim.nacos.build.SHIPPED", 1)
    monkeypatch.setattr("accelsim.nacos.build.Nets", lambda _: nets)
    made = []

    def noted(chip, layer, **options):
        made.append(chip.name)
        return tabulate(chip, small(layer), **options)

    monkeypatch.setattr("accelsim.nacos.build.tabulate", noted)
    few = {"chips": 3, "draws": 4, "max_nodes": 100_000, "seed": 5}
    whole = build(tmp_path / "a", **few)
    calls = len(made)
    assert build(tmp_path / "b", **few, cancel=lambda: len(made) > 2 * calls - 3) is None
    parts = sorted((tmp_path / "b.part").glob("*.chip"))
    sound = [part.read_bytes() for part in parts]
    other, flipped = sound[1 % len(sound)], bytearray(sound[0])
    flipped[len(flipped) // 2] ^= 1
    assert other != sound[0]
    for damaged in (b"", bytes(flipped), sound[0][:-1], sound[0].partition(b"\n")[0] + b"\n", other):
        parts[0].write_bytes(damaged)
        made.clear()
        assert build(tmp_path / "b", **few, cancel=lambda: len(made) >= 3) is None
        assert made
        parts[0].write_bytes(sound[0])
    assert build(tmp_path / "b", **few).manifest.tables == whole.manifest.tables
    assert build(tmp_path / "c", **few, cancel=lambda: True) is None
    lock = Lock(tmp_path / "c.part" / "lock", "a test")
    with pytest.raises(AccelsimError, match="another process is writing to it"):
        build(tmp_path / "c", **few)
    lock.free()
    (tmp_path / "c.part" / "question.json").write_text("{")
    with pytest.raises(AccelsimError, match=r"not JSON.*; delete the folder .*c\.part to start over"):
        build(tmp_path / "c", **few)


def test_chips_with_unproved_fronts_are_left_out(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("accelsim.nacos.build.SHIPPED", 1)
    monkeypatch.setattr("accelsim.nacos.build.bases", lambda: ("nvdla_64",))
    with pytest.raises(AccelsimError, match="only 0 have fronts"):
        build(tmp_path / "a", chips=1, max_nodes=1)
