"""The checker (pure): what a history says of the promises. ``judge.judge`` is the way in.

``figures`` counts and measures, ``outage``, ``holders``, ``sessions`` and ``writes`` each one thing;
``timing`` and ``truth`` are the rulings, ``judge`` puts them together.
"""
