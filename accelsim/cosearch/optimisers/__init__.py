"""Ways to propose genomes, one a file."""

from accelsim.cosearch.optimisers.base import Optimiser, check_optimiser, load_optimiser, optimiser_names

__all__ = ["Optimiser", "check_optimiser", "load_optimiser", "optimiser_names"]
