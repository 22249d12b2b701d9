"""A client that nobody here wrote (python-tds) reads every type from the server of the tests."""

import datetime
import decimal
import os
import uuid

import pytds

DAY = datetime.date(2024, 2, 29)
EXPECTED = {
    "bit": True,
    "tinyint": 255,
    "smallint": -32768,
    "int": -2,
    "bigint": -(2**63),
    "real": 0.5,
    "float": 0.1,
    "decimal": decimal.Decimal("-1234567890123.4567890123"),
    "money": decimal.Decimal("-922337203685477.5807"),
    "smallmoney": decimal.Decimal("1.2345"),
    "guid": uuid.UUID("00112233-4455-6677-8899-aabbccddeeff"),
    "nvarchar": "ä名🙂",
    "nvarchar_max": "a longer text in chunks",
    "varchar": "é",
    "nchar": "ab  ",
    "char": "ab  ",
    "varbinary": b"\x00\xff",
    "varbinary_max": bytes(range(256)),
    "binary": b"\x01\x00\x00\x00",
    "date": DAY,
    # Python's times count microseconds.
    "time": datetime.time(23, 59, 59, 250000),
    "datetime2": datetime.datetime(2024, 2, 29, 23, 59, 59, 123456),
    "datetimeoffset": datetime.datetime(2024, 2, 29, 23, 59, 59, 500000, datetime.timezone.utc),
    "datetime": datetime.datetime(2024, 2, 29, 23, 59, 59, 500000),
    "smalldatetime": datetime.datetime(2024, 2, 29, 23, 59),
    "ntext": "old",
    "xml": "<a/>",
    "variant": 7,
}


def connect(password):
    authority = os.environ.get("AUTHORITY")
    more = {"cafile": authority, "validate_host": True} if authority else {}
    return pytds.connect(
        "localhost",
        port=int(os.environ["PORT"]),
        database="shop",
        user=os.environ["SQL_USER"],
        password=password,
        autocommit=True,
        timeout=20,
        login_timeout=20,
        **more,
    )


with connect(os.environ["PASSWORD"]) as connection, connection.cursor() as cursor:
    cursor.execute("SELECT everything")
    names = [column[0] for column in cursor.description]
    assert names == list(EXPECTED), names
    rows = cursor.fetchall()
    assert len(rows) == 4, rows
    for row in (rows[0], rows[3]):
        for name, value in zip(names, row):
            assert value == EXPECTED[name], (name, value, EXPECTED[name])
    for row in (rows[1], rows[2]):
        assert all(value is None for value in row), row
    cursor.execute("SELECT given %s, %s, %s", ("ä", 7, None))
    print(cursor.fetchone())
    try:
        cursor.execute("SELECT too much")
        raise SystemExit("an error was none")
    except pytds.Error as error:
        assert "Invalid object name" in str(error), error

try:
    connect("wrong")
    raise SystemExit("anybody is let in")
except pytds.Error as error:
    assert "Login failed" in str(error), error
print("at home")
