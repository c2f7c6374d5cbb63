"""Views of tensors against NumPy: where each element comes from, and how many distinct ones there are."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.workloads.onnx import parts as P
from accelsim.workloads.region import distinct, region

# -- regions -------------------------------------------------------------------------------------------


@st.composite
def factors_of_a_view(draw):
    """Factors as views have them: broadcasts, and strides beyond what the inner ones span."""
    out, span = [], 1
    for _ in range(draw(st.integers(0, 4))):
        n = draw(st.integers(1, 4))
        stride = span + draw(st.integers(0, 3))
        out.append((n, stride * draw(st.sampled_from([1, 1, -1]))))
        span = stride * (n - 1) + span
    out += [(3, 0)] * draw(st.integers(0, 1))
    return draw(st.permutations(out))


FACTORS = factors_of_a_view()


def positions(offset, factors):
    at = np.array([offset])
    for n, s in factors:
        at = (at[:, None] + np.arange(n) * s).ravel()
    return set(at.tolist())


@given(st.integers(0, 20), FACTORS)
@settings(max_examples=300, deadline=None)
def test_a_region_keeps_its_positions(offset, factors):
    one = region(offset, factors)
    assert positions(one.offset, one.factors) == positions(offset, factors)
    assert all(n > 1 and s > 0 for n, s in one.factors)


@given(st.lists(st.tuples(st.integers(0, 20), FACTORS), max_size=4))
@settings(max_examples=300, deadline=None)
def test_distinct_elements_of_a_union(several):
    wanted = set().union(*(positions(*one) for one in several))
    assert distinct([region(*one) for one in several]) == len(wanted)


# -- views ---------------------------------------------------------------------------------------------


def filled(parts, shape):
    """Source number and position of each element, -1 for padding; None where some part is loose."""
    out = -np.ones((*shape, 2), np.int64)
    for p in parts:
        if p.axes is None:
            return None
        at = np.full((), p.offset, np.int64)
        for axis in p.axes:
            steps = np.zeros(1, np.int64)
            for n, s in axis:
                steps = (steps[:, None] + np.arange(n) * s).ravel()
            at = at[..., None] + steps
        box = tuple(slice(b, b + n) for b, n in zip(p.start, p.shape))
        out[box] = np.stack(np.broadcast_arrays(p.source.producer, at), -1)
    return out


def fresh(number, shape):
    size = int(np.prod(shape))
    at = np.stack([np.full(size, number), np.arange(size)], -1).reshape(*shape, 2)
    return P.made(P.Origin(number, "", tuple(shape))), at


def factorised(draw, size):
    out = []
    while size > 1:
        d = draw(st.sampled_from([k for k in range(2, size + 1) if size % k == 0]))
        out.append(d)
        size //= d
    for _ in range(draw(st.integers(0, 1))):
        out.insert(draw(st.integers(0, len(out))), 1)
    return tuple(out) or (1,)


def step(draw, parts, ref, number):
    shape = ref.shape[:-1]
    rank = len(shape)
    op = draw(st.sampled_from(["transpose", "take", "reshape", "concat", "expand", "pad", "tile"]))
    axis = draw(st.integers(0, rank - 1))
    if op == "transpose":
        order = draw(st.permutations(range(rank)))
        return P.transpose(parts, order), ref.transpose([*order, rank])
    if op == "take":
        by = draw(st.sampled_from([1, 1, 2, -1]))
        first = draw(st.integers(0, shape[axis] - 1))
        most = (shape[axis] - 1 - first) // by + 1 if by > 0 else first // -by + 1
        count = draw(st.integers(1, most))
        at = [first + i * by for i in range(count)]
        return P.take(parts, shape, axis, first, count, by), np.take(ref, at, axis)
    if op == "reshape":
        new = factorised(draw, int(np.prod(shape)))
        return P.reshape(parts, shape, new), ref.reshape(*new, 2)
    if op == "concat":
        other = tuple(draw(st.integers(1, 3)) if i == axis else n for i, n in enumerate(shape))
        more, at = fresh(number, other)
        return P.concat([(parts, shape), (more, other)], axis), np.concatenate([ref, at], axis)
    if op == "expand":
        lead = draw(st.integers(0, 1))
        new = (2,) * lead + tuple(3 if n == 1 else n for n in shape)
        return P.expand(parts, shape, new), np.broadcast_to(ref, (*new, 2))
    if op == "pad":
        before = [draw(st.integers(0, 1)) for _ in shape]
        padded = np.pad(ref, [*((b, 0) for b in before), (0, 0)], constant_values=-1)
        return P.pad(parts, before), padded
    times = [draw(st.sampled_from([1, 1, 2])) for _ in shape]
    return P.tile(parts, shape, times), np.tile(ref, (*times, 1))


@given(st.data())
@settings(max_examples=500, deadline=None)
def test_views_lead_to_the_elements_that_numpy_finds(data):
    shape = data.draw(st.lists(st.sampled_from([1, 2, 3, 4, 6]), min_size=1, max_size=4))
    parts, ref = fresh(0, shape)
    for number in range(1, data.draw(st.integers(1, 6)) + 1):
        if ref.size > 4000:
            break
        parts, ref = step(data.draw, parts, ref, number)
    found = filled(parts, ref.shape[:-1])
    wanted = {tuple(x) for x in ref.reshape(-1, 2).tolist()} - {(-1, -1)}
    if found is None:  # no affine view: where the elements stand is not known, but not which there are
        total = sum(n for *_, n in P.reads(parts))
        assert total <= sum(np.prod(s.shape) for s in {p.source for p in parts})
        return
    np.testing.assert_array_equal(found, ref)
    assert P.elements(parts) == len(wanted)
    by_source = {}
    for _, source, part, n in P.reads(parts):
        by_source[source.producer] = by_source.get(source.producer, 0) + n
        if part is not None:
            assert {(source.producer, i) for i in positions(*part)} <= wanted
    for number, n in by_source.items():
        assert n == sum(s == number for s, _ in wanted)


def test_an_affine_view_survives_heads_and_pixel_shuffle():
    shape = (2, 12, 6)
    parts, ref = fresh(0, shape)
    parts = P.reshape(parts, shape, (2, 12, 3, 2))
    ref = ref.reshape(2, 12, 3, 2, 2)
    parts, ref = P.transpose(parts, (0, 2, 1, 3)), ref.transpose(0, 2, 1, 3, 4)
    parts, ref = P.reshape(parts, (2, 3, 12, 2), (2, 3, 3, 4, 2)), ref.reshape(2, 3, 3, 4, 2, 2)
    np.testing.assert_array_equal(filled(parts, ref.shape[:-1]), ref)
    assert P.repeats(P.expand(parts, (2, 3, 3, 4, 2), (5, 2, 3, 3, 4, 2)))
    assert not P.repeats(parts)
