"""The tables of the package, written by hand for DuckDB: the yardstick of `make bench`.

    python -m tests.bench.duckdb_script ingest|tables|chain INPUT FOLDER

`ingest` turns JSON lines into the typed table `raw`; `tables` turns `raw` into films, credits,
franchises and KPI tables; `chain` does both.
"""

import sys
from pathlib import Path

import duckdb

from tests.bench import CSV_COLUMNS, RELEASE_YEARS

NAMED = "STRUCT(id BIGINT, name VARCHAR)"
CAST = 'STRUCT(id BIGINT, name VARCHAR, "order" BIGINT, "character" VARCHAR)[]'
CREW = "STRUCT(id BIGINT, name VARCHAR, job VARCHAR, department VARCHAR)[]"
FIELDS = {
    "id": "BIGINT",
    **dict.fromkeys("title original_title tagline overview status".split(), "VARCHAR"),
    **dict.fromkeys("release_date original_language".split(), "VARCHAR"),
    **dict.fromkeys("adult video".split(), "BOOLEAN"),
    **dict.fromkeys("imdb_id homepage poster_path".split(), "VARCHAR"),
    **dict.fromkeys("budget revenue runtime".split(), "BIGINT"),
    **dict.fromkeys("popularity vote_average".split(), "DOUBLE"),
    "vote_count": "BIGINT",
    "belongs_to_collection": NAMED,
    "genres": f"{NAMED}[]",
    "production_companies": f"{NAMED}[]",
    "production_countries": "STRUCT(iso_3166_1 VARCHAR, name VARCHAR)[]",
    "spoken_languages": "STRUCT(iso_639_1 VARCHAR, name VARCHAR, english_name VARCHAR)[]",
    "credits": f'STRUCT("cast" {CAST}, crew {CREW})',
}

RAW = """
SELECT row_number() OVER () AS seq, $name || ':' || row_number() OVER () AS origin,
    NULL::TIMESTAMPTZ AS fetched_at, NULL::VARCHAR AS answer_source,
    NULL::VARCHAR[] AS unreadable, *
FROM read_json($path, format = 'newline_delimited', columns = {columns})
"""

# Blank texts and texts that say nothing are unknown.
MACROS = """
CREATE MACRO known(t) AS CASE WHEN trim(t, ' \t\n\r\u00a0') <> '' THEN t END;
CREATE MACRO says(t) AS CASE WHEN lower(trim(t)) NOT IN ('no data', 'no overview found.',
    'no overview found', 'no overview', 'no tagline', 'n/a', 'none', 'null', 'nan', '-')
    THEN known(t) END;
CREATE MACRO filled(l) AS CASE WHEN len(l) > 0 THEN l END;
CREATE MACRO once(l) AS CASE WHEN len(list_distinct(l)) = len(l) THEN l
    ELSE list_filter(l, lambda x, i: list_position(l, x) = i) END;
CREATE MACRO known_names(l) AS filled(once(list_filter(
    list_transform(l, lambda x: known(x.name)), lambda n: n IS NOT NULL)));
CREATE MACRO id_or_name(id, name) AS coalesce(id,
    -4503599627370497 - ('0x' || substr(md5(name), 1, 13))::BIGINT);
CREATE MACRO has_id(l) AS coalesce(list_bool_or(list_transform(l, lambda x: x.id IS NOT NULL)),
    false);
CREATE MACRO total(x) AS sum(round(x * 1e6)::HUGEINT)::DOUBLE / 1e6;
"""

