"""`Study`: a search's record, one SQLite file. A generation is one transaction; nothing is ever rewritten."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.cosearch.genes import Genomes
from accelsim.cosearch.goals import NAMES
from accelsim.cosearch.setup import SearchConfig
from accelsim.errors import AccelsimError

APPLICATION_ID = 0x61636373
"""Marks an SQLite file as ours."""

FORMAT = 1
"""Version of the tables."""

_TABLES = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE generations (
    n INTEGER PRIMARY KEY, phase TEXT NOT NULL, finished TEXT NOT NULL, seconds REAL NOT NULL,
    layers INTEGER NOT NULL, pairs INTEGER NOT NULL, mappings INTEGER NOT NULL,
    rejected TEXT NOT NULL, rng TEXT NOT NULL);
CREATE TABLE candidates (
    generation INTEGER NOT NULL REFERENCES generations (n), row INTEGER NOT NULL, genome BLOB NOT NULL,
    network TEXT NOT NULL, hardware TEXT NOT NULL, feasible INTEGER NOT NULL, excess TEXT NOT NULL,
    {", ".join(f"{name} REAL" for name in NAMES)},
    PRIMARY KEY (generation, row)) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Generation:
    """What one generation asked and learned.

    rows      genomes int64[n, genes of the phase]
    values    float64[n, len(NAMES)]
    excess    float64[n, limits + 1], see `Phase.excess`
    networks, hardware  label of each row's network, its chip in a few words
    layers, pairs, mappings  asked for, mapped anew, evaluated
    rejected  rows drawn but not evaluated, by reason
    """

    phase: str
    rows: Genomes
    values: NDArray[np.float64]
    excess: NDArray[np.float64]
    networks: tuple[str, ...]
    hardware: tuple[str, ...]
    seconds: float = 0.0
    layers: int = 0
    pairs: int = 0
    mappings: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    rng: str = ""

    @property
    def feasible(self) -> NDArray[np.bool_]:
        """[n] rows that meet all limits."""
        return np.asarray((self.excess <= 0).all(axis=1))


class Study:
    """Read with `Study.open`, begun with `Study.create`; `path` None keeps it in memory."""

    def __init__(self, connection: sqlite3.Connection, path: Path | None, config: SearchConfig) -> None:
        self._db = connection
        self._lock: sqlite3.Connection | None = None
        self.path = path
        self.config = config

    # -- opening -------------------------------------------------------------------------------------

    @classmethod
    def create(cls, path: Path | None, config: SearchConfig, evaluations: int) -> Study:
        """A new study. Raises AccelsimError where the file exists or cannot be written."""
        from accelsim import __version__

        if path is not None and path.exists():
            raise AccelsimError(f"study {path}: exists already; resume it or choose another name")
        versions = {"accelsim": __version__, **_library_versions()}
        meta = {
            "config": json.dumps(config.to_dict(), sort_keys=True),
            "config_hash": config.hash,
            "evaluations": str(evaluations),
            "versions": json.dumps(versions),
        }
        with _explained(path):
            db = _connect(path, "rwc")
            db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            db.execute(f"PRAGMA user_version = {FORMAT}")
            with db:
                db.execute("BEGIN IMMEDIATE")
                for statement in _TABLES.split(";"):
                    db.execute(statement)
                db.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
        return cls(db, path, config)

    @classmethod
    def open(cls, path: Path, write: bool = False) -> Study:
        """An existing study. Raises AccelsimError for what is no study, is damaged or of a newer version."""
        if not path.is_file():
            raise AccelsimError(f"study {path}: no such file")
        with _explained(path):
            db = _connect(path, "rw" if write else "ro")
            if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
                raise AccelsimError(f"study {path}: is an SQLite file, but not a study of accelsim")
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version > FORMAT:
                raise AccelsimError(
                    f"study {path}: has format {version}, written by a newer accelsim; this one reads up to "
                    f"{FORMAT}. Upgrade accelsim to read it"
                )
            meta = dict(db.execute("SELECT key, value FROM meta"))
        try:
            config = SearchConfig.from_dict(json.loads(meta["config"]))
        except (KeyError, TypeError, ValueError) as fault:
            raise AccelsimError(f"study {path}: its configuration is damaged: {fault}") from None
        if config.hash != meta.get("config_hash"):
            raise AccelsimError(
                f"study {path}: its configuration does not match its hash; the file was changed"
            )
        return cls(db, path, config)

    def lock(self) -> None:
        """Make this the only writer, until `close` or the end of the process.

        Raises AccelsimError if another process writes to the study.
        """
        if self.path is None or self._lock is not None:
            return
        guard = self.path.with_name(self.path.name + ".lock")
        with _explained(self.path):
            self._lock = sqlite3.connect(guard, timeout=0.0, isolation_level=None, check_same_thread=False)
            try:
                self._lock.execute("BEGIN EXCLUSIVE")
            except sqlite3.OperationalError as fault:
                self._lock.close()
                self._lock = None
                if "locked" not in str(fault):
                    raise
                raise AccelsimError(
                    f"study {self.path}: another process is writing to it; wait for its end, or stop it"
                ) from None

    def close(self) -> None:
        """Free the file."""
        self._db.close()
        if self._lock is not None and self.path is not None:
            guard = self.path.with_name(self.path.name + ".lock")
            self._lock.close()
            self._lock = None
            guard.unlink(missing_ok=True)

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
        with _explained(self.path), self._db as db:
            db.execute("UPDATE meta SET value = ? WHERE key = 'evaluations'", (str(evaluations),))

    @property
    def versions(self) -> dict[str, str]:
        """Versions of accelsim and of the libraries that the study was begun with."""
        return dict(json.loads(self._meta("versions")))

    def _meta(self, key: str) -> str:
        with _explained(self.path):
            return str(self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()[0])

    def __len__(self) -> int:
        """Generations."""
        with _explained(self.path):
            return int(self._db.execute("SELECT count(*) FROM generations").fetchone()[0])

    def generations(self) -> Iterator[Generation]:
        """All of them, oldest first."""
        columns = ", ".join(NAMES)
        with _explained(self.path):
            heads = self._db.execute(
                "SELECT n, phase, seconds, layers, pairs, mappings, rejected, rng FROM generations ORDER BY n"
            ).fetchall()
            for n, phase, seconds, layers, pairs, mappings, rejected, rng in heads:
                found = self._db.execute(
                    f"SELECT genome, network, hardware, excess, {columns} FROM candidates "
                    "WHERE generation = ? ORDER BY row",
                    (n,),
                ).fetchall()
                values = np.array([[np.nan if v is None else v for v in item[4:]] for item in found], float)
                yield Generation(
                    phase,
                    np.array([np.frombuffer(item[0], "<i4") for item in found], np.int64),
                    values,
                    np.array([json.loads(item[3]) for item in found], float),
                    tuple(item[1] for item in found),
                    tuple(item[2] for item in found),
                    seconds,
                    layers,
                    pairs,
                    mappings,
                    dict(json.loads(rejected)),
                    rng,
                )

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
                g.rows[i].astype("<i4").tobytes(),
                g.networks[i],
                g.hardware[i],
                int(g.feasible[i]),
                json.dumps(g.excess[i].tolist()),
                *g.values[i].tolist(),
            )
            for i in range(len(g.rows))
        ]
        marks = ", ".join("?" * (7 + len(NAMES)))
        with _explained(self.path), self._db as db:
            db.execute("BEGIN IMMEDIATE")
            db.execute("INSERT INTO generations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", head)
            db.executemany(f"INSERT INTO candidates VALUES ({marks})", rows)


def _connect(path: Path | None, mode: str) -> sqlite3.Connection:
    if path is None:
        return sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    if mode == "ro" and not path.with_name(path.name + "-wal").exists():
        uri += "&immutable=1"  # nobody writes: leave no files beside it, need no right to
    db = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=30.0, check_same_thread=False)
    if mode != "ro":
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
    return db


@contextmanager
def _explained(path: Path | None) -> Iterator[None]:
    """SQLite's faults as AccelsimError."""
    try:
        yield
    except sqlite3.IntegrityError as fault:
        raise AccelsimError(
            f"study {path}: another process has written the same generation ({fault}); go on in one place"
        ) from None
    except sqlite3.Error as fault:
        text = str(fault)
        hint = "nothing that was written before is lost"
        if "full" in text:
            hint = "free some space, then resume; " + hint
        elif "readonly" in text or "unable to open" in text:
            folder = path.parent if path is not None else Path()
            hint = (
                f"the folder {folder} must exist and be writable"
                if not os.access(folder, os.W_OK)
                else "make the file writable, or choose another with --study"
            )
        elif "not a database" in text or "malformed" in text or "disk image" in text:
            hint = "it is damaged or something else; restore a copy or begin a new study"
        raise AccelsimError(f"study {path}: {text}; {hint}") from None


def _library_versions() -> dict[str, str]:
    from importlib.metadata import version
    from platform import python_version

    names = ("numpy", "numba", "pymoo", "cma")
    return {"python": python_version(), **{name: version(name) for name in names}}


def summary(study: Study) -> dict[str, Any]:
    """Numbers about a study for listings: generations, candidates, seconds, and what was spent."""
    row = study._db.execute(
        "SELECT count(*), coalesce(sum(seconds), 0), coalesce(sum(pairs), 0), coalesce(sum(mappings), 0) "
        "FROM generations"
    ).fetchone()
    candidates = study._db.execute("SELECT count(*), coalesce(sum(feasible), 0) FROM candidates").fetchone()
    keys = ("generations", "seconds", "pairs", "mappings", "candidates", "feasible")
    return dict(zip(keys, (*row, *candidates)))
