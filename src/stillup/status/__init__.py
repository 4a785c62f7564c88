"""How the farm stands: collect (acts), judge (pure)."""