# One row a record, with typed values; unknown is NULL.
VALUES = """
CREATE TEMP TABLE record AS
WITH plain AS (
    SELECT seq, origin, fetched_at, id, status,
        unreadable IS NOT NULL OR coalesce(least(budget, revenue, runtime) < 0, false) AS faulty,
        adult, video, popularity, vote_count,
        known(title) AS title, says(tagline) AS tagline, says(overview) AS overview,
        known(original_language) AS original_language, known(poster_path) AS poster_path,
        CASE WHEN release_date SIMILAR TO '[0-9]{4}-[0-9]{2}-[0-9]{2}'
            THEN try_cast(release_date AS DATE) END AS release_date,
        CASE WHEN budget > 0 THEN budget END AS budget,
        CASE WHEN revenue > 0 THEN revenue END AS revenue,
        CASE WHEN runtime > 0 THEN runtime END AS runtime,
        CASE WHEN vote_count <> 0 THEN vote_average END AS vote_average,
        known(belongs_to_collection.name) AS collection,
        id_or_name(belongs_to_collection.id, collection) AS collection_id,
        known_names(genres) AS genres, known_names(production_companies) AS production_companies,
        known_names(production_countries) AS production_countries,
        filled(once(list_filter(list_transform(spoken_languages,
            lambda x: coalesce(known(x.name), known(x.english_name))),
            lambda n: n IS NOT NULL))) AS spoken_languages,
        list_transform(list_sort(list_transform(credits."cast", lambda x, i:
            {'order': coalesce(x."order", i - 1), 'at': i, 'id': x.id, 'name': known(x.name)})),
            lambda x: {'id': x.id, 'name': x.name}) AS billed,
        list_filter(credits.crew,
            lambda x: x.job = 'Director' AND known(x.name) IS NOT NULL) AS directing,
        list_transform(directing, lambda x: coalesce(x.id::VARCHAR, x.name)) AS people,
        len(credits."cast") AS cast_size, len(credits.crew) AS crew_size,
        (credits IS NOT NULL)::INT + (genres IS NOT NULL OR production_companies IS NOT NULL
            OR production_countries IS NOT NULL OR spoken_languages IS NOT NULL)::INT
            + (has_id(genres) OR has_id(credits."cast") OR has_id(credits.crew))::INT AS parts
    FROM read_parquet($raw)
)
SELECT * EXCLUDE (budget, revenue, billed, directing, people, collection),
    collection AS belongs_to_collection,
    budget / 1e6 AS budget_musd, revenue / 1e6 AS revenue_musd,
    (revenue - budget) / 1e6 AS profit_musd, revenue / budget AS roi,
    filled(list_filter(list_transform(once(billed), lambda x: x.name), lambda n: n IS NOT NULL))
        AS "cast",
    filled(list_transform(list_filter(directing, lambda x, i:
        list_position(people, people[i]) = i), lambda x: known(x.name))) AS director,
    filled(list_filter([CASE WHEN budget < 1000 THEN 'budget below 1,000 USD' END,
        CASE WHEN revenue < 1000 THEN 'revenue below 1,000 USD' END,
        CASE WHEN revenue / budget < 0.01 THEN 'ROI below 0.01' END,
        CASE WHEN revenue / budget > 100 THEN 'ROI above 100' END],
        lambda x: x IS NOT NULL)) AS doubts
FROM plain
"""

MOST = {  # rule: column, lowest and highest possible value
    "rating_range": ("vote_average", 0, 10),
    "votes_sign": ("vote_count", 0, 1_000_000_000),
    "popularity_sign": ("popularity", 0, 1_000_000),
    "year_range": ("year(release_date)", *RELEASE_YEARS),
    "runtime_possible": ("runtime", 1, 100_000),
    "budget_possible": ("budget_musd", 0, 100_000),
    "revenue_possible": ("revenue_musd", 0, 100_000),
}
KNOWN_COLUMNS = " + ".join(f'("{c}" IS NOT NULL)::BIGINT' for c in CSV_COLUMNS)
BROKEN = ", ".join(
    f"CASE WHEN {column} NOT BETWEEN {low} AND {high} THEN '{rule}' END"
    for rule, (column, low, high) in MOST.items()
)

# The day of records without a time: the newest release with revenue that two others are near to.
DATA_DAY = """
CREATE TEMP TABLE data_day AS
WITH released AS (
    SELECT DISTINCT id, release_date AS day FROM record
    WHERE fetched_at IS NULL AND status = 'Released' AND revenue_musd > 0 AND day IS NOT NULL
), gaps AS (
    SELECT day, day - lag(day) OVER days AS gap, day - lag(day, 2) OVER days AS two FROM released
    WINDOW days AS (ORDER BY day)
), near AS (SELECT greatest(180, 20 * quantile_disc(gap, 0.5)) AS days FROM gaps)
SELECT coalesce(max(day) FILTER (two <= days), max(day) FILTER (gap <= days), max(day)) AS day
FROM gaps, near
"""

