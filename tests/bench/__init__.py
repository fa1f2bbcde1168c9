"""The package beside scripts that are written by hand: `make bench`."""

RELEASE_YEARS = (1874, 2100)  # plausible: the oldest film in TMDB is Passage de Venus, 1874
NO_TEXT = (
    "no data|no overview found.|no overview found|no overview|no tagline|n/a|none|null|nan|-"
).split("|")
CSV_COLUMNS = (
    "id title tagline release_date genres belongs_to_collection original_language "
    "budget_musd revenue_musd production_companies production_countries vote_count vote_average "
    "popularity runtime overview spoken_languages poster_path cast cast_size director crew_size"
).split()
