"""Run a program with the restrictions of our systemd units, as far as possible without systemd.

``python -m tests.support.servers.confined UNIT PROGRAM [ARGUMENT]...`` applies the restrictions of
a unit file that any process can set for itself: system calls, socket families, no memory that is
both writable and executable, no new privileges. Forbidden calls fail with EPERM.
"""

import ctypes
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

PR_SET_NO_NEW_PRIVS = 38
PR_SET_MDWE = 65

SCMP_ACT_ALLOW = 0x7FFF0000
SCMP_ACT_EPERM = 0x00050001
SCMP_CMP_EQ = 4


class Comparison(ctypes.Structure):
    """libseccomp's ``scmp_arg_cmp``."""

    _fields_ = (
        ("arg", ctypes.c_uint),
        ("op", ctypes.c_int),
        ("datum_a", ctypes.c_uint64),
        ("datum_b", ctypes.c_uint64),
    )


def values_of(unit: str, key: str) -> list[str]:
    """Return a unit's values for a key, one per line."""
    return re.findall(rf"^{key}=(.*)$", unit, re.MULTILINE)


def system_calls(unit: str) -> set[str]:
    """Return the system calls in the unit's SystemCallFilter lines, with groups expanded."""
    allowed: set[str] = set()
    for line in values_of(unit, "SystemCallFilter"):
        named = set().union(*(_resolve(word) for word in line.lstrip("~").split()))
        allowed = allowed - named if line.startswith("~") else allowed | named
    # systemd always allows these: without them nothing could start.
    return allowed | _resolve("@default") | {"execve"}


def _resolve(word: str) -> set[str]:
    if not word.startswith("@"):
        return {word}
    command = ["systemd-analyze", "--no-pager", "syscall-filter", word]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    lines = [line.strip() for line in text.splitlines()[1:]]
    names = [line for line in lines if line and not line.startswith("#")]
    return set().union(*(_resolve(name) for name in names))


def confine(unit: str) -> None:
    """Confine this process and its descendants permanently."""
    libc = ctypes.CDLL(None, use_errno=True)
    seccomp = ctypes.CDLL("libseccomp.so.2")
    seccomp.seccomp_init.restype = ctypes.c_void_p
    seccomp.seccomp_init.argtypes = [ctypes.c_uint32]
    seccomp.seccomp_load.argtypes = [ctypes.c_void_p]
    seccomp.seccomp_rule_add_array.argtypes = [
        *(ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint),
        ctypes.POINTER(Comparison),
    ]
    rules = seccomp.seccomp_init(SCMP_ACT_EPERM)
    for name in system_calls(unit) - {"socket"}:
        number = seccomp.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:  # Other names belong to other architectures.
            assert seccomp.seccomp_rule_add_array(rules, SCMP_ACT_ALLOW, number, 0, None) == 0, name
    number = seccomp.seccomp_syscall_resolve_name(b"socket")
    for family in values_of(unit, "RestrictAddressFamilies")[0].split():
        only = Comparison(0, SCMP_CMP_EQ, getattr(socket, family), 0)
        assert seccomp.seccomp_rule_add_array(rules, SCMP_ACT_ALLOW, number, 1, only) == 0, family

    assert values_of(unit, "NoNewPrivileges") == ["yes"]
    assert libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    if values_of(unit, "MemoryDenyWriteExecute") == ["yes"]:
        # Linux before 6.3 lacks it; there systemd would use a system call filter.
        libc.prctl(PR_SET_MDWE, 1, 0, 0, 0)
    assert seccomp.seccomp_load(rules) == 0


if __name__ == "__main__":
    confine(Path(sys.argv[1]).read_text(encoding="utf-8"))
    os.execv(sys.argv[2], sys.argv[2:])
