"""The farm as values: read, check, problems, single points of failure (pure)."""
