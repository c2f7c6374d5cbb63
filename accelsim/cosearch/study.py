"""`Study`: a search's record, one SQLite file. A generation is one transaction; nothing is ever rewritten."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim import files
from accelsim.cosearch.finish import Finished, read_finished
from accelsim.cosearch.genes import Genomes
from accelsim.cosearch.goals import Goals, Record
from accelsim.cosearch.screen import BOUNDED, MAPPED
from accelsim.cosearch.setup import SearchConfig
from accelsim.errors import AccelsimError

APPLICATION_ID = 0x61636373
"""Marks an SQLite file as ours."""

FORMAT = 4
"""Version of new files. The first had no seal: nothing told when its last generations were missing. The
second had the metrics of `BEFORE` as its columns, and did not say so; the third names its metrics; the fourth
says what each candidate's figures are."""

LARGEST = 256 * 2**20
"""Bytes of one value, beyond which SQLite refuses it."""

BEFORE = tuple(
    Record(name, name, unit, name == "accuracy", (), name in ("edp", "latency", "energy"), "1")
    for name, unit in (
        ("edp", "Js"), ("latency", "s"), ("energy", "J"), ("power", "mW"), ("area", "mm2"), ("macs", ""),
        ("accuracy", "%"),
    )
)  # fmt: skip
"""Metrics of the first two formats."""

_TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE generations (
    n INTEGER PRIMARY KEY, phase TEXT NOT NULL, finished TEXT NOT NULL, seconds REAL NOT NULL,
    layers INTEGER NOT NULL, pairs INTEGER NOT NULL, mappings INTEGER NOT NULL,
    rejected TEXT NOT NULL, rng TEXT NOT NULL, digest TEXT NOT NULL);
