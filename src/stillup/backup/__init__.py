"""Backups of the farm's data: made, checked, kept, put back. Runs on the controller."""