# Which record of a film counts, which records are dropped, and the place in the franchise.
JUDGED = f"""
CREATE TEMP TABLE judged AS
WITH featured AS (
    SELECT seq, id, title, status, faulty, parts, fetched_at, collection_id, release_date,
        {KNOWN_COLUMNS} AS known_columns,
        list_filter([{BROKEN}], lambda x: x IS NOT NULL) AS broken
    FROM record
), ranked AS (
    SELECT *, row_number() OVER (PARTITION BY id ORDER BY title IS NOT NULL
        AND known_columns >= 10 AND status IS NOT NULL AND len(broken) = 0 AND NOT faulty
        DESC, parts DESC, fetched_at DESC NULLS LAST, status IS NOT DISTINCT FROM 'Released' DESC,
        seq DESC) > 1 AS is_copy
    FROM featured
), ruled AS (
    SELECT *, CASE WHEN is_copy THEN 'duplicate' WHEN title IS NULL THEN 'no title'
            WHEN known_columns < 10 THEN 'too few known columns'
            WHEN status IS DISTINCT FROM 'Released' THEN 'not released'
            WHEN len(broken) > 0 THEN 'breaks a rule' END AS rule,
        list_filter([CASE WHEN is_copy THEN 'duplicate' END,
            CASE WHEN title IS NULL THEN 'no_title' END,
            CASE WHEN known_columns < 10 THEN 'too_few_known_columns' END,
            CASE WHEN status IS DISTINCT FROM 'Released' THEN 'not_released' END],
            lambda x: x IS NOT NULL) || broken AS reasons
    FROM ranked
)
SELECT seq, rule, reasons, known_columns,
    CASE WHEN rule IS NULL AND collection_id IS NOT NULL AND release_date IS NOT NULL
        THEN row_number() OVER (PARTITION BY rule IS NULL, coalesce(collection_id, -id)
            ORDER BY release_date NULLS LAST, id) END AS instalment
FROM ruled
"""
MOVIES = """
CREATE TEMP TABLE movies AS
SELECT id, title, tagline, release_date, year(release_date) AS release_year,
    quarter(release_date) AS release_quarter, month(release_date) AS release_month,
    release_year - release_year % 10 AS release_decade, genres, collection_id,
    belongs_to_collection, instalment, original_language, budget_musd, revenue_musd, profit_musd,
    roi, production_companies, production_countries, vote_count, vote_average, popularity, runtime,
    overview, spoken_languages, poster_path, "cast", cast_size, director, crew_size, doubts,
    known_columns, adult, video, fetched_at,
    coalesce(fetched_at::DATE, (SELECT day FROM data_day)) AS as_of, seq
FROM record JOIN judged USING (seq) WHERE rule IS NULL
"""
CREDITS = """
CREATE TEMP TABLE credits AS
WITH films AS (SELECT id, credits FROM read_parquet($raw) SEMI JOIN movies USING (seq)), people AS (
    SELECT id, unnest(credits."cast") AS p, generate_subscripts(credits."cast", 1) - 1 AS place
    FROM films
), crew AS (
    SELECT id, unnest(credits.crew) AS p, generate_subscripts(credits.crew, 1) - 1 AS place
    FROM films
)
SELECT id AS movie_id, 'cast' AS kind, coalesce(p."order", place) AS "order", p.id AS person_id,
    known(p.name) AS name, 'Actor' AS job, known(p."character") AS "character" FROM people
UNION ALL
SELECT id, 'crew', place, p.id, known(p.name), known(p.job), NULL FROM crew
"""

SUMMARY = """count(*) AS films, total(revenue_musd) AS total_revenue_musd,
    total(revenue_musd) / nullif(count(revenue_musd), 0) AS mean_revenue_musd,
    count(revenue_musd) AS n_revenue, total(budget_musd) AS total_budget_musd,
    total(budget_musd) / nullif(count(budget_musd), 0) AS mean_budget_musd,
    count(budget_musd) AS n_budget, median(roi) AS median_roi, count(roi) AS n_roi,
    avg(vote_average) AS mean_rating, count(vote_average) AS n_rating,
    avg(popularity) AS mean_popularity, count(popularity) AS n_popularity"""
