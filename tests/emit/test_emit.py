"""Emitted programs do what their layers do, in the order that their mappings say."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import accelsim
from accelsim import AccelsimError, Layer
from accelsim.emit import emit, emitter_names
from accelsim.emit.base import functions
from accelsim.emit.nest import REDUCED, blocks
from accelsim.mapping.mapping import Level, Mapping
from tests.command import run
from tests.emit.direct import KINDS, cases, direct, tensors

CC = shutil.which("cc")
SMALL = Layer.conv2d(K=5, C=2, P=3, Q=1, R=2, stride=2, name="block.1/conv")
SPLIT = Mapping(
    (
        Level("DRAM", ("P", "K"), {"K": 4}, {"rows": ("K", 2)}),
        Level("PE", ("C", "R"), {"C": 1, "R": 1, "K": 1, "P": 1}),
    )
)
"""K in tiles of 4 then 2, neither of which divides what it is cut from."""


def test_c_is_this_text() -> None:
    text = emit("c", [(SMALL, SPLIT)], "a test")
    assert text.startswith("/* a test\n")
    assert text[text.index("/* conv") :] == (
        """\
/* conv K5 C2 P3 R2 stride 2x2 (block.1/conv) */
void layer_block_1_conv(const ELEMENT *restrict in, const ELEMENT *restrict weights, ELEMENT *restrict out)
{
    for (long i = 0; i < 15; i++)
        out[i] = 0;
    /* DRAM: K5 C2 P3 R2 */
    for (long k0 = 0; k0 < 5; k0 += 4) {
        const long k0_end = LEAST(k0 + 4, 5);
        for (long k1 = k0; k1 < k0_end; k1 += 2) /* rows, 2 lanes */ {
            const long k1_end = LEAST(k1 + 2, k0_end);
            /* PE: K2 C2 P3 R2 */
            for (long k2 = k1; k2 < k1_end; k2 += 1) {
                for (long p0 = 0; p0 < 3; p0 += 1) {
                    for (long c0 = 0; c0 < 2; c0 += 1) {
                        for (long r0 = 0; r0 < 2; r0 += 1) {
                            out[k2 * 3 + p0] += in[c0 * 6 + p0 * 2 + r0] * weights[(k2 * 2 + c0) * 2 + r0];
                        }
                    }
                }
            }
        }
    }
}
"""
    )


def test_transform_sequence_is_this_text() -> None:
    text = emit("mlir", [(SMALL, SPLIT)])
    sequence = [line.strip().split(" : ")[0] for line in text.splitlines() if "tile_using" in line]
    assert sequence == [
        "%op0_1, %op0_1_loops = transform.structured.tile_using_for %op0 "
        "tile_sizes [0, 0, 4, 0, 0, 0, 0, 0] interchange = [2, 0, 1, 3, 4, 5, 6, 7]",
        "%op0_2, %op0_2_loops = transform.structured.tile_using_forall %op0_1 "
        "tile_sizes [0, 0, 2, 0, 0, 0, 0, 0]",
        "%op0_3, %op0_3_loops:4 = transform.structured.tile_using_for %op0_2 "
        "tile_sizes [0, 0, 1, 1, 1, 0, 1, 0] interchange = [2, 4, 3, 6, 0, 1, 5, 7]",
    ]


LANGUAGES = [
    name for name in emitter_names() if name != "timeloop"
]  # which wants a machine: a file of its own


@pytest.mark.parametrize("language", LANGUAGES)
def test_same_question_same_text(language) -> None:
    assert emit(language, cases(1, 2), "x") == emit(language, cases(1, 2), "x")
    assert emit(language, cases(1, 2)) != emit(language, cases(2, 2))


@pytest.mark.parametrize("language", LANGUAGES)
def test_equal_layers_share_a_function(language) -> None:
    other = SMALL.__class__.from_dict(SMALL.to_dict() | {"name": "block_1 conv"})
    wider = SMALL.__class__.from_dict({**SMALL.to_dict(), "name": "block-1-conv", "stride": [3, 1]})
    pairs = [(SMALL, SPLIT), (other, SPLIT), (wider, SPLIT)]
    assert [item.name for item in functions(pairs)] == ["layer_block_1_conv", "layer_block_1_conv_2"]
    text = emit(language, pairs)
    assert "block.1/conv, block_1 conv" in text
    assert "layer_block_1_conv_2" in text


def test_loops_cover_every_point() -> None:
    """Walked with sets: each point of the nest once, whatever divides."""
    for layer, mapping in cases(3, 3):
        tiles = [{d: (0, n) for d, n in layer.dims.items()}]
        for block in blocks(mapping, layer):
            for loop in block.loops:
                parts = []
                for tile in tiles:
                    low, high = tile[loop.dim]
                    for at in range(low, high, loop.step):
                        parts.append(tile | {loop.dim: (at, min(at + loop.step, high))})
                tiles = parts
        assert all(high - low == 1 for tile in tiles for low, high in tile.values())
        assert len({tuple(tile.values()) for tile in tiles}) == len(tiles) == layer.points


# -- C ---------------------------------------------------------------------------------------------------


def compiled(text: str, folder: Path, *flags: str) -> ctypes.CDLL:
    (folder / "nest.c").write_text(text)
    words = [str(CC), "-std=c99", "-Wall", "-Wextra", "-Werror", *flags, "-shared", "-fPIC"]
    subprocess.run([*words, "-o", str(folder / "nest.so"), str(folder / "nest.c")], check=True)
    return ctypes.CDLL(str(folder / "nest.so"))


@pytest.mark.skipif(CC is None, reason="no C compiler")
@pytest.mark.parametrize(("element", "flags"), [(np.float32, ()), (np.int64, ("-DELEMENT=long long",))])
def test_c_equals_the_definition(element, flags, tmp_path) -> None:
    """Random layers of every kind under random mappings; whole numbers, so that equal means equal."""
    pairs = cases(4, 12)
    library = compiled(emit("c", pairs), tmp_path, *flags)
    rng = np.random.default_rng(0)
    items = functions(pairs)
    assert {item.layer.op for item in items} == {"conv", "gemm", "pool", "eltwise", "broadcast"}
    assert len(items) > 10 * len(KINDS)
    for item in items:
        inputs, weights = tensors(item.layer, rng, element)
        expected = direct(item.layer, inputs, weights)
        out = np.full_like(expected, 77)
        given = (inputs, weights, out) if item.layer.has_weights else (inputs, out)
        getattr(library, item.name)(*(ctypes.c_void_p(x.ctypes.data) for x in given))
        assert np.array_equal(out, expected), str(item.layer)


# -- MLIR and TVM, where they are installed --------------------------------------------------------------


def test_mlir_applies() -> None:
    """The transform makes the mapping's loops, forall where lanes are independent."""
    ir = pytest.importorskip("iree.compiler.ir")
    interpreter = pytest.importorskip("iree.compiler.dialects.transform.interpreter")
    pairs = cases(5, 4)
    with ir.Context(), ir.Location.unknown():
        module = ir.Module.parse(emit("mlir", pairs))
        module.operation.verify()
        (sequence,) = [op for op in module.body.operations if "transform" in op.operation.name]
        interpreter.apply_named_sequence(module, sequence, module)
        module.operation.verify()
        made = {str(op.attributes["sym_name"]).strip('"'): op for op in module.body.operations}
        for item in functions(pairs):
            expected = [
                "scf.forall" if loop.lanes and loop.dim not in REDUCED else "scf.for"
                for block in blocks(item.mapping, item.layer)
                for loop in block.loops
            ]
            assert loops_of(made[item.name].operation) == expected


