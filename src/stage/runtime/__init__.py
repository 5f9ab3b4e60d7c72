"""The machine: device, compute dtype, cores, memory allocation."""
