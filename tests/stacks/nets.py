"""Random small networks for stacks: chains, residuals, strides, dilation, upsampling, padding, whole."""

from hypothesis import strategies as st

from accelsim.workloads import Layer, Network
from accelsim.workloads.network import INPUT, Edge
from accelsim.workloads.reach import SAME, RowWindow, Whole, Window


@st.composite
def axes(draw, size):
    """(window along one axis over `size` rows, rows of the result)."""
    up = draw(st.sampled_from((1, 1, 1, 2)))
    stride, dilation = draw(st.sampled_from((1, 1, 2, 3))), draw(st.sampled_from((1, 1, 2)))
    kernel = draw(st.integers(1, 4))
    span = (kernel - 1) * dilation + 1
    pad = draw(st.integers(0, span - 1)) if draw(st.booleans()) else 0
    out = (size * up + 2 * pad - span) // stride + 1
    if out < 1:
        return RowWindow(), size
    return RowWindow(stride, dilation, kernel, pad, up), out


@st.composite
def networks(draw, most=5, side=9, whole=True, least=1):
    """A network of `least` to `most` layers in which each reads one or two tensors of any earlier age."""
    shape = (draw(st.integers(1, 3)), draw(st.integers(3, side)), draw(st.integers(3, side)))
    sizes, layers, edges, windows = {INPUT: shape[1:]}, [], [], []
    channels = {INPUT: shape[0]}
    for i in range(draw(st.integers(least, most))):
        source = i - 1
        rows, p = draw(axes(sizes[source][0]))
        cols, q = draw(axes(sizes[source][1]))
        twins = [n for n in sizes if n != source and sizes[n] == sizes[source]]
        if twins and draw(st.booleans()):
            other = draw(st.sampled_from(twins))
            p, q = sizes[source]
            layer = Layer.eltwise(C=channels[source], P=p, Q=q, name=f"l{i}")
            found = [(other, SAME), (source, SAME)]
        elif whole and draw(st.integers(0, 7)) == 0:
            layer = Layer.conv2d(K=2, C=channels[source], P=p, Q=q, name=f"l{i}")
            found = [(source, Whole("drawn"))]
        else:
            k = draw(st.integers(1, 3))
            layer = Layer.conv2d(
                K=k, C=channels[source], P=p, Q=q, R=rows.kernel, S=cols.kernel,
                stride=(rows.stride, cols.stride), dilation=(rows.dilation, cols.dilation), name=f"l{i}",
            )  # fmt: skip
            found = [(source, Window(rows, cols))]
        for producer, window in found:
            edges.append(Edge(producer, i, channels[producer] * sizes[producer][0] * sizes[producer][1]))
            windows.append(window)
        layers.append(layer)
        sizes[i], channels[i] = (p, q), layer.output_elements // (p * q)
    nothing = tuple(x.weight_elements for x in layers)
    ends = (len(layers) - 1,)
    return Network(
        "drawn", tuple(layers), tuple(edges), ends, nothing, nothing, shape, windows=tuple(windows)
    )  # fmt: skip
