"""Opening the database, and its errors in our words."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.pool import StaticPool

from trimtab.records import UserError
from trimtab.store.schema import SCHEMA_VERSION, Base, SchemaRow

_ELSEWHERE = "or name another store with TRIMTAB_STORE"
_KNOWN_ERRORS = {
    "locked": ("is locked by another process", f"wait until that one has ended, {_ELSEWHERE}"),
    "readonly": ("is read-only", f"allow writing to the file and its folder, {_ELSEWHERE}"),
    "unable to open": ("cannot be opened", f"does its folder exist? Create it, {_ELSEWHERE}"),
    "malformed": ("is damaged", f"move the file away, {_ELSEWHERE}"),
    "not a database": ("is not a database", f"move the file away, {_ELSEWHERE}"),
    "disk is full": ("cannot grow: the disk is full", f"free some space, {_ELSEWHERE}"),
}


def open_engine(url: str, timeout_s: float) -> Engine:
    """The database with our tables in it. ``timeout_s``: how long to wait for SQLite's lock.

    Raises UserError for a URL that is none, a file that cannot be used, and a newer schema.
    """
    engine = _engine(url, timeout_s)
    with translated(engine):
        _prepare(engine)
    return engine


@contextmanager
def translated(engine: Engine) -> Iterator[None]:
    """Turns the database's errors into one UserError line."""
    try:
        yield
    except DBAPIError as error:
        raise _user_error(engine, str(error.orig)) from error
    except sqlite3.Error as error:  # from a connection's own set-up, where nothing wraps it
        raise _user_error(engine, str(error)) from error


def _engine(url: str, timeout_s: float) -> Engine:
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() != "sqlite":
            return create_engine(parsed, pool_pre_ping=True)
        options: dict[str, Any] = {"timeout": timeout_s, "check_same_thread": False}
        pool = StaticPool if parsed.database in (None, "", ":memory:") else None
        engine = create_engine(parsed, connect_args=options, poolclass=pool)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        first_line = str(error).splitlines()[0]
        raise UserError(
            f"the run store's URL cannot be used: {first_line}",
            "write it like sqlite:///runs.db; other databases need their driver installed",
        ) from error
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver would commit before each CREATE TABLE
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA journal_mode=WAL")


def _begin_sqlite(connection: Connection) -> None:
    """Writers take the lock first: upgrading a read lock fails at once, without waiting."""
    immediate = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def _prepare(engine: Engine) -> None:
    with engine.connect() as connection:
        if _is_current(engine, connection):
            return
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        if _is_current(engine, connection):  # another process was faster
            return
        is_new = not inspect(connection).has_table(SchemaRow.__tablename__)
        Base.metadata.create_all(connection)
        if is_new:
            connection.execute(SchemaRow.__table__.insert().values(version=SCHEMA_VERSION))  # type: ignore[attr-defined]


def _is_current(engine: Engine, connection: Connection) -> bool:
    """False: a table is missing. Raises UserError where it is not ours, or newer than we are."""
    tables = inspect(connection).get_table_names()
    if SchemaRow.__tablename__ not in tables:
        if tables:
            raise UserError(
                f"{_name(engine)} holds another program's tables ({', '.join(tables[:3])})",
                "name a database of its own with TRIMTAB_STORE",
            )
        return False
    version = connection.execute(select(SchemaRow.version)).scalar()
    if version is None or version > SCHEMA_VERSION:
        raise UserError(
            f"{_name(engine)} was written by a newer trimtab (schema {version}, this one knows "
            f"{SCHEMA_VERSION})",
            f"upgrade trimtab, {_ELSEWHERE}",
        )
    return set(Base.metadata.tables) <= set(tables)


def _user_error(engine: Engine, text: str) -> UserError:
    for sign, (problem, advice) in _KNOWN_ERRORS.items():
        if sign in text:
            return UserError(f"{_name(engine)} {problem}", advice)
    first_line = (text.splitlines() or ["no reason given"])[0]
    return UserError(f"{_name(engine)} failed: {first_line}", f"see to the database, {_ELSEWHERE}")


def _name(engine: Engine) -> str:
    shown = engine.url.render_as_string(hide_password=True)
    if engine.url.get_backend_name() == "sqlite":
        shown = engine.url.database or ":memory:"
    return f"the run store {shown}"
