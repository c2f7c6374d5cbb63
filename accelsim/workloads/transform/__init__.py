"""Convolutions rewritten: grouped, narrowed and cut into pieces, step by step.

The steps are those of Turner, Crowley and O'Boyle, "Neural Architecture Search as Program Transformation
Exploration" (ASPLOS 2021), where changes of the network and changes of the schedule are one sequence.
"""

from accelsim.workloads.transform.pieces import (
    FACTORS,
    NEURAL,
    Conv,
    ConvPiece,
    Illegal,
    Transformation,
    applied,
)
from accelsim.workloads.transform.rewrite import Rewriting, Transformed

__all__ = [
    "FACTORS",
    "NEURAL",
    "Conv",
    "ConvPiece",
    "Illegal",
    "Rewriting",
    "Transformation",
    "Transformed",
    "applied",
]
