"""Files that are written: checked before the work begins, and whole or not there at all."""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import IO

from accelsim.errors import AccelsimError, not_one_of

READER_S = 10
"""Seconds that a pipe may be without a reader."""

_PART = ".part"
_numbers = count()


def check_suffix(path: Path, known: tuple[str, ...]) -> None:
    """Raise AccelsimError unless the path ends in one of the known suffixes and can be written."""
    suffix = path.suffix.lower()
    if suffix not in known:
        raise AccelsimError(f"{path}: the suffix {not_one_of(suffix, known)}")
    check_writable(path)


def check_writable(path: Path | None) -> None:
    """Before long work: raise AccelsimError unless the file can be written. Leaves nothing behind."""
    if path is None:
        return
    with _explained(path):
        target = behind_links(path)
        clear_away(target)
        if target.is_dir():
            raise AccelsimError(f"{path}: is a folder")
        if not target.parent.is_dir():
            raise AccelsimError(f"{path}: there is no folder {path.parent}")
        if _special(target):
            return
        if target.exists() and not os.access(target, os.W_OK):
            raise AccelsimError(f"{path}: may not be written")
        part = temporary(target)
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        part.unlink()


def check_folder(path: Path | None) -> None:
    """Before long work: raise AccelsimError unless a folder is there, or can be made, and be written to."""
    if path is None:
        return
    with _explained(path):
        target = behind_links(path)
        if target.exists() and not target.is_dir():
            raise AccelsimError(f"{path}: is a file, not a folder")
        there = next(p for p in (target, *target.absolute().parents) if p.exists() or p.is_symlink())
        if not there.is_dir():
            raise AccelsimError(f"{path}: {there} is no folder")
        if not os.access(there, os.W_OK | os.X_OK):
            raise AccelsimError(f"{path}: the folder {there} may not be written")


def make_folder(path: Path) -> None:
    """Make a folder and those above it. Raises AccelsimError naming the path."""
    with _explained(path):
        behind_links(path).mkdir(parents=True, exist_ok=True)


def write_whole(path: Path, content: bytes | str) -> Path:
    """Write a file in one step: a reader, or a crash, sees the old one or the new one, never a part.

    A link stays a link; a device or a pipe is written to as it is. What is no letter, as in a name that is
    not UTF-8, becomes an escape, which JSON reads back. Raises AccelsimError naming the path.
    """
    data = content.encode(errors="backslashreplace") if isinstance(content, str) else content
    with _explained(path):
        target = behind_links(path)
        if _special(target):
            with os.fdopen(_opened(target), "wb") as file:
                file.write(data)
            return path
        clear_away(target)
        part = temporary(target)
        try:
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "wb") as file:
                if target.exists():
                    os.chmod(part, stat.S_IMODE(target.stat().st_mode))
                file.write(data)
                settle(file)
            os.replace(part, target)
        except BaseException:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise
        settle_folder(target.parent)
    return path


def _opened(target: Path) -> int:
    """A device or a pipe, open to be written; for somebody who reads a pipe it waits some time."""
    end = time.monotonic() + READER_S
    while True:
        try:
            number = os.open(target, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0))
            break
        except OSError as fault:
            if fault.errno != errno.ENXIO or not stat.S_ISFIFO(target.stat().st_mode):
                raise
            if time.monotonic() > end:
                raise AccelsimError(f"{target}: cannot be written: nobody reads this pipe") from None
        time.sleep(0.05)
    if hasattr(os, "O_NONBLOCK"):
        os.set_blocking(number, True)
    return number


def settle(file: IO[bytes]) -> None:
    """Have what was written on the disk before going on."""
    file.flush()
    os.fsync(file.fileno())


class Lock:
    """The right to write to something, held by one process at a time; the system frees it at its end."""

    def __init__(self, path: Path, what: str) -> None:
        """Take it. Raises AccelsimError, beginning with `what`, where another process has it."""
        self.path = path
        with _explained(path):
            self._file = path.open("ab")
            try:
                _lock(self._file)
            except BlockingIOError:
                self._file.close()
                raise AccelsimError(
                    f"{what}: another process is writing to it; wait for its end, or stop it"
                ) from None
        _held.add(self)

    def free(self) -> None:
        """Let go, and leave nothing behind."""
        _held.discard(self)
        if not self._file.closed:
            with suppress(OSError):
                self.path.unlink(missing_ok=True)
            self._file.close()


_held: set[Lock] = set()


def free_locks() -> None:
    """Let go of all that this process holds, which is about to end."""
    for lock in list(_held):
        lock.free()


def _lock(file: IO[bytes]) -> None:
    try:
        import fcntl
    except ImportError:  # Windows: an open file cannot be replaced there anyway
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:  # a file system without locks
        return
    # Whoever lets go deletes the file: a lock on one that nobody else can find is none.
    with suppress(FileNotFoundError):
        if os.stat(file.name).st_ino == os.fstat(file.fileno()).st_ino:
            return
    raise BlockingIOError


def behind_links(path: Path) -> Path:
    """The file that a path leads to, there or not. Raises AccelsimError for links that lead in a circle."""
    target = Path(os.path.realpath(path)) if path.is_symlink() else path
    if target.is_symlink():
        raise AccelsimError(f"{path}: is a link that leads back to itself")
    return target


def _special(path: Path) -> bool:
    return path.exists() and not path.is_file()


def temporary(target: Path) -> Path:
    """A name beside a file for what is to become it; what a killed process leaves there is removed later."""
    return target.with_name(f".{target.name[:80]}.{os.getpid()}.{next(_numbers)}{_PART}")


def clear_away(target: Path) -> None:
    """Remove what killed processes left of earlier tries at the same file."""
    start = f".{target.name[:80]}."
    with suppress(OSError):
        for entry in os.scandir(target.parent):
            if not (entry.name.startswith(start) and _PART in entry.name):
                continue
            pid = entry.name[len(start) :].partition(".")[0]
            if pid.isdecimal() and not _alive(int(pid)):
                with suppress(OSError):
                    os.unlink(entry.path)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def settle_folder(folder: Path) -> None:
    """Have a new name in a folder on the disk."""
    with suppress(OSError):  # not every system lets a folder be opened
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """The system's faults as AccelsimError."""
    try:
        yield
    except AccelsimError:
        raise
    except (OSError, ValueError) as fault:  # a NUL in a path is a ValueError
        reason = fault.strerror if isinstance(fault, OSError) and fault.strerror else str(fault)
        raise AccelsimError(f"{path}: cannot be written: {reason}") from None
