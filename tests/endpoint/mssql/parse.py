"""Parses the statements of a file as T-SQL (sqlglot); what it only takes as an unknown command has to be on a short list."""

import logging
import sys

import sqlglot
from sqlglot import exp

logging.disable(logging.WARNING)

# Commands of T-SQL that sqlglot takes as a whole.
COMMANDS = ("SET ", "ALTER TABLE ")

text = open(sys.argv[1], encoding="utf-8").read()
count = 0
for line in text.splitlines():
    if not line or line.startswith("--"):
        continue
    # The one form of a call that it does not know.
    line = line.replace("CHANGETABLE(CHANGES ", "CHANGETABLE(")
    for statement in sqlglot.parse(line, read="tsql", error_level=sqlglot.ErrorLevel.RAISE):
        if statement is None:
            continue
        if isinstance(statement, exp.Command):
            said = statement.sql(dialect="tsql")
            assert said.upper().startswith(COMMANDS), said
        count += 1
assert count > 40, count
print(count, "statements")
