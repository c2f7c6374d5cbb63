"""`Study`: a search's record, one SQLite file. A generation is one transaction; nothing is ever rewritten."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from accelsim import files
from accelsim.cosearch.config import SearchConfig
from accelsim.cosearch.finished import Finished, read_finished
from accelsim.cosearch.generation import Generation, digest_of, read_generation
from accelsim.cosearch.goals import Goals, Record
from accelsim.cosearch.study_file import checked, connect, explained, filled, reseal, seal
from accelsim.errors import AccelsimError


class Study:
    """Read with `Study.open`, begun with `Study.create`; `path` None keeps it in memory."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        path: Path | None,
        config: SearchConfig,
        metrics: Sequence[Record],
    ) -> None:
        self._db = connection
        self._lock: files.Lock | None = None
        self.path = path
        self._file = None if path is None else files.behind_links(path)
        self.config = config
        self.metrics = tuple(metrics)

    # -- opening -------------------------------------------------------------------------------------

    @classmethod
    def create(cls, path: Path | None, config: SearchConfig, evaluations: int) -> Study:
        """A new study. Raises AccelsimError where the file exists or cannot be written."""
        if path is not None and path.exists():
            raise AccelsimError(f"study {path}: exists already; resume it or choose another name")
        metrics = Goals.of(config.objectives, config.limits).records()
        meta = {
            "config": json.dumps(config.to_dict(), sort_keys=True),
            "config_hash": config.hash,
            "evaluations": str(evaluations),
            "versions": json.dumps(versions()),
            "metrics": json.dumps([record._asdict() for record in metrics]),
        }
        meta["seal"] = seal(meta, 0, config.hash)
        if path is None:
            return cls(filled(connect(None, "rwc"), metrics, meta), path, config, metrics)
        real = files.behind_links(path)
        temporary = files.temporary(real)
        try:
            with explained(path):
                files.clear_away(real)
                with closing(connect(temporary, "rwc")) as db:
                    filled(db, metrics, meta)
            os.link(temporary, real)  # there from one moment to the next, and never in the place of another
        except FileExistsError:
            raise AccelsimError(f"study {path}: exists already; resume it or choose another name") from None
        except OSError:  # a file system without links
            temporary.rename(real)
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
        files.settle_folder(real.parent)
        return cls.open(path, write=True)

    @classmethod
    def open(cls, path: Path, write: bool = False) -> Study:
        """An existing study. Raises AccelsimError for what is no study, is damaged or of a newer version."""
        real = files.behind_links(path)
        if not path.is_file():
            what = (
                "is a folder"
                if path.is_dir()
                else "is a pipe or a device"
                if path.exists()
                else "no such file"
            )
            raise AccelsimError(f"study {path}: {what}")
        if write:
            files.clear_away(real)
            if real.stat().st_nlink > 1:  # each name would have a log of its own
                raise AccelsimError(
                    f"study {path}: has other names (hard links), under which it could be written to at the "
                    "same time; go on with a copy"
                )
        if write and not os.access(path, os.W_OK):  # SQLite would find out too, and leave files beside it
            raise AccelsimError(
                f"study {path}: may not be written; make the file writable, or choose another with --study"
            )
        with explained(path):
            db = connect(real, "rw" if write else "ro")
            try:
                config, metrics = checked(path, db)
                if write:
                    db.execute("PRAGMA journal_mode = WAL")
                    db.execute("PRAGMA synchronous = FULL")
            except BaseException:
                db.close()
                raise
        return cls(db, path, config, metrics)

    def lock(self) -> None:
        """Make this the only writer, until `close` or the end of the process.

        Raises AccelsimError if another process writes to the study.
        """
        if self._file is None or self._lock is not None:
            return
        self._lock = files.Lock(self._file.with_name(self._file.name + ".lock"), f"study {self.path}")
        with explained(self.path):
            self._db.execute("BEGIN IMMEDIATE")  # a file that cannot be written says so now
            self._db.execute("ROLLBACK")

    def close(self) -> None:
        """Free the file."""
        self._db.close()
        if self._lock is not None:
            self._lock.free()
            self._lock = None

    def discard(self) -> None:
        """Close a study and delete it."""
        self.close()
        if self._file is not None:
            self._file.unlink(missing_ok=True)

    def __enter__(self) -> Study:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- content -------------------------------------------------------------------------------------

    @property
    def evaluations(self) -> int:
        """How many candidates the search is to evaluate in all."""
        return int(self._meta("evaluations"))

    def extend(self, evaluations: int) -> None:
        """Ask for more candidates."""
        with explained(self.path), self._db as db:
            db.execute("BEGIN IMMEDIATE")
            db.execute("UPDATE meta SET value = ? WHERE key = 'evaluations'", (str(evaluations),))
            reseal(db)

    def finished(self) -> list[Finished]:
        """Designs that were finished, in that order. Raises AccelsimError where they are damaged."""
        try:
            out = read_finished(self._meta("finished", "[]"))
            if any(len(made.values) != len(self.metrics) for made in out):
                raise ValueError("a value a metric")
        except ValueError:
            raise AccelsimError(
                f"study {self.path}: is damaged: its finished designs are none; restore a copy or begin a "
                "new study"
            ) from None
        return out

    def keep(self, *made: Finished, near: str = "") -> None:
        """Add finished designs, all or none; `near` says around what a local search found them."""
        self._kept += [json.dumps(item.to_dict()) for item in made]
        rows = {"finished": f"[{', '.join(self._kept)}]"} | ({"near": near} if near else {})
        with explained(self.path), self._db as db:
            db.execute("BEGIN IMMEDIATE")
            db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", rows.items())
            reseal(db)

    @cached_property
    def _kept(self) -> list[str]:
        """The finished designs of the file, each as JSON."""
        return [json.dumps(item.to_dict()) for item in self.finished()]

    @property
    def near(self) -> str:
        """Around what the last local search looked, "" if none has yet."""
        return self._meta("near", "")

    @cached_property
    def _has_levels(self) -> bool:
        """Whether the file has room for them."""
        return bool(self._db.execute("PRAGMA user_version").fetchone()[0] >= 4)

    @property
    def versions(self) -> dict[str, str]:
        """Versions of accelsim and of the libraries that the study was begun with."""
        return dict(json.loads(self._meta("versions")))

    def _meta(self, key: str, default: str | None = None) -> str:
        with explained(self.path):
            row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        if row is None and default is not None:
            return default
        return str(row[0])

    def __len__(self) -> int:
        """Generations."""
        with explained(self.path):
            return int(self._db.execute("SELECT count(*) FROM generations").fetchone()[0])

    def generations(self) -> Iterator[Generation]:
        """All of them, oldest first."""
        with explained(self.path):
            heads = self._db.execute("SELECT * FROM generations ORDER BY n").fetchall()
            for i, (*head, digest) in enumerate(heads):
                found = self._db.execute(
                    "SELECT * FROM candidates WHERE generation = ? ORDER BY row", (head[0],)
                ).fetchall()
                made = (
                    read_generation(head, found, len(self.metrics))
                    if head[0] == i and digest_of(head, found) == digest
                    else None
                )
                if made is None:
                    raise AccelsimError(
                        f"study {self.path}: generation {i + 1} is damaged: it is not what was written; "
                        "restore a copy or begin a new study"
                    )
                yield made

    def write(self, n: int, generation: Generation) -> None:
        """Add generation number `n`, all or nothing.

        Raises AccelsimError where the file cannot take it; what was there stays.
        """
        from datetime import UTC, datetime

        g = generation
        now = datetime.now(UTC).isoformat(timespec="seconds")
        head = (n, g.phase, now, g.seconds, g.layers, g.pairs, g.mappings, json.dumps(g.rejected), g.rng)
        rows = [
            (
                n,
                i,
                g.rows[i].astype("<i8").tobytes(),
                g.networks[i],
                g.hardware[i],
                int(g.feasible[i]),
                json.dumps(g.excess[i].tolist()),
                *(None if value != value else value for value in g.values[i].tolist()),
                *([int(g.levels[i])] if self._has_levels else []),
            )
            for i in range(len(g.rows))
        ]
        marks = ", ".join("?" * (7 + len(self.metrics) + self._has_levels))
        with explained(self.path), self._db as db:
            db.execute("BEGIN IMMEDIATE")
            db.execute(
                "INSERT INTO generations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*head, digest_of(head, rows)),
            )
            db.executemany(f"INSERT INTO candidates VALUES ({marks})", rows)
            reseal(db)


def versions() -> dict[str, str]:
    """Versions that run here, of accelsim, Python and the libraries that a search depends on."""
    from importlib.metadata import version
    from platform import python_version

    from accelsim import __version__

    names = ("numpy", "numba", "pymoo", "cma")
    return {"accelsim": __version__, "python": python_version(), **{name: version(name) for name in names}}


def summary(study: Study) -> dict[str, Any]:
    """Numbers about a study for listings: generations, candidates, seconds, and what was spent."""
    with explained(study.path):
        row = study._db.execute(
            "SELECT count(*), coalesce(sum(seconds), 0), coalesce(sum(pairs), 0), coalesce(sum(mappings), 0) "
            "FROM generations"
        ).fetchone()
        found = study._db.execute("SELECT count(*), coalesce(sum(feasible), 0) FROM candidates").fetchone()
    keys = ("generations", "seconds", "pairs", "mappings", "candidates", "feasible")
    return dict(zip(keys, (*row, *found)))
