"""Who prices a layer: one cost model a file."""

from accelsim.pricing.models.base import MODELS, CostModel, load_model, model_names

__all__ = ["MODELS", "CostModel", "load_model", "model_names"]
