"""Names for the columns of the kernels' arrays.

The kernels take plain arrays; these constants say what stands where. `accelsim.pack` fills the arrays.
"""

# Dimensions, in the order of every axis of length 8.
N, G, K, C, P, Q, R, S = range(8)
NDIM = 8

# Tensors, in the order of every axis of length 3.
W, I, O = range(3)
NTENSOR = 3

MAX_MEMORIES = 6
MAX_AXES = 6  # of a fan-out

# problem: int64[PROBLEM_COLS]: the eight sizes, then
STRIDE_H, STRIDE_W, DILATION_H, DILATION_W = 8, 9, 10, 11
HAS_WEIGHTS = 12
RESIDENT = 13  # 13, 14, 15: W, I, O already lie in the first memory below the outermost one
HAS_MACS = 16
PROBLEM_COLS = 17

# holds: int64[M, 3], 1 where the memory holds the tensor; holds[0] is all ones.

# fan: int64[M, MAX_AXES, FAN_COLS], the axes between memory m and the next; size 0 = no axis
AXIS_SIZE, MULTICAST, REDUCTION, FORWARDING = 0, 1, 2, 3
LANES = 4  # axis whose physical lanes this axis shares (itself, if none)
FAN_COLS = 5

# memory: float64[M, MEM_COLS]
CAPACITY = 0  # 0, 1, 2: bits of the partition of W, I, O (inf where the memory is not partitioned)
CAPACITY_ALL = 3  # bits of the whole memory (inf = unlimited)
BUFFERS = 4  # 2 where double-buffered, else 1
READ_CPB = 5  # 5, 6, 7: cycles per bit of the port that reads W, I, O (0 = unlimited)
WRITE_CPB = 8  # 8, 9, 10: that writes W, I, O
READ_PORT = 11  # 11, 12, 13: which port reads W, I, O; users of one port take turns
WRITE_PORT = 14  # 14, 15, 16: which one writes them
READ_PJ = 17  # 17, 18, 19: pJ per bit read, for W, I, O
WRITE_PJ = 20  # 20, 21, 22
OVERLAPS = 23  # 1 where fills hide behind compute, else their time adds up
FOLD_CYCLES = 24  # idle cycles of the array above for each new tile of FOLD_TENSOR; 0 = none
FOLD_TENSOR = 25
START_CYCLES = 26  # that each transfer with a child takes at the port before its first bit
BURST_BITS = 27  # a mean transfer with a child moves whole bursts; 0 = any number of bits
WIDTH = 28  # 28 .. 31: bits of W, I, O, psum as they are kept here; 0 = as the machine has them
HOP_PJ = 32  # 32 .. 37: pJ per bit delivered over each axis below this memory
HOP_MORE = HOP_PJ + MAX_AXES  # pJ per bit for each lane in use of each axis beyond the first
MEM_COLS = HOP_MORE + MAX_AXES

NUSER = 2 * NTENSOR  # users of a memory's ports: reads of W, I, O, then writes

# machine: float64[MACHINE_COLS]
BITS_W, BITS_I, BITS_O, BITS_PSUM = 0, 1, 2, 3  # at the MACs and over the wires
PSUM = BITS_PSUM  # the fourth of the WIDTHs
MAC_PJ = 4
LEAK_PJ = 5  # pJ per cycle of the whole chip
LAYER_CYCLES = 6  # that a layer takes beyond its own work
UNIT_RATE = 7  # points a cycle of a unit that does the layer instead of the array; 0 = none
EXTRA_CYCLES = 8  # of a multiply-accumulate beyond the first
MACHINE_COLS = 9

# traffic: float64[*, M + 1, 3, 4], indexed by the child (M = the MACs)
FILLS, PARENT_WORDS, CHILD_WORDS, PSUM_READS = 0, 1, 2, 3
TRAFFIC_COLS = 4

# bits: float64[*, M, 3, 2], bits moved at each memory, all instances
READ, WRITE = 0, 1

# summary: float64[*, SUMMARY_COLS]
LATENCY, ENERGY, STEPS = 0, 1, 2  # cycles, pJ, lockstep steps
RAMP_UP, RAMP_DOWN, EXPOSED_TIME, PORT_MAX = 3, 4, 5, 6  # cycles
MAC_ENERGY, HOP_ENERGY, LEAK_ENERGY = 7, 8, 9  # pJ
NEED, HAVE = 10, 11  # what an illegal mapping needs and what there is
CYCLES = 12  # of compute: steps and folds, or for operators without MACs those of a unit as wide as the array
SUMMARY_COLS = 13

# status: int32, code + 256 * memory + 65536 * (dimension, tensor or axis)
PENDING = -1  # not priced yet: left to `price`
OK = 0
BAD_TILE = 1  # 1 <= U <= T does not hold (index = dimension)
BAD_FACTOR = 2  # factor above the axis size (index = axis)
FACTOR_OVER_TILE = 3  # factor above the union tile (index = axis)
LANES_OVER = 4  # axes that share lanes need more than there are (index = axis)
NOT_ONE = 5  # a tile larger than 1 is left below the last memory (index = dimension)
CAPACITY_OVER = 6  # tiles do not fit (index = tensor of the partition, or 3 for the whole memory)
COUNT_OVER = 7  # a count exceeds 2^53 (index = tensor)
MAX_COUNT = 9007199254740992.0