CREATE TABLE candidates (
    generation INTEGER NOT NULL REFERENCES generations (n), row INTEGER NOT NULL, genome BLOB NOT NULL,
    network TEXT NOT NULL, hardware TEXT NOT NULL, feasible INTEGER NOT NULL, excess TEXT NOT NULL,
    COLUMNS,
    PRIMARY KEY (generation, row)) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Generation:
    """What one generation asked and learned.

    rows      genomes int64[n, genes of the phase]
    values    float64[n, metrics of the study]
    excess    float64[n, limits + 1], see `Phase.excess`
    networks, hardware  label of each row's network, its chip in a few words
    levels    int64[n], what the figures of each row are, see `screen.LEVELS`
    layers, pairs, mappings  asked for; work of the process that wrote this generation: pairs that it had to
              map, mappings evaluated for them (after a break, pairs of earlier generations count again)
    rejected  rows drawn but not evaluated, by reason
    """

    phase: str
    rows: Genomes
    values: NDArray[np.float64]
    excess: NDArray[np.float64]
    networks: tuple[str, ...]
    hardware: tuple[str, ...]
    levels: NDArray[np.int64]
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
        from accelsim import __version__

        if path is not None and path.exists():
            raise AccelsimError(f"study {path}: exists already; resume it or choose another name")
        versions = {"accelsim": __version__, **_library_versions()}
        metrics = Goals.of(config.objectives, config.limits).records()
        meta = {
            "config": json.dumps(config.to_dict(), sort_keys=True),
            "config_hash": config.hash,
            "evaluations": str(evaluations),
            "versions": json.dumps(versions),
            "metrics": json.dumps([record._asdict() for record in metrics]),
        }
        meta["seal"] = _seal(meta, 0, config.hash)
        if path is None:
            return cls(_filled(_connect(None, "rwc"), metrics, meta), path, config, metrics)
        real = files.behind_links(path)
        temporary = files.temporary(real)
        try:
            with _explained(path):
                files.clear_away(real)
                with closing(_connect(temporary, "rwc")) as db:
                    _filled(db, metrics, meta)
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
        with _explained(path):
            db = _connect(real, "rw" if write else "ro")
            try:
                config, metrics = _checked(path, db)
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
        with _explained(self.path):
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
        with _explained(self.path), self._db as db:
            db.execute("BEGIN IMMEDIATE")
            db.execute("UPDATE meta SET value = ? WHERE key = 'evaluations'", (str(evaluations),))
            _reseal(db)

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

    def keep(self, made: Finished) -> None:
        """Add a finished design."""
        found = [*(item.to_dict() for item in self.finished()), made.to_dict()]
        with _explained(self.path), self._db as db:
            db.execute("BEGIN IMMEDIATE")
            db.execute("INSERT OR REPLACE INTO meta VALUES ('finished', ?)", (json.dumps(found),))
            _reseal(db)

    @cached_property
    def _has_levels(self) -> bool:
        """Whether the file has room for them."""
        return bool(self._db.execute("PRAGMA user_version").fetchone()[0] >= 4)

    @property
    def versions(self) -> dict[str, str]:
        """Versions of accelsim and of the libraries that the study was begun with."""
        return dict(json.loads(self._meta("versions")))

    def _meta(self, key: str, default: str | None = None) -> str:
        with _explained(self.path):
            row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        if row is None and default is not None:
            return default
        return str(row[0])

    def __len__(self) -> int:
        """Generations."""
        with _explained(self.path):
            return int(self._db.execute("SELECT count(*) FROM generations").fetchone()[0])

    def generations(self) -> Iterator[Generation]:
        """All of them, oldest first."""
        with _explained(self.path):
            heads = self._db.execute("SELECT * FROM generations ORDER BY n").fetchall()
            for i, (*head, digest) in enumerate(heads):
                found = self._db.execute(
                    "SELECT * FROM candidates WHERE generation = ? ORDER BY row", (head[0],)
                ).fetchall()
                made = (
                    _generation(head, found, len(self.metrics))
                    if head[0] == i and _digest(head, found) == digest
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
        with _explained(self.path), self._db as db:
            db.execute("BEGIN IMMEDIATE")
            db.execute(
                "INSERT INTO generations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (*head, _digest(head, rows))
            )
            db.executemany(f"INSERT INTO candidates VALUES ({marks})", rows)
            _reseal(db)


def _digest(head: Sequence[Any], rows: Sequence[Sequence[Any]]) -> str:
    """SHA-256 of a generation as SQLite gives it back, which itself does not notice a flipped bit."""
    return hashlib.sha256(repr((tuple(head), [tuple(row) for row in rows])).encode()).hexdigest()


def _connect(path: Path | None, mode: str) -> sqlite3.Connection:
    if path is None:
        return sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    uri = f"{Path(os.path.abspath(path)).as_uri()}?mode={mode}"
    if mode == "ro" and not path.with_name(path.name + "-wal").exists():
        uri += "&immutable=1"  # nobody writes: leave no files beside it, need no right to
    db = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=30.0, check_same_thread=False)
    db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LARGEST)
    db.execute("PRAGMA trusted_schema = OFF")
    db.execute("PRAGMA cell_size_check = ON")
    return db


def _tables(names: Sequence[str], version: int = FORMAT) -> list[str]:
    """Statements that make the tables, a column a metric; the names that always were bare still are."""
    bare = {record.name for record in BEFORE}
    columns = ", ".join(f"{name if name in bare else chr(34) + name + chr(34)} REAL" for name in names)
    levels = ", _level INTEGER NOT NULL" if version >= 4 else ""
    return [sql for sql in _TABLES.replace("COLUMNS", columns + levels).split(";") if sql.strip()]


def _filled(db: sqlite3.Connection, metrics: Sequence[Record], meta: Mapping[str, str]) -> sqlite3.Connection:
    """An empty database, made a study without a generation."""
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute(f"PRAGMA user_version = {FORMAT}")
    with db:
        db.execute("BEGIN IMMEDIATE")
        for statement in _tables([record.name for record in metrics]):
            db.execute(statement)
        db.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
    return db


