"""The farm's servers as real machines on this one: image, network, machines, power."""
