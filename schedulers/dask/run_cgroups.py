"""Gives each run of an executor a cgroup of its own, and does without where the kernel will not have it."""

import os
import sys

from schedulers.dask.cgroup import Cgroup
from schedulers.dask.start_process import CannotEnterCgroup, Program, start_process


class RunCgroups:
    """The cgroups of the runs below one cell."""

    def __init__(self, cell: int | None) -> None:
        """`cell` is the descriptor that the supervisor left open for us; None starts runs without cgroups."""
        self._cell = cell
        self._made = 0
        self._leaving: list[Cgroup] = []
        """Of ended runs in which something is still dying."""
        if cell is not None:
            os.set_inheritable(cell, False)

    def start(self, program: Program, *, memory_mib: int) -> tuple[int, Cgroup | None]:
        """Start a program within a memory limit; its pid and cgroup, None where nothing limits it.

        Raises:
            OSError: the program cannot be executed or its working directory not be entered.
        """
        cgroup = self._make(memory_mib)
        if cgroup is None:
            return start_process(program), None
        try:
            return start_process(program, cgroup=cgroup.descriptor), cgroup
        except CannotEnterCgroup as problem:
            self.remove(cgroup)
            self._give_up(problem)
            return start_process(program), None
        except OSError:
            self.remove(cgroup)
            raise

    def remove(self, cgroup: Cgroup) -> None:
        """End what a run left and remove its cgroup, now or with a later `tick`."""
        if not cgroup.remove():
            self._leaving.append(cgroup)

    def tick(self) -> None:
        """Remove what could not be removed before."""
        self._leaving = [cgroup for cgroup in self._leaving if not cgroup.remove()]

    def _make(self, memory_mib: int) -> Cgroup | None:
        if self._cell is None:
            return None
        self._made += 1
        cgroup = None
        try:
            cgroup = Cgroup.make(f"run-{self._made}", parent=self._cell)
            cgroup.limit_memory(memory_mib)
        except OSError as problem:
            if cgroup:
                self.remove(cgroup)
            self._give_up(problem)
            return None
        return cgroup

    def _give_up(self, problem: Exception) -> None:
        """From now on memory is only watched: better than not to start."""
        sys.stderr.write(f"runs get no cgroups any more: {problem}\n")
        self._cell = None
