"""What processes cost, from /proc: CPU in ticks of 10 ms, and memory."""

from __future__ import annotations

import os
from pathlib import Path

_PROC = Path("/proc")
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_KIB_A_MIB = 1024


def cpu_s(pid: int) -> float:
    """User and system seconds of a process, all its threads."""
    user, system = _stat(pid)[11:13]
    return (int(user) + int(system)) / _TICKS_A_SECOND


def family_cpu_s(pid: int) -> float:
    """Of a process, its children and those of them that have ended and were waited for."""
    ticks = sum(int(field) for field in _stat(pid)[11:15])
    return ticks / _TICKS_A_SECOND + sum(_child_cpu_s(child) for child in _children(pid))


def parent_of(pid: int) -> int:
    """The id of the parent."""
    return int(_stat(pid)[1])


def peak_mib(pid: int) -> float:
    """The most memory a process has had resident."""
    for line in (_PROC / str(pid) / "status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / _KIB_A_MIB
    raise ProcessLookupError(pid)


def _stat(pid: int) -> list[str]:
    """The fields after the command's name, which may hold spaces."""
    return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()


def _children(pid: int) -> list[int]:
    found = (_PROC / str(pid) / "task" / str(pid) / "children").read_text()
    return [int(child) for child in found.split()]


def _child_cpu_s(pid: int) -> float:
    """A child may end between being listed and being read."""
    try:
        return cpu_s(pid)
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
