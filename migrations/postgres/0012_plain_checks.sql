-- A list of values in a check costs nothing here: this concerns SQLite alone.
SELECT 1;
