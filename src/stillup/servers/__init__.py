"""How a server is reached: over SSH, or in memory for tests."""
