"""Random graphs, beside which every tensor is an array of its elements' numbers: what must be read."""

import itertools

import numpy as np
import pytest

pytest.importorskip("onnx")

from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim import load_network
from tests.workloads.test_onnx_ops import Model

PADDING = -1


class Numbered:
    """A graph that grows by views and layers.

    reads, nests, makes  per layer: distinct elements that it reads, that its nests read, padding included
                         (None where an operand repeats itself, which windows read again), and that it makes
    """

    def __init__(self, draw):
        self.draw, self.count = draw, 0
        shapes = [tuple(draw(st.lists(st.integers(1, 4), min_size=2, max_size=3))) for _ in "ab"]
        shapes.append(
            (draw(st.integers(1, 2)), draw(st.integers(1, 3)), *draw(st.tuples(*[st.integers(3, 8)] * 2)))
        )
        self.model = Model(**{name: list(shape) for name, shape in zip("abc", shapes)})
        self.known = {name: self.fresh(shape) for name, shape in zip("abc", shapes)}
        self.inputs = sum(x.size for x in self.known.values())
        self.reads, self.nests, self.makes = {}, {}, {}
        self.outside = set()
        self.weights, self.holds = {}, {}
        self.used, self.unreached = set(), 0

    def fresh(self, shape):
        first, size = self.count, int(np.prod(shape))
        self.count += size
        return np.arange(first, first + size).reshape(shape)

    def values(self, name, *several):
        return [self.model.value(f"{name}:{k}", *np.atleast_1d(v)) for k, v in enumerate(several)]

    # -- views ---------------------------------------------------------------------------------------

    def view(self, name):
        draw, m, x, new = self.draw, self.model, self.known[name], f"v{len(self.model.nodes)}"
        axis = draw(st.integers(0, x.ndim - 1))
        op = draw(
            st.sampled_from(["Transpose", "Slice", "Concat", "Expand", "Unsqueeze", "Pad", "Split", "Einsum"])
        )
        if op == "Transpose":
            order = draw(st.permutations(range(x.ndim)))
            m.node(op, [name], new, perm=order)
            made = x.transpose(order)
        elif op == "Slice":
            first = draw(st.integers(0, x.shape[axis] - 1))
            end, step = draw(st.integers(first + 1, x.shape[axis])), draw(st.integers(1, 3))
            m.node(op, [name, *self.values(new, first, end, axis, step)], new)
            made = x.take(range(first, end, step), axis)
        elif op == "Concat":
            other = draw(st.sampled_from([k for k, y in self.known.items() if y.shape == x.shape]))
            m.node(op, [name, other], new, axis=axis)
            made = np.concatenate([x, self.known[other]], axis)
        elif op == "Expand":
            shape = [2, *x.shape]
            m.node(op, [name, *self.values(new, shape)], new)
            made = np.broadcast_to(x, shape)
        elif op == "Pad":
            around = [(i == axis) * draw(st.integers(0, 2)) for i in range(2 * x.ndim)]
            m.node(op, [name, *self.values(new, around)], new)
            pairs = list(zip(around[: x.ndim], around[x.ndim :]))
            made = np.pad(x, pairs, constant_values=PADDING)
        elif op == "Split" and x.shape[axis] > 1:
            first = draw(st.integers(1, x.shape[axis] - 1))
            sizes = [first, x.shape[axis] - first]
            m.node(op, [name, *self.values(new, sizes)], new, [new, f"{new}b"], axis=axis)
            made, self.known[f"{new}b"] = np.split(x, [first], axis)
        elif op == "Einsum" and x.ndim == 2 and x.shape[0] == x.shape[1]:
            m.node(op, [name], new, equation="ii->i")
            made = np.expand_dims(x.diagonal(), 1)
            self.known[new] = x.diagonal()
            new = m.node("Unsqueeze", [new, *self.values(new, 1)], f"{new}u")
        else:
            m.node("Unsqueeze", [name, *self.values(new, axis)], new)
            made = np.expand_dims(x, axis)
        self.known[new] = made

    # -- layers --------------------------------------------------------------------------------------

    def layer(self, name):
        kinds = [self.combined, self.combined, self.product, self.products, self.reduced, self.softmax]
        x = self.known[name]
        if x.ndim in (3, 4):
            kinds += [self.convolved, self.pooled] * 2 + [self.resized, self.transposed]
        self.draw(st.sampled_from(kinds))(name, x, f"l{len(self.model.nodes)}")

    def note(self, new, read, made, nest=None, weights=()):
        """Layer `new` reads these elements, padding among them, and makes that; its nests read `nest`."""
        read = {*read} - {PADDING}
        self.reads[new], self.nests[new], self.makes[new] = len(read), nest, made.size
        self.outside |= {k for k in read if k < self.inputs}
        self.used |= {*weights}
        self.known[new] = made

    def combined(self, name, x, new):
        op, count = self.draw(st.sampled_from([("Add", 2), ("Sum", 2), ("Max", 3), ("Sum", 3), ("Where", 3)]))
        chosen = [name]
        for _ in range(count - 1):
            fits = [k for k in self.known if self.fit(*chosen, k)]
            if not fits:
                return
            chosen.append(self.draw(st.sampled_from(fits)))
        several = [self.known[k] for k in chosen]
        if op == "Where":
            self.model.node("Cast", chosen[:1], f"{new}:c", to=9)
            chosen[0] = f"{new}:c"
        self.model.node(op, chosen, new)
        read = {k for y in several for k in y.ravel()}
        clean = PADDING not in read
        self.note(
            new,
            read,
            self.fresh(np.broadcast_shapes(*(y.shape for y in several))),
            len(read) if clean else None,
        )

    def fit(self, *names):
        """Operands that broadcast, and are not what the importer says is fused: one tensor, single values."""
        several = [self.known[k] for k in names]
        try:
            shape = np.broadcast_shapes(*(y.shape for y in several))
        except ValueError:
            return False
        if min(y.size for y in several) == 1 or len(shape) > 5:
            return False
        pairs = itertools.combinations([np.broadcast_to(y, shape) for y in several], 2)
        return not any(np.array_equal(*pair) for pair in pairs) and not any(
            {*y.ravel()} == {*z.ravel()} and y.ndim != 2 for y, z in itertools.combinations(several, 2)
        )

    def product(self, name, x, new):
        weight = self.weight(x.shape[-1])
        self.model.node("MatMul", [name, weight], new)
        made = self.fresh((*x.shape[:-1], 3))
        held = self.holds[weight]
        self.note(new, x.ravel(), made, x.size + held.size if unique(x) else None, held.ravel())

    def products(self, name, x, new):
        if x.ndim > 4 or x.size > 400:
            return
        other = [k for k, y in self.known.items() if y.ndim == 2 and y.shape[0] == x.shape[-1]]
        other = [k for k in other if not {*self.known[k].ravel()} & {*x.ravel()}]
        if not other:
            return
        y = self.known[self.draw(st.sampled_from(other))]
        self.model.node("MatMul", [name, next(k for k in other if self.known[k] is y)], new)
        made = self.fresh((*x.shape[:-1], y.shape[1]))
        nest = x.size + y.size if unique(x) and unique(y) else None
        self.note(new, [*x.ravel(), *y.ravel()], made, nest)

    def reduced(self, name, x, new):
        if x.size == x.shape[-1] or x.shape[-1] == 1:
            return
        self.model.node("ReduceMax", [name], new, axes=[x.ndim - 1], keepdims=1)
        self.note(new, x.ravel(), self.fresh((*x.shape[:-1], 1)), x.size if unique(x) else None)

    def softmax(self, name, x, new):
        self.model.node("Softmax", [name], new)
        self.note(new, x.ravel(), self.fresh(x.shape), None if PADDING in x else len(np.unique(x)))

    def window(self, x):
        """Kernel, strides, dilations, pads, and the positions of `x`, padded, that each axis touches."""
        draw, out, used = self.draw, [], []
        for size in x.shape[2:]:
            k, s, d = draw(st.integers(1, 3)), draw(st.integers(1, 4)), draw(st.integers(1, 2))
            before, after = (draw(st.integers(0, k - 1)) for _ in range(2))
            span = (k - 1) * d + 1
            if size + before + after < span:
                before = after = 0
                k = d = span = 1
            made = (size + before + after - span) // s + 1
            out.append((k, s, d, before, after, made))
            used.append(sorted({p * s + i * d for p in range(made) for i in range(k)}))
        kernel, strides, dilations, before, after, made = map(list, zip(*out))
        padded = np.pad(x, [(0, 0), (0, 0), *zip(before, after)], constant_values=PADDING)
        for axis, rows in enumerate(used, 2):
            padded = padded.take(rows, axis)
        return {"strides": strides, "dilations": dilations, "pads": before + after}, kernel, made, padded

    def convolved(self, name, x, new):
        attributes, kernel, made, seen = self.window(x)
        groups = self.draw(st.sampled_from([1, x.shape[1]]))
        w = self.model.weight(f"{new}:w", 2 * groups, x.shape[1] // groups, *kernel)
        self.model.node("Conv", [name, w], new, group=groups, **attributes)
        held = self.fresh((2 * groups, x.shape[1] // groups, *kernel))
        nest = seen.size + held.size if unique(x) else None
        self.note(new, seen.ravel(), self.fresh((x.shape[0], 2 * groups, *made)), nest, held.ravel())

    def pooled(self, name, x, new):
        attributes, kernel, made, seen = self.window(x)
        outputs = [new, f"{new}:i"] if self.draw(st.booleans()) else [new]
        self.model.node("MaxPool", [name], new, outputs, kernel_shape=kernel, **attributes)
        values = self.fresh((*x.shape[:2], *made))
        self.note(new, seen.ravel(), values, seen.size if unique(x) else None)
        self.makes[new] = len(outputs) * values.size

    def resized(self, name, x, new):
        sizes = [n if i < 2 else self.draw(st.integers(n, 3 * n)) for i, n in enumerate(x.shape)]
        if x.size > 200 or list(x.shape) == sizes or PADDING in x:
            return
        self.model.node("Resize", [name, "", "", *self.values(new, sizes)], new)
        self.note(new, x.ravel(), self.fresh(sizes), x.size if unique(x) else None)
        if not unique(x):
            self.reads[new] = None

    def transposed(self, name, x, new):
        """Each element and each weight that reaches a result; pieces read some again."""
        axes = []
        for size in x.shape[2:]:
            k, s, d = (self.draw(st.integers(1, 3)) for _ in range(3))
            pads = [self.draw(st.integers(0, k - 1)) for _ in range(2)]
            made = (size - 1) * s + (k - 1) * d + 1 - sum(pads)
            hits = [(i, t, i * s + t * d - pads[0]) for i in range(size) for t in range(k)]
            axes.append((k, s, d, *pads, made, [h for h in hits if 0 <= h[2] < made]))
        kernel, strides, dilations, before, after, made, hits = map(list, zip(*axes))
        if x.size > 200 or min(made) < 1 or not all(hits):
            return
        w = self.model.weight(f"{new}:w", x.shape[1], 2, *kernel)
        window = {"strides": strides, "dilations": dilations, "pads": before + after}
        self.model.node("ConvTranspose", [name, w], new, **window)
        rows, taps = ([sorted({h[j] for h in axis}) for axis in hits] for j in range(2))
        held = self.fresh((x.shape[1], 2, *kernel))
        result = self.fresh((x.shape[0], 2, *made))
        self.note(new, at(x, rows).ravel(), result, None, at(held, taps).ravel())
        self.reads[new] = self.makes[new] = None
        self.unreached += held.size - at(held, taps).size  # such taps may count, as zeros at borders do
        del self.known[new]  # its phases lie between each other: of a part of it, shares are known

    def weight(self, rows):
        """Three columns of a new weight tensor, of one that is there, or of its top."""
        draw, m, new = self.draw, self.model, f"w{len(self.model.nodes)}"
        there = [k for k, x in self.weights.items() if len(x) >= rows]
        if there and draw(st.booleans()):
            name = draw(st.sampled_from(there))
            held = self.weights[name][:rows]
            if rows < len(self.weights[name]):
                name = m.node("Slice", [name, *self.values(new, 0, rows)], f"{new}c")
        else:
            name, held = m.weight(new, rows, 3), self.fresh((rows, 3))
            self.weights[name] = held
        self.holds[name] = held
        return name


def at(x, places):
    """These places along each axis but the first two."""
    for axis, several in enumerate(places, 2):
        x = x.take(several, axis)
    return x


def unique(x):
    """Whether no element stands in several places."""
    held = x[x != PADDING]
    return len(np.unique(held)) == held.size


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_layers_and_networks_read_the_distinct_elements_of_what_they_use(tmp_path_factory, data):
    walk = Numbered(data.draw)
    for _ in range(data.draw(st.integers(2, 10))):
        name = data.draw(st.sampled_from([k for k, x in walk.known.items() if x.ndim < 5]))
        data.draw(st.sampled_from([walk.view, walk.layer, walk.layer]))(name)
    if not walk.reads:
        walk.softmax("a", walk.known["a"], "end")
    net = walk.model.read(tmp_path_factory.mktemp("graph"), *walk.reads)
    reads, nests, makes = (dict.fromkeys(walk.reads, 0) for _ in range(3))
    for layer, edges in zip(net.layers, net.inputs_of):
        node = layer.name.partition(".")[0]
        reads[node] += sum(e.elements for e in edges)
        nests[node] += layer.input_elements + layer.weight_elements
        makes[node] += layer.output_elements
    for found, wanted in ((reads, walk.reads), (nests, walk.nests), (makes, walk.makes)):
        assert found == {k: found[k] if n is None else n for k, n in wanted.items()}
    assert net.input_elements == len(walk.outside)
    assert 0 <= net.weights - len(walk.used) <= walk.unreached
    assert net.output_elements == sum(makes.values())
    assert load_network(net.to_dict()) == net
