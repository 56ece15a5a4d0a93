"""Reading, writing and measuring a device, for `modwire read`, `write` and `bench`."""
