"""A real Slurm cluster on one Debian machine: for tests, for `make demo SLURM=1` and to try things by hand.

An instance is a keeper (`keeper.py`, process 1 of its own PID and mount namespaces) and the daemons inside.
All that an instance changes lives in these namespaces, so it is gone when the keeper is: no mount, no process
and no user is ever added to the machine itself.
"""
