"""A study's file: tables and settings in SQLite, what says that they are all there, and faults in words."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from accelsim.cosearch.config import SearchConfig
from accelsim.cosearch.goals import Record
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


def connect(path: Path | None, mode: str) -> sqlite3.Connection:
    """To a file, by SQLite's word for how it may be used (ro, rw, rwc); None: to memory."""
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


def filled(db: sqlite3.Connection, metrics: Sequence[Record], meta: Mapping[str, str]) -> sqlite3.Connection:
    """An empty database, made a study without a generation."""
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute(f"PRAGMA user_version = {FORMAT}")
    with db:
        db.execute("BEGIN IMMEDIATE")
        for statement in _tables([record.name for record in metrics]):
            db.execute(statement)
        db.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
    return db


def checked(path: Path, db: sqlite3.Connection) -> tuple[SearchConfig, tuple[Record, ...]]:
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
    if (version != 1 or "seal" in meta) and meta.get("seal") != seal(meta, *_chain(db, config.hash)):
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


def seal(meta: Mapping[str, str], generations: int, chain: str) -> str:
    """What says that all of a study is there: settings, and the generations by number and digest."""
    settings = (meta[key] for key in _SEALED if key in meta)
    parts = [*settings, str(generations), chain]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def reseal(db: sqlite3.Connection) -> None:
    """Within a transaction that adds to a study; one of the first format becomes one of the second."""
    meta = dict(db.execute("SELECT key, value FROM meta"))
    made = seal(meta, *_chain(db, meta["config_hash"]))
    db.execute("INSERT OR REPLACE INTO meta VALUES ('seal', ?)", (made,))
    version = db.execute("PRAGMA user_version").fetchone()[0]
    db.execute(f"PRAGMA user_version = {max(2, version)}")


@contextmanager
def explained(path: Path | None) -> Iterator[None]:
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