def _checked(path: Path, db: sqlite3.Connection) -> tuple[SearchConfig, tuple[Record, ...]]:
    """Configuration and metrics in an SQLite file, once it is known to be a study that this version reads."""
    if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise AccelsimError(f"study {path}: is an SQLite file, but not a study of accelsim")
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version > FORMAT:
        raise AccelsimError(
            f"study {path}: has format {version}, written by a newer accelsim; this one reads up to "
            f"{FORMAT}. Upgrade accelsim to read it"
        )
    names = _check_tables(path, db)
    meta = dict(db.execute("SELECT key, value FROM meta"))
    try:
        if not all(isinstance(text, str) for text in (*meta, *meta.values())):
            raise TypeError("settings must be texts")
        metrics = _records(meta["metrics"]) if version > 2 else BEFORE
        if [record.name for record in metrics] != names:
            raise ValueError("its metrics are not those of its columns")
        config = _config(meta["config"])
        if int(meta["evaluations"]) < 1:
            raise ValueError("evaluations must be 1 or more")
        if not all(isinstance(word, str) for word in dict(json.loads(meta["versions"])).values()):
            raise ValueError("versions must be texts")
    except (KeyError, TypeError, ValueError, RecursionError) as fault:
        what = " ".join(str(fault).split())[:200]
        raise AccelsimError(f"study {path}: its configuration is damaged: {what}") from None
    if config.hash != meta.get("config_hash"):
        raise AccelsimError(f"study {path}: its configuration does not match its hash; the file was changed")
    if (version != 1 or "seal" in meta) and meta.get("seal") != _seal(meta, *_chain(db, config.hash)):
        raise AccelsimError(
            f"study {path}: is damaged: generations or settings are missing, or are not what was written; "
            "restore a copy or begin a new study"
        )
    return config, metrics


def _check_tables(path: Path, db: sqlite3.Connection) -> list[str]:
    """No triggers, no views, no computed columns: the tables as they were made, and nothing else.

    Returns the names of the metrics.
    """
    rows = db.execute("SELECT type, name, sql FROM sqlite_schema").fetchall()
    found = [" ".join(str(sql).split()) for kind, name, sql in rows if not _is_internal(kind, name)]
    names = [
        name
        for sql in found
        if " candidates " in sql
        for name in re.findall(r"\b([a-z_0-9]+)\"? REAL\b", sql)
    ]
    version = db.execute("PRAGMA user_version").fetchone()[0]
    wanted = {" ".join(sql.split()) for sql in _tables(names, version)}
    if len(found) != len(wanted) or set(found) != wanted:
        raise AccelsimError(
            f"study {path}: its tables are not those of a study; it is damaged or something else; "
            "restore a copy or begin a new study"
        )
    return names


def _is_internal(kind: object, name: object) -> bool:
    """SQLite's own indexes and statistics."""
    return kind in ("table", "index") and str(name).startswith("sqlite_")


def _config(text: str) -> SearchConfig:
    """The configuration in a study. Raises ValueError, TypeError or KeyError for what is none."""
    from pydantic import TypeAdapter

    config = SearchConfig.from_dict(json.loads(text))
    TypeAdapter(SearchConfig).validate_json(json.dumps(config.to_dict()), strict=True)
    return config


def _records(text: str) -> tuple[Record, ...]:
    """The metrics in a study. Raises ValueError or TypeError for what is none."""
    from pydantic import TypeAdapter

    return tuple(TypeAdapter(list[Record]).validate_json(text, strict=True))


def _chain(db: sqlite3.Connection, start: str) -> tuple[int, str]:
    """(number of generations, a digest that stands for all of theirs in order)."""
    digests = db.execute("SELECT digest FROM generations ORDER BY n").fetchall()
    for (digest,) in digests:
        start = hashlib.sha256(f"{start} {digest}".encode()).hexdigest()
    return len(digests), start


_SEALED = ("config_hash", "evaluations", "versions", "metrics", "finished")


