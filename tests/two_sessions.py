"""A Spark session of the user and ours in one process.

python -m tests.two_sessions first|later|closed [ADDRESS]   # when the user's session is made
"""

import sys

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

import tmdb_analysis as tmdb
from tmdb_analysis.core.engine import close_engine


def users_session(address: str | None) -> SparkSession:
    "A session that a user makes and uses: Connect with an address, otherwise classic."
    builder = SparkSession.builder
    if address:
        theirs = builder.remote(address).getOrCreate()
    else:
        options = {"spark.ui.enabled": "false", "spark.sql.shuffle.partitions": "1"}
        theirs = builder.master("local[1]").config(map=options).getOrCreate()
    theirs.createDataFrame([(1,), (2,)], ["n"]).createOrReplaceTempView("mine")
    assert theirs.table("mine").filter(F.col("n") > 1).count() == 1
    return theirs


def main(when: str, address: str | None = None) -> None:
    "Use both sessions in turn; end with that of the user, and go on with ours."
    theirs = users_session(address) if when == "first" else None
    movies = tmdb.load("movies")
    assert tmdb.kpis.ranking(movies, "highest_roi", top_n=3).count() == 3
    assert len(tmdb.find("genre:Horror")) > 100
    assert len(tmdb.kpis.ranking(tmdb.load("movies", as_="arrow"), "highest_roi")) == 10
    if when == "closed":
        close_engine()
    theirs = theirs or users_session(address)
    assert theirs is not tmdb.session() and not tmdb.session().catalog.tableExists("mine")
    assert tmdb.load("movies").count() == len(tmdb.load("movies", as_="pandas"))
    assert theirs.table("mine").count() == 2
    theirs.stop()
    assert tmdb.load("movies").count() > 900


if __name__ == "__main__":
    main(*sys.argv[1:])
