"""Sweeps: a machine varied along some of its figures, networks priced at every point."""

from accelsim.sweeps.axes import SweepAxis, parse_axis
from accelsim.sweeps.run import sweep
from accelsim.sweeps.table import SweepTable

__all__ = ["SweepAxis", "SweepTable", "parse_axis", "sweep"]
