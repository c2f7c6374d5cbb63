"""One page to explore a study, a sweep or a network's cost: a single file that works without a network."""

from accelsim.explorer.page import load, page_data, write_page

__all__ = ["load", "page_data", "write_page"]
