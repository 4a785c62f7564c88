"""What each component needs on a server: a module or package each (pure)."""
