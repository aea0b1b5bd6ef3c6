"""Prints a SQLite file as text: every table, its rows sorted, without the times of the schema's own steps."""
import sqlite3
import sys

store = sqlite3.connect(sys.argv[1])
assert store.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
assert store.execute("PRAGMA foreign_key_check").fetchall() == []
for (table,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall():
    columns = "version, description, success, checksum" if table == "_sqlx_migrations" else "*"
    for row in sorted(map(repr, store.execute(f"SELECT {columns} FROM {table}"))):
        print(table, row)