def loops_of(operation) -> list[str]:
    found = []
    for region in operation.regions:
        for block in region.blocks:
            for op in block.operations:
                if op.operation.name in ("scf.for", "scf.forall"):
                    found.append(op.operation.name)
                found += loops_of(op.operation)
    return found


def test_tvm_equals_the_definition() -> None:
    tvm = pytest.importorskip("tvm")
    names = {"__name__": "emitted"}
    pairs = cases(6, 4)
    exec(compile(emit("tvm", pairs), "emitted.py", "exec"), names)
    rng = np.random.default_rng(0)
    for item in functions(pairs):
        inputs, weights = tensors(item.layer, rng, np.float32)
        expected = direct(item.layer, inputs, weights)
        built = tvm.compile(names["MODULES"][item.name], target="llvm")
        given = [inputs, weights] if item.layer.has_weights else [inputs]
        out = tvm.runtime.tensor(np.full_like(expected, 77))
        built[item.name](*map(tvm.runtime.tensor, given), out)
        assert np.array_equal(out.numpy(), expected), str(item.layer)


# -- the command -----------------------------------------------------------------------------------------


def test_command_prints_the_program(capsys, tmp_path) -> None:
    words = ("map", "example", "lenet5", "--mapper", "template")
    code, out, _ = run(capsys, *words, "--emit", "c")
    assert code == 0
    found = accelsim.map_network("example", "lenet5", "template")
    assert out == emit(
        "c",
        [(r.cost.layer, r.mapping) for r in found.results],
        "accelsim map example lenet5 --mapper template",
    )


def test_unknown_language(capsys) -> None:
    code, _, said = run(capsys, "map", "example", "lenet5", "--emit", "mlri")
    assert code == 2
    assert "mlir" in said
    with pytest.raises(AccelsimError, match="tvm"):
        emit("tvn", [(SMALL, SPLIT)])


def test_fused_stacks_are_not_emitted(capsys) -> None:
    code, _, said = run(capsys, "map", "example", "lenet5", "--emit", "c", "--fuse", "auto")
    assert code == 2
    assert "--fuse none" in said
