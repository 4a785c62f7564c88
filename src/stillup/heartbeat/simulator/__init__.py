"""A whole farm's heartbeats in virtual time, with every fault the design names. Pure and seeded."""
