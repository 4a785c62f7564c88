"""What a run of drills tells: on the terminal, as JSON, as one HTML page, and beside an earlier run.

All of it is made of one value, ``run.Run``; nothing here looks at a farm.
"""
