"""The tables of the package, written by hand for Polars, as an analyst would.

    python -m tests.bench.polars_script ingest|tables|chain INPUT FOLDER

`ingest` turns JSON lines into the typed table `raw`; `tables` turns `raw` into films, credits,
franchises and KPI tables; `chain` does both.
"""

import sys
from datetime import date
from hashlib import md5
from pathlib import Path

import polars as pl
from polars import col, lit, when

from tests.bench import CSV_COLUMNS, NO_TEXT, RELEASE_YEARS

INT, FLOAT, TEXT, BOOL = pl.Int64, pl.Float64, pl.String, pl.Boolean
NAMED = pl.Struct({"id": INT, "name": TEXT})
COUNTRY = pl.Struct({"iso_3166_1": TEXT, "name": TEXT})
LANGUAGE = pl.Struct({"iso_639_1": TEXT, "name": TEXT, "english_name": TEXT})
CAST = pl.Struct({"id": INT, "name": TEXT, "order": INT, "character": TEXT})
CREW = pl.Struct({"id": INT, "name": TEXT, "job": TEXT, "department": TEXT})
FIELDS = {
    "id": INT,
    **dict.fromkeys("title original_title tagline overview status".split(), TEXT),
    **dict.fromkeys("release_date original_language".split(), TEXT),
    **dict.fromkeys("adult video".split(), BOOL),
    **dict.fromkeys("imdb_id homepage poster_path".split(), TEXT),
    **dict.fromkeys("budget revenue runtime".split(), INT),
    **dict.fromkeys("popularity vote_average".split(), FLOAT),
    "vote_count": INT,
    "belongs_to_collection": NAMED,
    "genres": pl.List(NAMED),
    "production_companies": pl.List(NAMED),
    "production_countries": pl.List(COUNTRY),
    "spoken_languages": pl.List(LANGUAGE),
    "credits": pl.Struct({"cast": pl.List(CAST), "crew": pl.List(CREW)}),
}
MOVIES = (
    "id title tagline release_date release_year release_quarter release_month release_decade "
    "genres collection_id belongs_to_collection instalment original_language budget_musd "
    "revenue_musd profit_musd roi production_companies production_countries vote_count "
    "vote_average popularity runtime overview spoken_languages poster_path cast cast_size "
    "director crew_size doubts known_columns adult video fetched_at as_of seq"
).split()
BLANKS = " \t\n\r\u00a0"


def ingest(lines: Path, folder: Path) -> Path:
    "The path of the typed table `raw` of a file of JSON lines."
    path = folder / "raw.parquet"
    frame = pl.scan_ndjson(lines, schema=FIELDS).with_row_index("seq", 1)
    frame.select(
        col("seq").cast(INT),
        (f"{lines.name}:" + col("seq").cast(TEXT)).alias("origin"),
        lit(None, pl.Datetime("us", "UTC")).alias("fetched_at"),
        lit(None, TEXT).alias("answer_source"),
        lit(None, pl.List(TEXT)).alias("unreadable"),
        *FIELDS,
    ).sink_parquet(path, compression="zstd")
    return path


def known(text: pl.Expr) -> pl.Expr:
    "The text; null if it is blank."
    return when(text.str.strip_chars(BLANKS) != "").then(text)


def says(text: pl.Expr) -> pl.Expr:
    "The text; null if it is blank or says nothing."
    return when(~text.str.strip_chars().str.to_lowercase().is_in(NO_TEXT)).then(known(text))


def filled(values: pl.Expr) -> pl.Expr:
    "The list; null if it is empty."
    return when(values.list.len() > 0).then(values)


def names(objects: str, *fields: str) -> pl.Expr:
    "The names in a list of objects, each once."
    texts = [known(pl.element().struct.field(field)) for field in fields or ("name",)]
    once = pl.coalesce(texts).drop_nulls().unique(maintain_order=True)
    return filled(col(objects).list.eval(once)).alias(objects)


def with_ids(frame: pl.DataFrame, id: str, name: str) -> pl.DataFrame:
    "The frame with an id made from the name where it has none."
    without = frame.filter(col(id).is_null() & col(name).is_not_null())[name].unique()
    made = [-(2**52) - 1 - int(md5(text.encode()).hexdigest()[:13], 16) for text in without]
    ids = pl.DataFrame({name: without, "made": pl.Series(made, dtype=INT)})
    frame = frame.join(ids, on=name, how="left", maintain_order="left")
    return frame.with_columns(pl.coalesce(id, "made").alias(id)).drop("made")


