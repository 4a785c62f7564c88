"""The drills: users, a fault, what was written down meanwhile, and what that says of the promises.

Four separate things, as Jepsen has them: the *workload* (``stillup.drill.workload``, a program of
its own), the *fault* (``faults``, ``world``), the *history* (``history``) and the *checker*
(``checker``). ``run`` plays one drill after another and ``report`` tells it.
"""