def _seal(meta: Mapping[str, str], generations: int, chain: str) -> str:
    """What says that all of a study is there: settings, and the generations by number and digest."""
    settings = (meta[key] for key in _SEALED if key in meta)
    parts = [*settings, str(generations), chain]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _reseal(db: sqlite3.Connection) -> None:
    """Within a transaction that adds to a study; one of the first format becomes one of the second."""
    meta = dict(db.execute("SELECT key, value FROM meta"))
    seal = _seal(meta, *_chain(db, meta["config_hash"]))
    db.execute("INSERT OR REPLACE INTO meta VALUES ('seal', ?)", (seal,))
    version = db.execute("PRAGMA user_version").fetchone()[0]
    db.execute(f"PRAGMA user_version = {max(2, version)}")


def _generation(head: Sequence[Any], rows: Sequence[Sequence[Any]], metrics: int) -> Generation | None:
    """A generation from its rows in the tables; None where they do not hold what they must."""
    _, phase, _, seconds, layers, pairs, mappings, rejected, rng = head
    try:
        counts = dict(json.loads(rejected))
        made = Generation(
            phase,
            np.array([np.frombuffer(row[2], "<i8") for row in rows], np.int64),
            np.array(
                [[np.nan if v is None else v for v in row[7 : 7 + metrics]] for row in rows], np.float64
            ),
            np.array([json.loads(row[6]) for row in rows], np.float64),
            tuple(row[3] for row in rows),
            tuple(row[4] for row in rows),
            np.array([row[7 + metrics] if len(row) > 7 + metrics else MAPPED for row in rows]),
            float(seconds),
            layers,
            pairs,
            mappings,
            counts,
            rng,
        )
        texts = (phase, rng, *made.networks, *made.hardware, *counts)
        numbers = (layers, pairs, mappings, *counts.values())
        right = (
            made.rows.ndim == made.values.ndim == made.excess.ndim == 2
            and all(isinstance(x, str) for x in texts)
            and all(isinstance(x, int) and x >= 0 for x in numbers)
            and made.levels.dtype.kind == "i"
            and bool(((made.levels >= BOUNDED) & (made.levels <= MAPPED)).all())
        )
    except (TypeError, ValueError, KeyError, IndexError, OverflowError, RecursionError):
        return None
    return made if right else None


@contextmanager
def _explained(path: Path | None) -> Iterator[None]:
    """SQLite's faults as AccelsimError."""
    try:
        yield
    except sqlite3.IntegrityError as fault:
        raise AccelsimError(
            f"study {path}: another process has written the same generation ({fault}); go on in one place"
        ) from None
    except UnicodeDecodeError:  # SQLite's own words quote a text of the file that is none
        raise AccelsimError(
            f"study {path}: is damaged: texts that are not UTF-8; restore a copy or begin a new study"
        ) from None
    except sqlite3.Error as fault:
        text = str(fault).partition(" with text ")[0]
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
        elif any(word in text for word in ("not a database", "malformed", "UTF-8", "no such", "too big")):
            hint = "it is damaged or something else; restore a copy or begin a new study"
        raise AccelsimError(f"study {path}: {text}; {hint}") from None


def _library_versions() -> dict[str, str]:
    from importlib.metadata import version
    from platform import python_version

    names = ("numpy", "numba", "pymoo", "cma")
    return {"python": python_version(), **{name: version(name) for name in names}}


def summary(study: Study) -> dict[str, Any]:
    """Numbers about a study for listings: generations, candidates, seconds, and what was spent."""
    with _explained(study.path):
        row = study._db.execute(
            "SELECT count(*), coalesce(sum(seconds), 0), coalesce(sum(pairs), 0), coalesce(sum(mappings), 0) "
            "FROM generations"
        ).fetchone()
        found = study._db.execute("SELECT count(*), coalesce(sum(feasible), 0) FROM candidates").fetchone()
    keys = ("generations", "seconds", "pairs", "mappings", "candidates", "feasible")
    return dict(zip(keys, (*row, *found)))
