"""A module a command; nothing but arguments, output and exit codes."""
