"""What holds for every test."""

from hypothesis import settings

# A busy machine is no bug: how long an example takes is nobody's concern.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")
