"""A search's result as JSON, and the file of one design of `accelsim study export`."""

from __future__ import annotations

from accelsim.cosearch.screen import LEVELS
from accelsim.schemas.parts import (
    NUMBER_OR_NULL,
    TEXT,
    VERSION,
    Schema,
    items,
    record,
    said,
    table,
    titled,
    whole,
)

_WORD = {"type": ["string", "null"]}
_HASH = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_LIMITS = said("Largest values, or smallest where more is better.", table({"type": "number"}))
_HOW: dict[str, Schema] = {
    "space": said("Space of subnets; null: given networks.", _WORD),
    "strategy": TEXT,
    "optimiser": TEXT,
    "mapper": TEXT,
    "budget": said("Mappings a layer; null: no limit.", {"type": ["integer", "null"]}),
    "seed": {"type": "integer"},
    "objectives": items(TEXT, 1),
    "limits": _LIMITS,
}


def schema() -> Schema:
    """Of what `search --json` and `study show --json` print."""
    price = record(
        {"network": TEXT} | {key: {"type": "number"} for key in ("latency_s", "energy_pj", "edp_js")},
        ["network", "latency_s", "energy_pj", "edp_js"],
    )
    row: dict[str, Schema] = {
        "candidate": said("Place among all candidates.", whole(0)),
        "generation": whole(0),
        "phase": TEXT,
        "front": {"type": "boolean"},
        "feasible": said("Meets all limits.", {"type": "boolean"}),
        "figures": said("What they are: bounds, of a sketch, or of the mapper.", {"enum": [*LEVELS]}),
        "network": TEXT,
        "hardware": said("The chip in a few words.", TEXT),
        "base": said("On the base chip itself.", {"type": "boolean"}),
        "freedoms": said("That the base chip has here, of the candidate's own chip.", items(TEXT)),
        "sizes": said("The base chip has other sizes or ports here.", {"type": "boolean"}),
        "near": said("Found by a local search around the candidate.", {"type": "boolean"}),
        "mapper": said("Whose mappings the figures are of.", TEXT),
    }
    found: Schema = {
        "type": "object",
        "properties": row,
        "required": list(row),
        "additionalProperties": said("A metric as NAME_unit; null where it is not known.", NUMBER_OR_NULL),
    }
    metric = record({"unit": {"type": "string"}, "maximise": {"type": "boolean"}}, ["unit", "maximise"])
    words = {"kinds": items(TEXT, 1), "source": TEXT, "caution": {"type": "string"}}
    source = record(words, list(words))
    keys: dict[str, Schema] = {
        "version": VERSION,
        "study": said("The file; null: in memory.", _WORD),
        "hardware": said("Name of the base chip.", TEXT),
        "networks": items(TEXT),
        "config_hash": _HASH,
        **_HOW,
        "metrics": table(metric),
        "candidates": whole(0),
        "feasible": whole(0),
        "generations": whole(0),
        "seconds": {"type": "number", "minimum": 0},
        "interrupted": {"type": "boolean"},
        "exhausted": said("No new candidate is left.", {"type": "boolean"}),
        "drawn_again": said("Draws that were not evaluated, by reason.", table(whole(0))),
        "limits_missed": said("Share of the candidates that each limit kills.", table({"type": "number"})),
        "hypervolume": {"type": "number"},
        "front": said("Candidates that none is better than, best first.", items(found)),
        "base": said(
            "The base chip, template mappings, on the best design's networks.",
            {"anyOf": [items(price, 1), {"type": "null"}]},
        ),
        "accuracy": said(
            "Where accuracies come from, and what must stand beside them.",
            {"anyOf": [source, {"type": "null"}]},
        ),
        "notes": items({"type": "string"}),
    }
    return titled("study", record(keys, list(keys)))


def design() -> Schema:
    """Of `design_N.json`, beside which the hardware, network and mapping files lie that it names."""
    network = record({"network": TEXT, "mapping": TEXT, "name": TEXT}, ["network", "name"])
    needs = ["hardware", "networks", "batch", "resolutions", *_HOW, "population", "fix", "accuracy", "model"]
    config: Schema = {
        "type": "object",
        "properties": {
            **_HOW,
            "hardware": said("The base chip, as in a hardware file.", {"type": "object"}),
            "networks": said("As in network files.", items({"type": "object"})),
            "batch": whole(1),
            "resolutions": items(whole(1)),
            "population": whole(1),
            "fix": items(TEXT),
            "accuracy": TEXT,
            "accuracy_hash": {"type": "string"},
            "model": TEXT,
            "fuse": {"anyOf": [TEXT, items(said("As in a mapping file.", {"type": "object"}))]},
            "screen": {"type": "boolean"},
            "around": {"type": "boolean"},
        },
        "required": needs,
    }
    keys: dict[str, Schema] = {
        "version": said("Of accelsim.", TEXT),
        "config_hash": _HASH,
        "hardware_hash": _HASH,
        "candidate": whole(0),
        "base": {"type": "boolean"},
        "freedoms": items(TEXT),
        "sizes": {"type": "boolean"},
        "near": {"type": "boolean"},
        "mapper": TEXT,
        "metrics": table(NUMBER_OR_NULL),
        "hardware": said("File beside this one.", TEXT),
        "networks": items(network, 1),
        "config": said("Everything that decided the search.", config),
    }
    return titled("design", record(keys, list(keys)))
