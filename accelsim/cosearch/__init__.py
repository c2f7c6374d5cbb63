"""The joint search over subnets, mappings and accelerators."""
