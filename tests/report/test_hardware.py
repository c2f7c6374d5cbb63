"""`accelsim new` and `accelsim check`."""

from __future__ import annotations

import json

import pytest

import accelsim
from accelsim.hardware.resize import resized
from accelsim.report.hardware import largest_tile, remarks
from accelsim.report.roofline import roof
from tests.command import run
from tests.mapping.invented import OPEN


@pytest.mark.parametrize("like", accelsim.hardware_names())
def test_new_file_is_the_machine_it_is_like(capsys, tmp_path, monkeypatch, like) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, _ = run(capsys, "new", "my_chip", "--like", like)
    assert code == 0
    assert "accelsim check my_chip.json" in out
    data = json.loads((tmp_path / "my_chip.json").read_text())
    assert data["name"] == "my_chip"
    assert all("notes" in memory for memory in data["memories"])
    assert max(map(len, (tmp_path / "my_chip.json").read_text().splitlines())) < 2200
    assert accelsim.load_hardware("my_chip.json").hash == accelsim.load_hardware(like).hash
    code, out, _ = run(capsys, "check", "my_chip.json")
    assert code == 0
    for word in ("peak", "ridge", "Capacity of one instance", "Template mapping", "Worth a second look"):
        assert word in out


def test_new_writes_over_nothing(capsys, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.json").write_text("{}")
    for words, message in (
        (("new", "mine"), "mine.json: is there already"),
        (("new", "x", "--like", "eyeris"), "did you mean 'eyeriss'"),
        (("new", "x", "-o", "no/x.json"), "no/x.json: there is no folder no"),
    ):
        code, out, err = run(capsys, *words)
        assert (code, out) == (2, "")
        assert message in err
    assert (tmp_path / "mine.json").read_text() == "{}"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.json"]


def test_check_says_what_may_pass_by(capsys, tmp_path) -> None:
    file, figure = tmp_path / "open.json", tmp_path / "open.svg"
    file.write_text(json.dumps(OPEN))
    code, out, _ = run(capsys, "check", str(file), "--plot", str(figure))
    assert code == 0
    assert "L2 [W I O; W I may pass by]" in out
    assert "L2 [W I O]" in run(capsys, "check", str(_closed(file)))[1]
    drawn = figure.read_text()
    run(capsys, "check", str(file), "--plot", str(figure))
    assert drawn != figure.read_text()


def _closed(file):
    data = json.loads(file.read_text())
    for memory in data["memories"]:
        memory.pop("holds_choice", None)
    file.write_text(json.dumps(data))
    return file


def test_check_lists_faults_and_draws(capsys, tmp_path) -> None:
    file = tmp_path / "bad.json"
    data = accelsim.load_hardware("example").to_dict()
    data["memories"][1]["bandwith"] = 3
    data["clock_mhz"] = "fast"
    file.write_text(json.dumps(data))
    code, out, err = run(capsys, "check", str(file))
    assert (code, out) == (2, "")
    assert "2 faults" in err
    assert "did you mean 'bandwidth'" in err
    assert run(capsys, "check", "eyeriss", "--plot", str(tmp_path / "x.svg"))[0] == 0
    assert "12 x 14" not in (tmp_path / "x.svg").read_text()
    assert "rows x12: multicast, reduction" in (tmp_path / "x.svg").read_text()
    assert run(capsys, "check", "eyeriss", "--plot", str(tmp_path / "x.bmp"))[0] == 2


@pytest.mark.parametrize("name", accelsim.hardware_names())
def test_largest_tile_is_the_largest_that_prices(name) -> None:
    """A layer as large as the tile fits whole into the memory, one size up does not."""
    hw = accelsim.load_hardware(name)
    bits = hw.precision_bits
    for m, memory in enumerate(hw.memories):
        n = largest_tile(hw, m)
        if n is None:
            assert memory.size_bytes is None
            continue
        for size, fits in ((n, True), (n + 1, False)):
            if size == 0:
                continue
            words = {"W": size**2 * 9, "I": size * (size + 2) ** 2, "O": size**3}
            used = {t: words[t] * bits.of(t) * (1 + memory.double_buffered) for t in memory.holds}
            parts = memory.parts()
            if "all" in parts:
                assert (sum(used.values()) <= 8 * parts["all"]) is fits
            else:
                assert all(used[t] <= 8 * parts[t] for t in used) is fits


def test_ridge_and_remarks() -> None:
    over = roof(accelsim.load_hardware("eyeriss"))
    assert (over.peak, over.bandwidth, over.ridge) == (168, 2.4, pytest.approx(70))
    assert roof(accelsim.load_hardware("eyeriss"), "GLB").bandwidth == 10  # read I 2, read O 8
    data = accelsim.load_hardware("example").to_dict()
    data["memories"][1]["fanout"][1] = {"axis": "cols", "size": 1}
    del data["dataflow"]["axes"]["buffer"]["cols"]
    del data["memories"][1]["bandwidth"], data["memories"][1]["sources"]
    data["search"] = {"max_pes": 8}
    said = "\n".join(remarks(accelsim.load_hardware(data)))
    for text in (
        "buffer has none for this, taken as read 8, write 8 B/cycle",
        "dataflow.axes.buffer.cols: not given",
        "cols has a single lane",
        "max_pes: 8 is below the machine's own 16",
        "numbers name none: memories[1].size_bytes",
        "come from the technology fit",
    ):
        assert text in said
    wide = resized("example", {"memories.buffer.fanout.cols.multicast": False})
    assert any("neither shares reads" in x for x in remarks(wide))


def test_an_idle_array_is_remarked_on(capsys, tmp_path) -> None:
    data = accelsim.load_hardware("example").to_dict()
    data["memories"][0]["bandwidth"] = {"read_write": 0.01}
    (tmp_path / "slow.json").write_text(json.dumps(data))
    assert "of the MACs busy on 3x3" in run(capsys, "check", str(tmp_path / "slow.json"))[1]
    assert "of the MACs busy" not in run(capsys, "check", "example")[1]
