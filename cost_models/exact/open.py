"""Boxes still to be looked at: slots of an array, the best in a heap, those that come first on a stack.

`links` int64[3, n]: heap, stack and free slots, the lengths of which are in `state`, and `keys` float64[n]
bounds of what is in a slot.
"""

from __future__ import annotations

import numpy as np

from cost_models._jit import step

HEAP, STACK, FREE = range(3)

# state int64[STATE]: lengths of the rows of `links`, then
USED = 3  # slots that ever held a box
AT = 4  # spatial choices, by what they cost at least, of which the boxes are open or done with
STATE = 5


@step
def room(links, state):
    """How many slots are free."""
    return state[FREE] + links.shape[1] - state[USED]


@step
def take_slot(links, state):
    """A free slot."""
    if state[FREE] > 0:
        state[FREE] -= 1
        return links[FREE, state[FREE]]
    state[USED] += 1
    return state[USED] - 1


@step
def give_back(slot, links, state):
    """A slot that is of no more use."""
    links[FREE, state[FREE]] = slot
    state[FREE] += 1


@step
def put_first(slot, links, state):
    """Have a slot come before all others."""
    links[STACK, state[STACK]] = slot
    state[STACK] += 1


@step
def put(slot, keys, links, state):
    """Have a slot wait until its key is the least."""
    i = state[HEAP]
    state[HEAP] += 1
    while i > 0:
        up = (i - 1) // 2
        if keys[links[HEAP, up]] <= keys[slot]:
            break
        links[HEAP, i] = links[HEAP, up]
        i = up
    links[HEAP, i] = slot


@step
def take(keys, links, state):
    """The slot of the heap with the least key."""
    top = links[HEAP, 0]
    state[HEAP] -= 1
    n = state[HEAP]
    slot = links[HEAP, n]
    i = np.int64(0)
    while 2 * i + 1 < n:
        k = 2 * i + 1
        if k + 1 < n and keys[links[HEAP, k + 1]] < keys[links[HEAP, k]]:
            k += 1
        if keys[links[HEAP, k]] >= keys[slot]:
            break
        links[HEAP, i] = links[HEAP, k]
        i = k
    links[HEAP, i] = slot
    return top


@step
def least_key(keys, links, state):
    """The least key of all that wait; infinite without any."""
    least = keys[links[HEAP, 0]] if state[HEAP] > 0 else np.inf
    for i in range(state[STACK]):
        least = min(least, keys[links[STACK, i]])
    return least
