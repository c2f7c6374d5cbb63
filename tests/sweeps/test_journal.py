"""The journal of a sweep: what is damaged is priced again or refused, never believed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import accelsim

SIZES = ["memories.GLB.size_bytes=16KiB:128KiB:x2"]


def begun(path: Path, points: int = 2) -> Path:
    """The journal of a sweep that was stopped."""

    def stop(done: int, _total: int) -> None:
        if done == points:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        accelsim.sweep("eyeriss", "lenet5", SIZES, mapper="template", workers=1, out=path, progress=stop)
    return path.with_name(path.name + ".part")


def priced(path: Path) -> list[int]:
    """Points that are left to price, counted while the sweep is finished."""
    seen: list[int] = []
    accelsim.sweep(
        "eyeriss",
        "lenet5",
        SIZES,
        mapper="template",
        workers=1,
        out=path,
        progress=lambda done, _: seen.append(done),
    )
    return seen


def test_damaged_journals_never_give_another_table(tmp_path) -> None:
    whole = tmp_path / "whole.csv"
    accelsim.sweep("eyeriss", "lenet5", SIZES, mapper="template", workers=1, out=whole)
    path = tmp_path / "a.csv"
    part = begun(path)
    content = part.read_bytes()
    assert priced(path) == [3, 4]
    messages: list[str] = []
    rng = np.random.default_rng(0)
    for at in rng.integers(0, len(content), 40).tolist():
        bit = 1 << int(rng.integers(8))
        for damaged in (
            content[:at] + bytes([content[at] ^ bit]) + content[at + 1 :],
            content[:at],
            content[:at] + content[at + 1 :],
        ):
            part.write_bytes(damaged)
            path.unlink(missing_ok=True)
            try:
                priced(path)
            except accelsim.AccelsimError as fault:
                messages.append(str(fault))
            else:
                assert path.read_bytes() == whole.read_bytes()
            finally:
                part.unlink(missing_ok=True)
    assert 0 < len(messages) < 90
    assert all("--fresh" in message for message in messages)
    assert sorted(p.name for p in tmp_path.iterdir()) in (["a.csv", "whole.csv"], ["whole.csv"])


def test_a_journal_of_the_first_format_still_counts(tmp_path) -> None:
    old = (Path(__file__).parent / "fixtures" / "format1.csv.part").read_text()
    path = tmp_path / "a.csv"
    part = begun(path)
    lines = [json.loads(line) for line in part.read_text().splitlines()]
    known = {line["key"]: line["value"] for line in lines[1:]}
    points = [json.loads(line) for line in old.splitlines()]
    question = lines[0]["question"]
    for later in ("model", "fuse"):  # there was but one of each
        assert later not in points[0]
        del question[later]
    form = [question, *({"key": k, "value": v} for k, v in known.items())]
    assert [set(line) for line in form] == [set(line) for line in points]
    part.write_text("".join(json.dumps(line) + "\n" for line in form))
    assert priced(path) == [3, 4]


def test_two_sweeps_on_one_output(tmp_path) -> None:
    path = tmp_path / "a.csv"
    faults = []

    def other(_done: int, _total: int) -> None:
        with pytest.raises(accelsim.AccelsimError, match="another process is writing") as fault:
            priced(path)
        faults.append(fault)

    accelsim.sweep("eyeriss", "lenet5", SIZES, mapper="template", workers=1, out=path, progress=other)
    assert len(faults) == 4
    assert [p.name for p in tmp_path.iterdir()] == ["a.csv"]


def test_a_journal_of_absurd_size_is_not_read(tmp_path) -> None:
    part = begun(tmp_path / "a.csv")
    with part.open("r+b") as file:
        file.truncate(2**31)  # sparse: takes no space
    with pytest.raises(accelsim.AccelsimError, match="at most 1 GiB"):
        priced(tmp_path / "a.csv")
    assert part.stat().st_size == 2**31, "left as it is"
