"""In which order networks, mappings and chips are searched: one strategy a file."""

from accelsim.cosearch.strategies.base import Strategy, check_strategy, load_strategy, strategy_names

__all__ = ["Strategy", "check_strategy", "load_strategy", "strategy_names"]
