"""The workload: users of the farm, as a program of its own (``python -m stillup.drill.workload``).

An *open loop*: when a request is due follows from the clock alone (``schedule``), never from what
became of those before it, so a farm that stalls is charged for every request it should have
answered. ``settings`` says how much of what, ``pages`` what is asked and what is a right answer,
``answer`` reads HTTP, ``load`` decides which connection asks what, ``connection`` and ``client``
act, and ``start`` starts the program and reads what it did. The program is standard library only.
"""
