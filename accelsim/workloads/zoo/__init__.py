"""Shipped networks, one family a file."""

from __future__ import annotations

from accelsim.errors import AccelsimError, nearest
from accelsim.workloads.zoo import (
    alexnet,
    googlenet,
    mnasnet,
    mobilenet,
    resnet,
    squeezenet,
    transformer,
    unet,
    vgg,
)
from accelsim.workloads.zoo.model import Model

_FAMILIES = (alexnet, vgg, resnet, googlenet, squeezenet, mobilenet, mnasnet, unet, transformer)

MODELS: dict[str, Model] = {model.name: model for family in _FAMILIES for model in family.MODELS}
"""Every shipped network by its name."""

ALIASES: dict[str, str] = {alias: model.name for model in MODELS.values() for alias in model.aliases}
"""Other names."""


def find(name: str) -> Model:
    """The model of a name or alias; case and punctuation do not matter.

    Raises AccelsimError with the nearest name.
    """
    names = {n: n for n in MODELS} | ALIASES
    plain = {_letters(n): model for n, model in names.items()}
    if _letters(name) not in plain:
        raise AccelsimError(f"no network {name!r:.80}{nearest(name, names)}")
    return MODELS[plain[_letters(name)]]


def _letters(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())
