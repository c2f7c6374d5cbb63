"""What a command needs of its surroundings, asked before it begins: memory, and settings that Numba reads."""

from __future__ import annotations

import os
import warnings

from accelsim.errors import AccelsimError

ROOM = (("RLIMIT_AS", "ulimit -v", 2**30), ("RLIMIT_DATA", "ulimit -d", 2**29))
"""Bytes that may not be less; a search of two workers takes 0.7 and 0.4 GiB, most of them never touched."""


def check_environment() -> None:
    """Raises AccelsimError where no command could work.

    Libraries of compiled code end the process, or wait for ever, where they get no memory to begin with.
    """
    _check_room()
    _check_numba()


def _check_room() -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limits
        return
    for name, shell, least in ROOM:
        room, _ = resource.getrlimit(getattr(resource, name))
        if room == resource.RLIM_INFINITY:
            continue
        if room < least:
            raise AccelsimError(
                f"memory of this process is limited to {room >> 20} MiB ({shell}), but it needs "
                f"{least >> 20}, most of which it never touches; a limit of what it touches is a cgroup's"
            )
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # else it asks for 40 MiB a processor


def _check_numba() -> None:
    """Numba ends in a traceback, or ignores what it cannot read after printing one."""
    named = [name for name in os.environ if name.startswith("NUMBA_") and name != "NUMBA_CACHE_DIR"]
    if not named and not os.path.exists(".numba_config.yaml"):
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "Environment variable")
        try:
            import numba  # noqa: F401
        except Exception as fault:
            line = str(fault).partition("\n")[0]
            said = {name: os.environ[name] for name in named}
            raise AccelsimError(f"Numba's settings {said or '.numba_config.yaml'}: {line}") from None
