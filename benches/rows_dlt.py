"""Carries the table of rows.py into DuckDB by dlt: rows_dlt.py URL DIRECTORY. Prints how many rows arrived."""

import json
import sys

import dlt
import duckdb
from dlt.sources.sql_database import sql_table

url, home = sys.argv[1:]
database = f"{home}/copy.duckdb"
source = sql_table(credentials=url.replace("postgres://", "postgresql://"), table="article", backend="pyarrow", chunk_size=50_000)
source.apply_hints(primary_key="id", write_disposition="replace")
pipeline = dlt.pipeline("rows", pipelines_dir=f"{home}/pipelines", destination=dlt.destinations.duckdb(database), dataset_name="shop")
pipeline.run(source)
with duckdb.connect(database, read_only=True) as copy:
    print(json.dumps({"rows": copy.sql("SELECT count(*) FROM shop.article").fetchall()[0][0]}))
