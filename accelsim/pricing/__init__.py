"""What networks cost on chips: see `accelsim.pricing.network`."""