def people(raw: pl.DataFrame, kind: str) -> pl.DataFrame:
    "One row for each entry of the cast or the crew, with its `place` in the list."
    entries = raw.select("seq", "id", col("credits").struct.field(kind).alias("entry"))
    entries = entries.filter(col("entry").list.len() > 0)
    placed = entries.with_columns(pl.int_ranges(0, col("entry").list.len()).alias("place"))
    return (
        placed.explode("entry", "place")
        .rename({"id": "movie_id"})
        .unnest("entry")
        .with_columns(known(col("name")).alias("name"))
    )


def has_id(objects: pl.Expr) -> pl.Expr:
    "Whether any entry of a list has an id."
    ids = objects.list.eval(pl.element().struct.field("id").is_not_null())
    return ids.list.any().fill_null(False)


def records(raw: pl.DataFrame, cast: pl.DataFrame, crew: pl.DataFrame) -> pl.DataFrame:
    "One row a record, with typed values; unknown is null."
    order = pl.coalesce("order", "place").alias("order")
    billed = (
        cast.with_columns(order)
        .sort("seq", "order", "place")
        .unique(["seq", "id", "name"], keep="first", maintain_order=True)
        .filter(col("name").is_not_null())
        .group_by("seq", maintain_order=True)
        .agg(col("name").alias("cast"))
    )
    person = pl.coalesce(col("id").cast(TEXT), "name").alias("person")
    directing = (
        crew.filter((col("job") == "Director") & col("name").is_not_null())
        .with_columns(person)
        .unique(["seq", "person"], keep="first", maintain_order=True)
        .group_by("seq", maintain_order=True)
        .agg(col("name").alias("director"))
    )
    people = col("credits").struct.field("cast"), col("credits").struct.field("crew")
    lists = "genres production_companies production_countries spoken_languages".split()
    ids = has_id(col("genres")) | has_id(people[0]) | has_id(people[1])
    amounts = "budget", "revenue", "runtime"
    kept = "seq origin fetched_at id status adult video popularity vote_count".split()
    collection = col("belongs_to_collection").struct.field
    is_day = col("release_date").str.contains(r"^\d{4}-\d{2}-\d{2}$")
    frame = raw.select(
        *kept,
        *(known(col(name)) for name in ("title", "original_language", "poster_path")),
        *(says(col(name)) for name in ("tagline", "overview")),
        when(is_day).then(col("release_date").str.to_date("%Y-%m-%d", strict=False)),
        *(when(col(name) > 0).then(col(name)) for name in amounts),
        when(col("vote_count") != 0).then("vote_average"),
        known(collection("name")).alias("belongs_to_collection"),
        collection("id").alias("collection_id"),
        *map(names, lists[:3]),
        names("spoken_languages", "name", "english_name"),
        people[0].list.len().cast(INT).alias("cast_size"),
        people[1].list.len().cast(INT).alias("crew_size"),
        faulty=col("unreadable").is_not_null()
        | pl.any_horizontal((col(name) < 0).fill_null(False) for name in amounts),
        parts=col("credits").is_not_null().cast(INT)
        + pl.any_horizontal(col(name).is_not_null() for name in lists).cast(INT)
        + ids.cast(INT),
    )
    frame = with_ids(frame, "collection_id", "belongs_to_collection")
    frame = frame.join(billed, on="seq", how="left").join(directing, on="seq", how="left")
    budget, revenue = col("budget"), col("revenue")
    doubts = {
        "budget below 1,000 USD": budget < 1000,
        "revenue below 1,000 USD": revenue < 1000,
        "ROI below 0.01": revenue / budget < 0.01,
        "ROI above 100": revenue / budget > 100,
    }
    return frame.with_columns(
        (budget / 1e6).alias("budget_musd"),
        (revenue / 1e6).alias("revenue_musd"),
        ((revenue - budget) / 1e6).alias("profit_musd"),
        (revenue / budget).alias("roi"),
        filled(reasons(doubts)).alias("doubts"),
    )


def reasons(rules: dict[str, pl.Expr]) -> pl.Expr:
    "The names of the rules that hold, as a list."
    texts = [when(rule).then(lit(name)) for name, rule in rules.items()]
    return pl.concat_list(texts).list.drop_nulls()


def data_day(records: pl.DataFrame) -> date | None:
    "The newest release with revenue that two others are near to, of records without a time."
    money = (col("status") == "Released") & (col("revenue") > 0) & col("fetched_at").is_null()
    days = records.filter(money, col("release_date").is_not_null()).select("id", "release_date")
    day = days.unique()["release_date"].sort()
    gap, two = day - day.shift(1), day - day.shift(2)
    near = pl.duration(days=180)
    table = pl.DataFrame({"day": day, "gap": gap, "two": two})
    near = pl.max_horizontal(near, 20 * col("gap").quantile(0.5, "lower"))
    found = [col("day").filter(col(each) <= near).max() for each in ("two", "gap")]
    return table.select(pl.coalesce(*found, col("day").max())).item()


