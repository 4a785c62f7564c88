"""A web farm with no single point of failure, and the proof of it."""

__version__ = "0.1.0"