DIRECTORS = f"""
WITH once AS (
    SELECT movie_id AS id, id_or_name(person_id, name) AS person,
        min({{'nameless': name IS NULL, 'order': "order", 'name': name}}).name AS name
    FROM credits WHERE kind = 'crew' AND job = 'Director' AND person IS NOT NULL GROUP BY ALL
), who AS (SELECT *, count(*) OVER (PARTITION BY id) AS together FROM once), found AS (
    SELECT person AS person_id, max_by(who.name, id) AS director, {SUMMARY},
        count(*) FILTER (together > 1) AS co_directed
    FROM movies JOIN who USING (id) GROUP BY person
)
SELECT row_number() OVER (ORDER BY total_revenue_musd DESC NULLS LAST, person_id) AS rank, *
FROM found ORDER BY rank
"""
RANKINGS = {  # column, direction, condition
    "highest_revenue": ("revenue_musd", "DESC", "true"),
    "highest_budget": ("budget_musd", "DESC", "true"),
    "highest_profit": ("profit_musd", "DESC", "true"),
    "lowest_profit": ("profit_musd", "ASC", "true"),
    "highest_roi": ("roi", "DESC", "budget_musd >= 10"),
    "lowest_roi": ("roi", "ASC", "budget_musd >= 10"),
    "most_voted": ("vote_count", "DESC", "true"),
    "highest_rated": ("vote_average", "DESC", "vote_count >= 10"),
    "lowest_rated": ("vote_average", "ASC", "vote_count >= 10"),
    "most_popular": ("popularity", "DESC", "true"),
}
RANKED = """
SELECT row_number() OVER (ORDER BY {by} {way}, id) AS rank, id, title, release_date,
    {by}::DOUBLE AS value, budget_musd, revenue_musd, vote_count, vote_average, doubts
FROM movies WHERE {by} IS NOT NULL AND {condition} ORDER BY rank LIMIT 10
"""
COLLECTIONS = """
CREATE TEMP TABLE collections AS
SELECT collection_id, max_by(belongs_to_collection, id) AS collection, count(*) AS films
FROM movies WHERE collection_id IS NOT NULL GROUP BY collection_id
"""
RESULTS = {  # table: query
    "movies": "FROM movies ORDER BY id",
    "dropped": "SELECT seq, origin, id, title, rule, reasons "
    "FROM record JOIN judged USING (seq) WHERE rule IS NOT NULL ORDER BY seq",
    "credits": "FROM credits ORDER BY ALL",
    "collections": "FROM collections ORDER BY collection_id",
    **{
        name: RANKED.format(by=by, way=way, condition=condition)
        for name, (by, way, condition) in RANKINGS.items()
    },
    "franchise_vs_standalone": f"""
        SELECT CASE WHEN collection_id IS NULL THEN 'standalone' ELSE 'franchise' END AS "group",
            {SUMMARY} FROM movies GROUP BY 1 ORDER BY 1""",
    "franchises": f"""
        WITH found AS (SELECT collection_id, {SUMMARY} FROM movies
            WHERE collection_id IS NOT NULL GROUP BY collection_id)
        SELECT row_number() OVER (ORDER BY total_revenue_musd DESC NULLS LAST, collection_id)
            AS rank, collection_id, collection, found.* EXCLUDE (collection_id)
        FROM found JOIN collections USING (collection_id) ORDER BY rank""",
    "directors": DIRECTORS,
    "genres": f"""
        WITH found AS (SELECT unnest(genres) AS genre, * FROM movies)
        SELECT row_number() OVER (ORDER BY count(*) DESC, genre) AS rank, genre, {SUMMARY}
        FROM found GROUP BY genre ORDER BY rank""",
    "yearly": f"""
        SELECT release_year AS year, {SUMMARY} FROM movies
        WHERE release_year IS NOT NULL GROUP BY 1 ORDER BY 1""",
}


def copy(db: duckdb.DuckDBPyConnection, query: str, target: Path, **values: str) -> None:
    "Write the result of a query as Parquet."
    db.execute(f"COPY ({query}) TO '{target}' (FORMAT parquet, COMPRESSION zstd)", values)


def ingest(db: duckdb.DuckDBPyConnection, lines: Path, folder: Path) -> Path:
    "The path of the typed table `raw` of a file of JSON lines."
    path = folder / "raw.parquet"
    query = RAW.format(columns=FIELDS)
    copy(db, query, path, path=str(lines), name=lines.name)
    return path


def write_tables(db: duckdb.DuckDBPyConnection, raw: Path, folder: Path) -> None:
    "Write all tables of RESULTS."
    db.execute(MACROS)
    for query in (VALUES, DATA_DAY, JUDGED, MOVIES, CREDITS, COLLECTIONS):
        db.execute(query, {"raw": str(raw)} if "$raw" in query else None)
    for name, query in RESULTS.items():
        copy(db, query, folder / f"{name}.parquet")


def main(part: str, source: str, target: str) -> None:
    "Do one part."
    db, folder = duckdb.connect(), Path(target)
    db.execute("SET TimeZone = 'UTC'")
    raw = Path(source) if part == "tables" else ingest(db, Path(source), folder)
    if part != "ingest":
        write_tables(db, raw, folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
