"""Studies that name code to import: only with leave."""

from __future__ import annotations

from accelsim.accuracy import KNOWN, source_file
from accelsim.cosearch.metrics import METRICS
from accelsim.cosearch.optimisers.base import OPTIMISERS
from accelsim.cosearch.strategies.base import STRATEGIES
from accelsim.cosearch.study import Study
from accelsim.errors import AccelsimError
from accelsim.mapping.mapper import MAPPERS
from accelsim.pricing.models import MODELS
from accelsim.workloads.spaces import SPACES


def check_trusted(study: Study, going_on: bool = False) -> None:
    """Raise AccelsimError where a study names code that only it would have imported.

    Metrics are computed only to go on.
    """
    config = study.config
    named = [
        (MAPPERS, config.mapper), (MODELS, config.model), (STRATEGIES, config.strategy),
        (OPTIMISERS, config.optimiser), (SPACES, config.space), (KNOWN, source_file(config.accuracy)[0]),
        *((METRICS, record.source) for record in study.metrics if going_on),
    ]  # fmt: skip
    foreign = [f"{registry.kind} {name}" for registry, name in named if registry.is_foreign(name)]
    if foreign:
        raise AccelsimError(
            f"study {study.path}: names code that would be imported and run: {', '.join(foreign)}; if you "
            "know who wrote the file, allow it with --trust (trust=True)"
        )
