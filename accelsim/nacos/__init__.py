"""NACOS-Bench: every network of a small space on many chips, each layer under schedules with a proof.

`create()` opens the shipped tables. See docs/nacos_bench.md.
"""

from accelsim.nacos.bench import Bench, create

__all__ = ["Bench", "create"]
