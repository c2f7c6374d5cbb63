"""Layers as YAML: problems of Timeloop, and workloads of ZigZag."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from accelsim.errors import AccelsimError
from accelsim.workloads.layer import Layer
from accelsim.workloads.lists import timeloop, zigzag

_MOST_VALUES = 1_000_000
_MOST_TEXT = 2_000_000  # half a minute of reading


def read(text: str) -> list[Layer]:
    """The layers. Raises AccelsimError."""
    try:
        import yaml
    except ModuleNotFoundError:
        raise AccelsimError("reading YAML needs the PyYAML package: pip install 'accelsim[yaml]'") from None
    if len(text) > _MOST_TEXT:
        raise AccelsimError(
            f"layers as YAML may take at most {_MOST_TEXT:,} characters, but take {len(text):,}"
        )
    try:
        roots = list(yaml.compose_all(text, yaml.SafeLoader))
        _check_nodes(roots)
        documents = [yaml.SafeLoader("").construct_document(root) for root in roots if root is not None]
        documents = [d for d in documents if d is not None]
    except AccelsimError:
        raise
    except RecursionError:
        raise AccelsimError("not YAML: nested too deeply") from None
    except Exception as fault:  # its constructors raise many types for values like !!bool 7
        raise AccelsimError(f"not YAML: {' '.join(str(fault).split())[:200]}") from None
    out: list[Layer] = []
    for k, document in enumerate(documents, 1):
        if isinstance(document, dict) and "problem" in document:
            try:
                out.append(timeloop.read(document["problem"]))
            except AccelsimError as fault:
                place = f"document {k}: " if len(documents) > 1 else ""
                raise AccelsimError(f"{place}{fault}") from None
        elif isinstance(document, list):
            out += [zigzag.read(entry, f"[{i}]") for i, entry in enumerate(document)]
        elif isinstance(document, dict) and isinstance(document.get("layers"), list):
            out += [zigzag.read(entry, f"layers[{i}]") for i, entry in enumerate(document["layers"])]
        else:
            raise AccelsimError(
                "neither a Timeloop problem (problem: ...) nor a ZigZag workload (a list of layers)"
            )
    if not out:
        raise AccelsimError("the file has no layers")
    return out


def _check_nodes(roots: list[Any]) -> None:
    """See `_check_node`; and where aliases make a document endless, or of 10^9 values in a kilobyte."""
    sizes: dict[int, int] = {}

    def size(node: Any) -> int:
        known = sizes.get(id(node))
        if known is None:
            _check_node(node)
            sizes[id(node)] = _MOST_VALUES + 1  # until it is known: what holds itself is too large
            parts = node.value if isinstance(node.value, list) else ()
            known = 1 + sum(sum(map(size, x)) if isinstance(x, tuple) else size(x) for x in parts)
            sizes[id(node)] = known
        return known

    if sum(map(size, filter(None, roots))) > _MOST_VALUES:
        raise AccelsimError(f"its aliases stand for more than {_MOST_VALUES:,} values, or hold themselves")


def _check_node(node: Any) -> None:
    """Raise AccelsimError for a key that stands twice, and for numbers that YAML 1.1 and 1.2 read apart."""
    line = node.start_mark.line + 1
    if node.tag == "tag:yaml.org,2002:map":
        keys = [key.value for key, _ in node.value if isinstance(key.value, str) and key.value != "<<"]
        twice = next((key for key, n in Counter(keys).items() if n > 1), None)
        if twice is not None:
            raise AccelsimError(f"line {line}: {twice!r:.80} stands twice in one mapping")
    elif node.tag == "tag:yaml.org,2002:int" and not re.fullmatch(r"[-+]?(0|[1-9][0-9]*)", node.value):
        raise AccelsimError(f"line {line}: write {node.value!r:.80} as a plain decimal number")
