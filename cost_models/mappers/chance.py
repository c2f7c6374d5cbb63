"""Random numbers in kernels: xorshift64* (Vigna 2016), seeded by splitmix64 (Steele et al. 2014)."""

from __future__ import annotations

import numpy as np

from cost_models._jit import inlined


@inlined
def mixed(seed):
    """A state of the random numbers, not 0, unlike that of the next seed."""
    x = np.uint64(seed) + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return x if x != np.uint64(0) else np.uint64(1)


@inlined
def uniform(state):
    """Uniform float64 in [0, 1); `state` is uint64[1], not 0."""
    x = state[0]
    x ^= x >> np.uint64(12)
    x ^= x << np.uint64(25)
    x ^= x >> np.uint64(27)
    state[0] = x
    return np.float64((x * np.uint64(2685821657736338717)) >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@inlined
def below(n, state):
    """Uniform integer in 0 .. n - 1."""
    return min(n - 1, np.int64(uniform(state) * n))
