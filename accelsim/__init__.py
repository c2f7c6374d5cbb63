"""Hardware-accelerator co-design: price, map and jointly search networks and accelerators."""
