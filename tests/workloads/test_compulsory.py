"""What layers and networks must read, by ONNX's reference evaluator run on elements' numbers."""

import numpy as np
import pytest

pytest.importorskip("onnx")

import onnx
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx.reference import ReferenceEvaluator

from accelsim import evaluate, load_network
from tests.workloads.test_onnx_ops import INT, Model


def grown(draw, m, name, shape, index):
    """A random view of a tensor: its new name and shape."""
    rank = len(shape)
    axis = draw(st.integers(0, rank - 1))
    op = draw(
        st.sampled_from(["Transpose", "Slice", "Reshape", "Split", "Expand", "Unsqueeze", "Gather", "Tile"])
    )
    new = f"v{index}"
    if op == "Transpose":
        order = draw(st.permutations(range(rank)))
        return m.node(op, [name], new, perm=order), tuple(shape[i] for i in order)
    if op == "Slice":
        first = draw(st.integers(0, shape[axis] - 1))
        end = draw(st.integers(first + 1, shape[axis]))
        step = draw(st.integers(1, 2))
        values = (m.value(f"{new}{k}", v) for k, v in enumerate((first, end, axis, step)))
        made = (*shape[:axis], -(-(end - first) // step), *shape[axis + 1 :])
        return m.node(op, [name, *values], new), made
    if op == "Reshape":
        at = draw(st.integers(0, rank - 1))
        made = (*shape[:at], int(np.prod(shape[at : at + 2])), *shape[at + 2 :])
        return m.node(op, [name, m.value(f"{new}s", *made)], new), made
    if op == "Split" and shape[axis] % 2 == 0:
        m.node(op, [name], new, outputs=[f"{new}a", f"{new}b"], axis=axis)
        return f"{new}{draw(st.sampled_from('ab'))}", (*shape[:axis], shape[axis] // 2, *shape[axis + 1 :])
    if op == "Expand":
        made = (2, *shape)
        return m.node(op, [name, m.value(f"{new}s", *made)], new), made
    if op == "Tile":
        made = tuple(n * (1 + (i == axis)) for i, n in enumerate(shape))
        return m.node(op, [name, m.value(f"{new}t", *(1 + (i == axis) for i in range(rank)))], new), made
    if op == "Gather":
        at = draw(st.integers(0, shape[axis] - 1))
        made = (*shape[:axis], *shape[axis + 1 :])
        return m.node(op, [name, m.scalar(f"{new}i", at, INT)], new, axis=axis), made
    made = (*shape[:axis], 1, *shape[axis:])
    return m.node("Unsqueeze", [name, m.value(f"{new}x", axis)], new), made


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_a_layer_reads_the_distinct_elements_behind_its_views(tmp_path_factory, data):
    inputs = {name: tuple(data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))) for name in "ab"}
    m = Model(**{k: list(v) for k, v in inputs.items()})
    ends = []
    for name, shape in inputs.items():
        m.node("Cast", [name], f"{name}0", to=1)
        name = f"{name}0"
        for index in range(data.draw(st.integers(1, 5))):
            if len(shape) > 4 or not shape:
                break
            name, shape = grown(data.draw, m, name, shape, f"{name[0]}{index}{len(m.nodes)}")
        ends.append((name, shape))
    flat = []
    for k, (name, _) in enumerate(ends):
        flat.append(m.node("Reshape", [name, m.value(f"flat{k}", -1)], f"f{k}"))
    m.node("Concat", [*flat, flat[0]], "joined", axis=0)
    m.node("ReduceMax", ["joined"], "y", keepdims=0)
    folder = tmp_path_factory.mktemp("views")
    net = m.read(folder)
    model = onnx.load(folder / "m.onnx")
    model.graph.output.append(onnx.ValueInfoProto(name="joined"))
    sizes = [int(np.prod(s)) for s in inputs.values()]
    feeds = {
        name: np.arange(size, dtype=np.float32).reshape(shape) + 1000 * k
        for k, ((name, shape), size) in enumerate(zip(inputs.items(), sizes))
    }
    seen = np.unique(ReferenceEvaluator(model).run(["joined"], feeds)[0])
    wanted = [int(np.sum(seen // 1000 == k)) for k in range(2)]
    read = {"a": 0, "b": 0}
    for edge, one in zip(net.edges, net.selected or ()):
        read[one.tensor] += edge.elements
    size = dict(zip("ab", sizes))
    loose = any(s.region is None and e.elements < size[s.tensor] for e, s in zip(net.edges, net.selected))
    if not loose:
        assert [read["a"], read["b"]] == wanted
        assert net.input_elements == sum(wanted)
    for found, least, most in zip(read.values(), wanted, sizes):
        assert (least if not loose else 1) <= found <= most


@pytest.mark.parametrize("views", [1, 3])
def test_a_network_reads_each_input_element_once_whatever_reads_it(views, tmp_path):
    m = Model(x=[4, 6])
    y = [m.node("MatMul", ["x", m.weight(f"w{i}", 6, 2)], f"y{i}") for i in range(views)]
    first = m.node("Slice", ["x", m.value("s", 0), m.value("e", 2)], "top")
    y.append(m.node("MatMul", [first, "w0"], "again"))
    net = m.read(tmp_path, *y)
    assert net.input_elements == 24
    assert net.weights == 12 * views
    assert sum(e.elements for e in net.edges) == 24 * views + 12


def test_a_sum_with_its_own_transpose_reads_it_once(tmp_path):
    m = Model(x=[4, 4])
    m.node("Add", ["x", m.node("Transpose", ["x"], "t", perm=[1, 0])], "y")
    net = m.read(tmp_path)
    assert net.input_elements == net.layers[0].input_elements == net.edges[0].elements == 16


def test_slices_that_overlap_count_what_they_share_once(tmp_path):
    m = Model(x=[6, 8])
    m.node("Slice", ["x", m.value("s", 0), m.value("e", 4)], "top")
    m.node("Slice", ["x", m.value("t", 2), m.value("f", 6)], "bottom")
    m.node("Add", ["top", "bottom"], "y")
    net = m.read(tmp_path)
    assert net.input_elements == 48
    assert sum(e.elements for e in net.edges) == sum(x.input_elements for x in net.layers) == 48
    assert net.output_elements == 32
    assert load_network(net.to_dict()).input_elements == 48


def test_what_leaves_a_network_counts_once(tmp_path):
    m = Model(x=[4, 6])
    y = m.node("Softmax", ["x"], "y")
    views = [
        m.node("Transpose", [y], "turned"),
        m.node("Slice", [y, m.value("s", 0), m.value("e", 2)], "top"),
    ]
    z = m.node("MatMul", [y, m.weight("w", 6, 3)], "z")
    net = m.read(tmp_path, y, *views, z)
    assert [net.names[i] for i in net.outputs] == ["y", "z"]
    assert net.output_elements == 4 * 6 + 4 * 3
    assert load_network(net.to_dict()).output_elements == net.output_elements
    cost = evaluate("edgetpu", net, mapper="template")
    accesses = [access for one in cost.layers for access in one.to_dict()["accesses"]]
    leave = [
        x["words"] for x in accesses if (x["memory"], x["tensor"], x["direction"]) == ("Host", "O", "write")
    ]
    assert sum(leave) == net.output_elements
    inside = m.read(tmp_path, z)  # y stays on chip
    assert inside.output_elements == 4 * 3