def judged(records: pl.DataFrame) -> pl.DataFrame:
    "The records with the rule that drops them, if one does, and all reasons."
    year = col("release_date").dt.year()
    possible = {
        "rating_range": col("vote_average").is_between(0, 10),
        "votes_sign": col("vote_count").is_between(0, 1_000_000_000),
        "popularity_sign": col("popularity").is_between(0, 1_000_000),
        "year_range": year.is_between(*RELEASE_YEARS),
        "runtime_possible": col("runtime").is_between(1, 100_000),
        "budget_possible": col("budget_musd").is_between(0, 100_000),
        "revenue_possible": col("revenue_musd").is_between(0, 100_000),
    }
    frame = records.with_columns(
        pl.sum_horizontal(col(name).is_not_null().cast(INT) for name in CSV_COLUMNS).alias(
            "known_columns"
        ),
        reasons({name: ~rule for name, rule in possible.items()}).alias("broken"),
    )
    impossible, few = col("broken").list.len() > 0, col("known_columns") < 10
    unsound = (col("title").is_null(), few, col("status").is_null(), impossible)
    frame = frame.with_columns(
        sound=~pl.any_horizontal(*unsound, "faulty"),
        released=col("status").eq_missing(lit("Released")),
    )
    best = ["id", "sound", "parts", "fetched_at", "released", "seq"]
    frame = frame.sort(best, descending=[False, *[True] * 5], nulls_last=True)
    rules = {
        "duplicate": ~col("id").is_first_distinct(),
        "no title": col("title").is_null(),
        "too few known columns": few,
        "not released": ~col("released"),
    }
    ids = {name.replace(" ", "_"): rule for name, rule in rules.items()}
    first = [when(rule).then(lit(name)) for name, rule in rules.items()]
    return frame.with_columns(
        pl.coalesce(*first, when(impossible).then(lit("breaks a rule"))).alias("rule"),
        pl.concat_list(reasons(ids), "broken").alias("reasons"),
    )


def movies(judged: pl.DataFrame, day: date | None) -> pl.DataFrame:
    "The films."
    films = judged.filter(col("rule").is_null())
    dated = films.filter(col("collection_id").is_not_null(), col("release_date").is_not_null())
    place = pl.int_range(1, pl.len() + 1).over("collection_id").alias("instalment")
    places = dated.sort("release_date", "id").select("seq", place)
    released = col("release_date").dt
    year = released.year().cast(INT)
    return (
        films.join(places, on="seq", how="left")
        .with_columns(
            year.alias("release_year"),
            released.quarter().cast(INT).alias("release_quarter"),
            released.month().cast(INT).alias("release_month"),
            (year - year % 10).alias("release_decade"),
            pl.coalesce(col("fetched_at").dt.date(), lit(day, pl.Date)).alias("as_of"),
        )
        .select(MOVIES)
        .sort("id")
    )


def credits(films: pl.DataFrame, cast: pl.DataFrame, crew: pl.DataFrame) -> pl.DataFrame:
    "One row for each credit of the films."
    order, text = pl.coalesce("order", "place").alias("order"), lit(None, TEXT)
    columns = ["movie_id", "kind", "order", "person_id", "name", "job", "character"]
    kinds = [
        cast.with_columns(
            order, kind=lit("cast"), job=lit("Actor"), character=known(col("character"))
        ),
        crew.with_columns(
            col("place").alias("order"), kind=lit("crew"), job=known(col("job")), character=text
        ),
    ]
    frames = [
        kind.join(films.select("seq"), on="seq", how="semi").rename({"id": "person_id"})
        for kind in kinds
    ]
    frame = pl.concat([frame.select(columns) for frame in frames])
    return frame.sort(columns, nulls_last=True)


def total(musd: str) -> pl.Expr:
    "The exact sum of a column in million USD; null if no value is known."
    dollars = (col(musd) * 1e6).round().cast(INT).sum()
    return when(col(musd).count() > 0).then(dollars / 1e6)


def summary() -> list[pl.Expr]:
    "The columns that every table of groups has."
    revenue, budget = col("revenue_musd"), col("budget_musd")
    return [
        pl.len().cast(INT).alias("films"),
        total("revenue_musd").alias("total_revenue_musd"),
        (total("revenue_musd") / revenue.count()).alias("mean_revenue_musd"),
        revenue.count().cast(INT).alias("n_revenue"),
        total("budget_musd").alias("total_budget_musd"),
        (total("budget_musd") / budget.count()).alias("mean_budget_musd"),
        budget.count().cast(INT).alias("n_budget"),
        col("roi").median().alias("median_roi"),
        col("roi").count().cast(INT).alias("n_roi"),
        col("vote_average").mean().alias("mean_rating"),
        col("vote_average").count().cast(INT).alias("n_rating"),
        col("popularity").mean().alias("mean_popularity"),
        col("popularity").count().cast(INT).alias("n_popularity"),
    ]


