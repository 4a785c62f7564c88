"""Wanted and observed become ordered steps (pure); rolling apply, release, lock."""