def ranked(frame: pl.DataFrame, by: str, ascending: bool, then: str) -> pl.DataFrame:
    "The rows in order, with their `rank` as the first column."
    ordered = frame.sort(by, then, descending=[not ascending, False], nulls_last=True)
    return ordered.with_row_index("rank", 1).with_columns(col("rank").cast(INT))


def ranking(films: pl.DataFrame, by: str, ascending: bool, among: pl.Expr) -> pl.DataFrame:
    "The ten films with the highest or lowest values."
    top = films.filter(col(by).is_not_null() & among).sort(
        by, "id", descending=[not ascending, False]
    )
    shown = "budget_musd revenue_musd vote_count vote_average doubts".split()
    columns = ["rank", "id", "title", "release_date", col(by).cast(FLOAT).alias("value"), *shown]
    return ranked(top.head(10), by, ascending, "id").select(columns)


def rankings(films: pl.DataFrame) -> dict[str, pl.DataFrame]:
    "All rankings by name."
    every, budget, votes = lit(True), col("budget_musd") >= 10, col("vote_count") >= 10
    return {
        name: ranking(films, *how)
        for name, how in {
            "highest_revenue": ("revenue_musd", False, every),
            "highest_budget": ("budget_musd", False, every),
            "highest_profit": ("profit_musd", False, every),
            "lowest_profit": ("profit_musd", True, every),
            "highest_roi": ("roi", False, budget),
            "lowest_roi": ("roi", True, budget),
            "most_voted": ("vote_count", False, every),
            "highest_rated": ("vote_average", False, votes),
            "lowest_rated": ("vote_average", True, votes),
            "most_popular": ("popularity", False, every),
        }.items()
    }


def directors(films: pl.DataFrame, credits: pl.DataFrame) -> pl.DataFrame:
    "The films of each director."
    directing = credits.filter((col("kind") == "crew") & (col("job") == "Director"))
    directing = with_ids(directing, "person_id", "name").filter(col("person_id").is_not_null())
    once = (
        directing.sort(col("name").is_null(), "order", "name")
        .unique(["movie_id", "person_id"], keep="first", maintain_order=True)
        .select(col("movie_id").alias("id"), "person_id", "name")
        .with_columns(pl.len().over("id").alias("together"))
    )
    groups = (
        films.join(once, on="id")
        .group_by("person_id")
        .agg(
            col("name").sort_by("id").last().alias("director"),
            *summary(),
            (col("together") > 1).sum().cast(INT).alias("co_directed"),
        )
    )
    return ranked(groups, "total_revenue_musd", False, "person_id")


def franchise_tables(films: pl.DataFrame) -> dict[str, pl.DataFrame]:
    "The tables `collections`, `franchises` and `franchise_vs_standalone`."
    of = films.filter(col("collection_id").is_not_null()).group_by("collection_id")
    name = col("belongs_to_collection").sort_by("id").last().alias("collection")
    collections = of.agg(name, pl.len().cast(INT).alias("films")).sort("collection_id")
    found = of.agg(name, *summary())
    is_part = col("collection_id").is_not_null()
    group = when(is_part).then(lit("franchise")).otherwise(lit("standalone")).alias("group")
    return {
        "collections": collections,
        "franchises": ranked(found, "total_revenue_musd", False, "collection_id"),
        "franchise_vs_standalone": films.group_by(group).agg(summary()).sort("group"),
    }


def write_tables(raw: Path, folder: Path) -> None:
    "Write all tables."
    rows = pl.read_parquet(raw)
    cast, crew = people(rows, "cast"), people(rows, "crew")
    found = records(rows, cast, crew)
    verdicts = judged(found)
    films = movies(verdicts, data_day(found))
    people_of_films = credits(films, cast, crew)
    drops = ["seq", "origin", "id", "title", "rule", "reasons"]
    genres = films.explode("genres").drop_nulls("genres").rename({"genres": "genre"})
    years = films.drop_nulls("release_year").rename({"release_year": "year"})
    tables = {
        "movies": films,
        "dropped": verdicts.filter(col("rule").is_not_null()).select(drops).sort("seq"),
        "credits": people_of_films,
        **rankings(films),
        **franchise_tables(films),
        "directors": directors(films, people_of_films),
        "genres": ranked(genres.group_by("genre").agg(summary()), "films", False, "genre"),
        "yearly": years.group_by("year").agg(summary()).sort("year"),
    }
    for name, table in tables.items():
        table.write_parquet(folder / f"{name}.parquet", compression="zstd")


def main(part: str, source: str, target: str) -> None:
    "Do one part."
    folder = Path(target)
    raw = Path(source) if part == "tables" else ingest(Path(source), folder)
    if part != "ingest":
        write_tables(raw, folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
