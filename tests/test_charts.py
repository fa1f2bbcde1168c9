"""The charts: what they show, what they say, and that neither strange titles nor few films break
them."""

import os
import re
import warnings
from datetime import date
from functools import partial
from inspect import get_annotations, isfunction
from itertools import combinations
from xml.etree.ElementTree import fromstring

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text

from tmdb_analysis import report
from tmdb_analysis.core import processes
from tmdb_analysis.core.display import money_text
from tmdb_analysis.core.engine import session
from tmdb_analysis.core.processes import do_with_helper, start_helper
from tmdb_analysis.core.schema import COHORT, MOVIES
from tmdb_analysis.core.store import read, read_kpi, to_pandas
from tmdb_analysis.pages.page import asset, safe_html
from tmdb_analysis.report.group_charts import (
    measures_by_franchise,
    path_of_franchises,
    return_by_director,
    return_by_franchise,
    return_by_genre,
    return_in_order,
    risk_by_genre,
    roi_by_genre,
)
from tmdb_analysis.report.money_charts import (
    notable_films,
    return_distribution,
    revenue_vs_budget,
    trend,
)
from tmdb_analysis.report.pair_charts import genre_lift, popularity_vs_rating
from tmdb_analysis.report.relation_charts import (
    correlation_matrix,
    pair_plot,
    what_goes_with_return,
)
from tmdb_analysis.report.sections import Chart
from tmdb_analysis.report.style import (
    COLOUR_NAMES,
    FONT,
    PHONE_WIDTH,
    BreakEven,
    chart_label,
    empty_figure,
    figure_html,
    lead_in_words,
    make_narrow,
)
from tmdb_analysis.report.year_charts import (
    known_money_by_year,
    main_data_day,
    median_by_year,
    yearly_box_office,
)

HOSTILE = [
    r"$\frac{1}{0}$ & $x$",
    "a_b^c_$",
    "<script>alert(1)</script>",
    "ملك الأسد",
    "千と千尋の神隠し",
    "🎬🍿",
    "A very long title " * 17,
    "one\ntwo\tthree",
    "\u202eevil",
    "{0} %s \\n",
    None,
]
rng = np.random.default_rng(11)


def some_films(n: int) -> pd.DataFrame:
    """So many films with all that the charts of films want; the gross grows with the budget to the
    power of 0.8."""
    budget = np.exp(rng.normal(3, 1.5, n))
    gross = 3 * budget**0.8 * np.exp(rng.normal(0, 1, n))
    films = pd.DataFrame(
        {
            "id": np.arange(1, n + 1),
            "title": [(HOSTILE + ["Plain", "Two words"])[i % 13] for i in range(n)],
        }
    )
    return films.assign(
        budget_musd=budget,
        revenue_musd=gross,
        roi=gross / budget,
        genres=[[["Drama"], ["Horror", "Drama"], ["Comedy"], None][i % 4] for i in range(n)],
        collection_id=[i // 9 if i % 3 == 0 else None for i in range(n)],
        release_date=pd.to_datetime("1990-01-01") + pd.to_timedelta(np.arange(n) * 7 % 5000, "D"),
        popularity=np.exp(rng.normal(2, 1, n)),
        vote_average=rng.uniform(1, 10, n),
        vote_count=rng.integers(0, 900, n),
    )


def money_table(n: int) -> pd.DataFrame:
    "So many years up to 2019, one of them missing, the last one not over."
    year = np.delete(np.arange(2019 - n, 2020), n // 2) if n > 1 else np.array([2019])
    films = rng.integers(8, 70, len(year))
    middle = np.exp(rng.normal(4, 0.4, len(year)))
    shares = {
        "films": films + 5,
        "n_money": films,
        "coverage": films / (films + 5),
        "n_return": films,
        "n_real_revenue": films,
    }
    real = {
        "median_real_revenue_musd": middle,
        "p25_real_revenue_musd": middle / 3,
        "p75_real_revenue_musd": middle * 3,
    }
    back = {
        "median_return": middle / 20,
        "median_return_low": middle / 30,
        "median_return_high": middle / 10,
    }
    totals = {"n_revenue": films, "total_revenue_musd": films * 90.0}
    return pd.DataFrame({"year": year, **shares, **real, **back, **totals, "partial": year == 2019})


def intervals(
    label: str, names: list, value: str, n: str, low: str = "", high: str = ""
) -> pd.DataFrame:
    "A table of estimates with intervals."
    v = np.exp(rng.normal(1, 0.5, len(names)))
    ends = {low or f"{value}_low": v / 2, high or f"{value}_high": v * 2}
    return pd.DataFrame(
        {label: names, value: v, **ends, n: [5 + 17 * i for i in range(len(names))]}
    )


def tables() -> dict:
    "Each chart with a table that it can draw well."
    films, years = some_films(400), money_table(40)
    groups = intervals(
        "group", ["first", "sequel", "standalone"], "median_return", "n_median_return"
    )
    scores = intervals("director", HOSTILE, "score", "films", "low", "high").assign(
        rank=np.arange(len(HOSTILE))
    )
    sides = list(combinations(["Action", "Comedy", "Drama", "$x_1$", "千"], 2))
    pairs = pd.DataFrame(sides, columns=["genre_a", "genre_b"]).assign(
        films=range(15, 25), films_a=90, films_b=80, n_films=400
    )
    measures = {
        f"{m}_{c}": [3.0, 2.0]
        for m, c in (("mean", "revenue_musd"), ("median", "roi"), ("mean", "budget_musd"))
    }
    both = pd.DataFrame(
        {
            "group": ["franchise", "standalone"],
            "films": [7, 5],
            **measures,
            "mean_popularity": [4.0, 9.0],
            "mean_rating": 6.0,
        }
    )
    path = intervals("place", HOSTILE, "revenue_vs_first", "n_revenue_vs_first")
    facts = [("budget", "below $10M"), ("budget", "$100M or more"), ("franchise", "sequel")]
    facts += [("season", "summer"), ("season", "winter"), ("decade", "1980s"), ("decade", "2010s")]
    facts += [("genre", name) for name in HOSTILE]
    drivers = intervals("level", [level for _, level in facts], "times", "films").assign(
        factor=[factor for factor, _ in facts],
        compared_with="films of other genres",
        is_clear=np.arange(len(facts)) % 2 == 0,
        explained=0.2,
        n_films=700,
    )
    columns = "budget revenue return votes popularity rating runtime".split()
    related = pd.DataFrame(list(combinations(columns, 2)), columns=["x", "y"])
    rho = rng.uniform(-0.9, 0.9, len(related))
    related = related.assign(spearman=rho, n_spearman=range(4803, 4824))
    related = related.assign(spearman_low=rho - 0.05, spearman_high=rho + 0.05)
    tiers = intervals("tier", HOSTILE, "median_return", "n_return")
    return {
        return_in_order: tiers,
        what_goes_with_return: drivers,
        correlation_matrix: related,
        pair_plot: films,
        revenue_vs_budget: films,
        return_distribution: films,
        risk_by_genre: intervals("genre", HOSTILE, "below_budget", "n_return").assign(shown="firm"),
        path_of_franchises: path.assign(instalment=np.arange(1, len(HOSTILE) + 1)),
        roi_by_genre: films,
        popularity_vs_rating: films,
        return_by_genre: intervals("genre", HOSTILE, "median_return", "n_return"),
        return_by_franchise: groups,
        return_by_director: scores,
        measures_by_franchise: both.assign(
            **dict.fromkeys(["n_revenue", "n_roi", "n_budget", "n_popularity", "n_rating"], 5)
        ),
        median_by_year: years,
        known_money_by_year: years,
        yearly_box_office: years,
        genre_lift: pairs.assign(lift=np.exp(rng.normal(0, 0.7, 10))),
    }


TABLES = tables()
CHARTS = pytest.mark.parametrize("chart", TABLES, ids=lambda chart: chart.__name__)


def texts(fig: Figure) -> list[Text]:
    "The texts that a figure shows, those at its ticks included."
    fig.draw_without_rendering()
    found = list(fig.texts)
    for ax in fig.axes:
        found += [*ax.texts, ax.title, ax.xaxis.label, ax.yaxis.label]
        ticks = [
            tick for axis in (ax.xaxis, ax.yaxis) for tick in axis._update_ticks()
        ]  # those in sight
        found += [label for tick in ticks for label in (tick.label1, tick.label2)]
    return [text for text in found if text.get_visible() and text.get_text().strip()]


def luminance(colour) -> float:
    "Relative luminance (WCAG 2)."
    rgb = np.array(to_rgb(colour))
    return float(
        np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        @ [0.2126, 0.7152, 0.0722]
    )


def contrast(a, b) -> float:
    "Ratio of contrast (WCAG 2)."
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def labels(fig: Figure, axis: str = "y") -> list[str]:
    "The words at the ticks of the first axes."
    return [t.get_text() for t in getattr(fig.axes[0], f"get_{axis}ticklabels")()]


# every chart


def test_every_chart_is_tested():
    "A chart returns a figure and is wrapped in the style of charts."
    parts = [getattr(report, name) for name in report.__all__ if name.endswith("_charts")]
    functions = [f for part in parts for f in vars(part).values() if isfunction(f)]
    drawn = {f for f in functions if get_annotations(f).get("return") is Figure}
    charts = {f for f in drawn if f.__module__.endswith("_charts") and hasattr(f, "__wrapped__")}
    assert charts == set(TABLES), "add a table for the chart to `tables`"


@CHARTS
@pytest.mark.parametrize("backend", ["numpy", "pyarrow"])
def test_few_films_make_a_figure_or_a_sentence(chart, backend):
    table = TABLES[chart]
    nulls = table.assign(**dict.fromkeys(table.columns.difference(["group"]), None))
    alike = pd.concat(
        [table[:1]] * (len(table) if "group" in table else 12), ignore_index=True
    ).assign(**{c: table[c] for c in ("year", "group", "rank") if c in table})
    with warnings.catch_warnings(action="error"):
        for kind in (
            PendingDeprecationWarning,
            mpl.MatplotlibDeprecationWarning,
        ):  # of matplotlib, about seaborn
            warnings.simplefilter("ignore", kind)
        for t, drawn in (
            (table, True),
            (table[:1], None),
            (table[:3], None),
            (table[:0], False),
            (nulls, False),
            (alike, None),
        ):
            fig = chart(t if backend == "numpy" else t.convert_dtypes(dtype_backend="pyarrow"))
            assert len(fig.get_label()) > 20 and figure_html(fig)
            assert drawn is None or bool(fig.axes) == drawn
            if not fig.axes:
                assert [t.get_text().replace("\n", " ") for t in fig.texts] == [fig.get_label()]


def test_the_same_table_gives_the_same_bytes_in_two_processes():
    "In time, by chance, by what was drawn before, or by the process that draws, nothing differs."
    charts = {
        chart.__name__: Chart(partial(chart, table), "films.csv").forms
        for chart, table in TABLES.items()
    }
    alone = {name: draw() for name, draw in charts.items()}
    start_helper("tmdb_analysis.report.sections")
    assert processes._helpers[0].submit(os.getpid).result() != os.getpid(), "it is ready"
    together = do_with_helper(charts)
    assert [name for name in charts if together[name] != alone[name]] == []


def drawings(html: str) -> list:
    "The SVG elements of a figure: for a page, and for a phone."
    return [fromstring(svg) for svg in re.findall("<svg.*?</svg>", html, re.DOTALL)]


@CHARTS
def test_a_figure_is_text_in_the_colours_of_the_page(chart):
    html = figure_html(chart(TABLES[chart]))
    wide, narrow = drawings(html)
    assert float(narrow.get("viewBox").split()[2]) == PHONE_WIDTH * 72
    assert len(html) < 200_000, "the file holds the style of a mark once"
    for svg in (wide, narrow):
        assert svg.get("role") == "img" and svg.get("aria-label")
        words = [e for e in svg.iter() if e.tag.endswith("text")]
        assert len(words) > 5 and all(float(e.get("font-size")[:-2]) >= 9 for e in words)
        fixed = {e.get(k) for e in svg.iter() for k in ("fill", "stroke")} - {None, "none"}
        assert {c for c in fixed if not c.startswith("var(--")} <= {"#ffffff"}, fixed
    ids = re.findall(' id="(.*?)"', html)
    assert len(ids) == len(set(ids)) and "style=" not in html


def test_the_page_knows_the_colours_of_figures():
    css = asset("page.css")
    dark = css[css.index("prefers-color-scheme: dark") : css.index("}\n}")]
    assert {name for name in COLOUR_NAMES.values() if f"--{name}:" not in dark} == set()
    light = css[: css.index("@media")]
    for colour, name in COLOUR_NAMES.items():
        assert f"--{name}: {colour};" in light, name


def test_titles_in_a_figure_have_no_effect():
    films = some_films(60)
    budget = np.geomspace(1, 200, 60)
    films = films.assign(budget_musd=budget, revenue_musd=budget[::-1] * 3)
    titles = ["<script>alert(1)</script>", "</text></svg><img src=x onerror=alert(2)>", "a & <b>"]
    films["title"] = [titles[i % 3] for i in range(60)]
    html = safe_html(figure_html(revenue_vs_budget(films)))
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html and "&lt;/text&gt;" in html
    assert "<script" not in html and "<img" not in html and html.count("<svg") == 2


def test_many_dots_are_one_picture():
    html = safe_html(figure_html(revenue_vs_budget(some_films(30_000))))
    assert html.count("<image") == 2 and len(html) < 400_000


@CHARTS
def test_all_text_is_dark_and_large_enough_and_in_the_picture(chart):
    fig = chart(TABLES[chart])
    bounds = fig.bbox.padded(1)
    for text in texts(fig):
        has_cells = chart in (genre_lift, correlation_matrix)
        below = None if has_cells and text in fig.axes[0].texts else "white"
        assert below is None or contrast(text.get_color(), below) >= 4.5, text
        assert text.get_size() >= 9 and not text.get_parse_math()
        assert bounds.count_contains(text.get_window_extent().corners()) == 4, text


@CHARTS
@pytest.mark.parametrize("is_phone", [False, True])
def test_texts_of_a_figure_do_not_overlap(chart, is_phone):
    fig = chart(TABLES[chart])
    if is_phone:
        make_narrow(fig)
    boxes = [
        (t.get_text(), t.get_window_extent().padded(-1))
        for t in texts(fig)
        if not t.get_rotation() % 90
    ]
    assert [(a[0], b[0]) for a, b in combinations(boxes, 2) if a[1].overlaps(b[1])] == []


@CHARTS
def test_the_caption_tells_source_and_day(chart):
    fig = chart(TABLES[chart], as_of="2026-11-22")
    said = " ".join(" ".join(t.get_text() for t in fig.texts).split())
    assert (
        said.endswith("Source: TMDB, as of 2026-11-22.")
        and "n = " in fig.get_label()
        or "n: " in fig.get_label()
    )
    assert "Source: TMDB." in chart(TABLES[chart]).get_label()


@CHARTS
def test_global_settings_and_the_table_stay(chart):
    before, table = dict(mpl.rcParams), TABLES[chart].copy()
    chart(TABLES[chart])
    assert dict(mpl.rcParams) == before
    pd.testing.assert_frame_equal(TABLES[chart], table)


def test_names():
    assert all(
        len(chart_label(title, "film 7")) <= 28 and chart_label(title, "film 7").isprintable()
        for title in HOSTILE
    )
    assert [chart_label(title, "film 7") for title in HOSTILE[4:6] + [None]] == [
        "film 7"
    ] * 3 and FONT == "DejaVu Sans"
    assert chart_label(HOSTILE[0], "") == HOSTILE[0] and not empty_figure("Nothing.").axes


# each chart


def test_revenue_vs_budget_shows_each_film_and_the_lines():
    films = TABLES[revenue_vs_budget]
    fig = revenue_vs_budget(films)
    ax = fig.axes[0]
    assert np.allclose(
        np.sort(ax.collections[0].get_offsets(), axis=0),
        np.sort(films[["budget_musd", "revenue_musd"]], axis=0),
    )
    assert [line.get_ydata()[0] / line.get_xdata()[0] for line in ax.lines[:2]] == [1, 2.5]
    for limits, dots in ((ax.get_xlim(), "budget_musd"), (ax.get_ylim(), "revenue_musd")):
        assert limits[0] <= films[dots].min() and films[dots].max() <= limits[1]
    assert ax.get_xlim()[1] <= 10 * films["budget_musd"].max() and "$1M" in labels(fig, "x")
    back, well = (films["roi"] >= 1).sum(), (films["roi"] >= 2.5).sum()
    assert (
        f"{back} of 400 films earned back at least their budget, {well} at least 2.5× their budget"
        in fig.get_label()
    )


@pytest.mark.parametrize(
    "chart", [revenue_vs_budget, roi_by_genre, return_by_genre, return_by_franchise]
)
def test_lines_and_band_of_break_even_follow_the_settings(chart):
    fig = chart(TABLES[chart], even=BreakEven(1.5, 2, 4))
    ax = fig.axes[0]
    if chart is revenue_vs_budget:
        assert [line.get_ydata()[0] / line.get_xdata()[0] for line in ax.lines[:2]] == [1, 2]
        well = (TABLES[chart]["roi"] >= 2).sum()
        assert f"{well} at least 2× their budget" in fig.get_label()
    else:
        band = next(p for p in ax.patches if getattr(p, "get_x", None) and p.get_x() == 1.5)
        assert band.get_width() == 2.5 and "2× budget" in [text.get_text() for text in ax.texts]
    assert "2.5×" not in fig.get_label() and "Pale band: 2×" not in fig.get_label()


def test_groups_keep_their_order_and_most_groups_are_no_lead():
    months = intervals("month", list("ABCDEFG"), "median_return", "n_return")
    wide = months.assign(median_return_low=0.1, median_return_high=90.0, n_return=[9, *[40] * 6])
    fig = return_in_order(wide, "month", "month of release")
    assert [name[0] for name in labels(fig)] == list("GFEDCB")  # the first on top, A too small
    assert "No month clearly leads in median return" in fig.get_label()
    assert "Too few films to show: A." in fig.get_label()
    last = {"median_return": 2e-6, "median_return_low": 1e-6, "median_return_high": 4e-6}
    wide.loc[6, list(last)] = list(last.values())
    told = lead_in_words(wide, "month")
    assert told == "No month clearly leads in median return"
    unknown = wide.assign(median_return_low=[0.1, None, *[0.1] * 5])
    fig = return_in_order(unknown, "month", "month of release")
    assert len(labels(fig)) == 5 and "Too few films to show: A, B." in fig.get_label()


def test_the_trend_is_that_of_theil_and_sen():
    films = TABLES[revenue_vs_budget][:40]
    x, y = np.log(films[["budget_musd", "revenue_musd"]].to_numpy().T)
    slopes = [(y[j] - y[i]) / (x[j] - x[i]) for i, j in combinations(range(40), 2)]
    line = trend(films)
    assert np.isclose(line.slope, np.median(slopes)) and np.isclose(
        line.level, np.exp(np.median(y) - line.slope * np.median(x))
    )
    drawn = revenue_vs_budget(films).axes[0].lines[2]
    assert np.allclose(drawn.get_ydata(), line.level * np.asarray(drawn.get_xdata()) ** line.slope)
    assert trend(films[:29]) is None and trend(films.assign(budget_musd=1.0)) is None
    thousands = trend(some_films(3000))
    assert thousands.n == 1000 and 0.7 < thousands.low < 0.8 < thousands.high < 0.9


def test_labels_are_chosen_by_rule_and_never_lie_on_each_other():
    films = some_films(300).assign(title=[f"Film number {i}" for i in range(1, 301)])
    chosen = notable_films(films, trend(films), 14)
    assert set(films.nlargest(8, "revenue_musd")["id"]) <= set(chosen["id"]) and len(chosen) <= 14
    for part in (films, films[:5], films[:60].assign(revenue_musd=100.0, budget_musd=10.0)):
        fig = revenue_vs_budget(part)
        ax = fig.axes[0]
        named = [t for t in ax.texts if t.get_gid() == "label" and t.get_visible()]
        boxes = [t.get_window_extent() for t in named]
        assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))
        assert all(ax.bbox.count_contains(box.corners()) == 4 for box in boxes)
        assert (
            fig.get_label().split("Films named: ")[1]
            == (", ".join(t.get_text() for t in named) or "none") + "."
        )
    shown = revenue_vs_budget(films).get_label().split("Films named: ")[1].split(", ")
    assert 7 <= len(shown) <= 14


def test_return_by_genre_shows_estimates_and_hides_small_genres():
    names = ["Tiny", "Few", "Drama", "Horror"]
    table = pd.DataFrame(
        {"genre": names, "n_return": [9, 29, 30, 214], "median_return": [99.0, 9.0, 2.0, 4.0]}
    )
    table = table.assign(
        median_return_low=[None, 3.0, 1.5, 3.0], median_return_high=[None, 20.0, 2.5, 5.0]
    )
    fig = return_by_genre(table)
    ax = fig.axes[0]
    assert labels(fig) == ["Drama (n = 30)", "Horror (n = 214)", "Few (n = 29)"]
    lines, dots = ax.collections
    assert dots.get_offsets()[:, 0].tolist() == [2, 4, 9]
    assert [segment[:, 0].tolist() for segment in lines.get_segments()] == [
        [1.5, 2.5],
        [3, 5],
        [3, 20],
    ]
    assert dots.get_facecolors()[0].tolist() != dots.get_facecolors()[2].tolist(), (
        "few films are grey"
    )
    assert (
        "Median return is highest for Horror: 4× the budget" in fig.get_label()
        and "comparison of both (Newman-Keuls)" in fig.get_label()
    )
    near = table.assign(median_return_high=[None, 20.0, 4.5, 5.0])
    assert "No genre clearly leads in median return" in " ".join(
        return_by_genre(near).get_label().split()
    )
    assert "Too few films to show: Tiny." in fig.get_label() and ax.get_xscale() == "log"
    assert "Fewer than two genres have 30 films" in return_by_genre(table[:3]).get_label()


def test_boxes_end_where_the_caption_says():
    roi = np.exp(rng.normal(1, 1, 200))
    fig = roi_by_genre(pd.DataFrame({"genres": [["Drama"]] * 200, "roi": roi}))
    x = np.concatenate(
        [line.get_xdata() for line in fig.axes[0].lines[2:] if len(line.get_xdata()) == 2]
    )
    low, high = np.sort(roi)[[10, 189]]
    assert (
        np.isclose(x, low).any()
        and np.isclose(x, high).any()
        and np.isclose(x, np.median(roi)).any()
    )
    assert labels(fig) == ["Drama (n = 200)"] and "90% of Drama films return" in fig.get_label()


def test_bars_of_returns_count_each_film_once_in_the_colour_of_its_zone():
    "The areas of the bars, in equal steps of return, are the numbers of films."
    roi = pd.Series([0.6, 0.9, 1.2, 1.9, 2.2, 2.9, 3.1, 5, 5, 7.9])
    ax = return_distribution(pd.DataFrame({"roi": roi})).axes[0]
    for low, high, share in ((0, 1, 0.2), (1, 2, 0.2), (2, 3, 0.2), (3, 99, 0.4)):
        bars = [b for b in ax.patches if low <= b.get_x() + 1e-9 < high]
        steps = [3 * np.log2((b.get_x() + b.get_width()) / b.get_x()) for b in bars]
        films = sum(b.get_height() * step for b, step in zip(bars, steps, strict=True))
        assert films == pytest.approx(10 * share)
        assert len({b.get_facecolor() for b in bars}) == 1
    assert [t.get_text().split("\n")[0] for t in ax.texts] == ["20%", "20%", "20%", "40%"]


def test_franchise_groups_and_their_points():
    groups, films = TABLES[return_by_franchise], TABLES[revenue_vs_budget]
    fig = return_by_franchise(
        groups, films.assign(group=[["first", "sequel", "standalone"][i % 3] for i in range(400)])
    )
    lines, dots, *strips = fig.axes[0].collections
    assert sum(len(strip.get_offsets()) for strip in strips) == 400 and len(strips) == 3
    assert np.allclose(dots.get_offsets()[:, 0], groups["median_return"][::-1])
    assert np.allclose(
        [s[:, 0] for s in lines.get_segments()],
        groups[["median_return_low", "median_return_high"]][::-1],
    )


@pytest.mark.parametrize(
    ("low", "high", "n", "said"),
    [
        (1.1, 2.0, 10, "A sequel typically returns 1.5× what"),
        (1.1, 2.0, 9, "Too few films to compare"),
        (0.9, 2.0, 10, "only within the margin of error"),
        (None, None, 10, "Median return: sequel"),
    ],
)
def test_the_title_on_franchises_follows_the_effect(low, high, n, said):
    effect = pd.DataFrame(
        {
            "comparison": ["sequel vs standalone"],
            "times": [1.5],
            "times_low": [low],
            "times_high": [high],
        }
    )
    effect = effect.assign(n_a=n, n_b=400)
    assert said in return_by_franchise(TABLES[return_by_franchise], effect=effect).get_label()


def test_directors_stand_in_the_order_of_their_rank():
    scores = pd.DataFrame(
        {
            "rank": [2, 1],
            "director": ["B", "A"],
            "films": [9, 5],
            "score": [9.0, 8.0],
            "low": [1.5, 2.0],
            "high": [20.0, 9.0],
        }
    )
    fig = return_by_director(scores)
    assert labels(fig) == ["B (n = 9)", "A (n = 5)"]
    assert [s[:, 0].tolist() for s in fig.axes[0].collections[0].get_segments()] == [
        [1.5, 20],
        [2, 9],
    ]
    assert (
        "No director clearly leads in adjusted return" in fig.get_label()
        and len(labels(return_by_director(scores, top=1))) == 1
    )
    clear = return_by_director(scores.assign(low=[1.5, 7.0], high=[20.0, 9.0], score=[2.0, 8.0]))
    assert "Adjusted return is highest for A: 8× the budget" not in clear.get_label()
    clear = return_by_director(scores.assign(low=[1.5, 7.0], high=[2.5, 9.0], score=[2.0, 8.0]))
    assert "Adjusted return is highest for A: 8× the budget" in clear.get_label()


def test_years_with_few_films_are_open_dots_and_gaps_stay_open():
    table = TABLES[median_by_year]
    fig = median_by_year(table)
    top, strip = fig.axes
    (solid,) = top.lines
    year, firm = (
        table["year"].to_numpy(),
        ((table["n_return"] >= 20) & ~table["partial"]).to_numpy(),
    )
    band, few, many = top.collections
    assert few.get_offsets()[:, 0].tolist() == year[~firm].tolist()
    assert many.get_offsets()[:, 0].tolist() == year[firm].tolist()
    known = dict(zip(solid.get_xdata(), solid.get_ydata(), strict=True))
    assert {y for y, v in known.items() if np.isfinite(v)} == set(year[firm])
    assert np.allclose([known[y] for y in year[firm]], table["median_real_revenue_musd"][firm])
    missing = next(y for y in range(year[0], year[-1]) if y not in year)
    assert not np.isfinite(known[missing + 0.5])
    assert [bar.get_height() for bar in strip.patches] == table["n_real_revenue"].tolist()
    assert (
        "(dotted line), and 2019, which is incomplete." in fig.get_label()
        and top.get_yscale() == "log"
        and len(fig.axes) == 2
    )
    known = table[firm].set_index("year")["median_real_revenue_musd"]
    ends = [t.get_text() for t in top.texts]
    assert ends == [f"{y}: {money_text(known[y])}" for y in (known.idxmin(), known.idxmax())]
    assert "median gross ranged from $" in fig.get_label(), "quartiles cannot say which year leads"
    assert "no year clearly leads in median return" in " ".join(
        median_by_year(table, "return").get_label().split()
    )
    alone = table.assign(median_return_low=table["median_return"] * 0.99)
    alone = alone.assign(median_return_high=table["median_return"] * 1.01)
    assert "median return is highest for" in median_by_year(alone, "return").get_label()
    assert "in 2025 dollars" in median_by_year(table, dollars=2025).get_label()


def test_shares_of_known_money_start_at_zero():
    table = TABLES[known_money_by_year]
    fig = known_money_by_year(table)
    assert np.allclose(
        [bar.get_height() for bar in fig.axes[0].patches], table["n_money"] / table["films"]
    )
    assert fig.axes[0].get_ylim() == (0, 1) and labels(fig)[-1] == "100%"
    assert f"{table['n_money'].sum():,} of {table['films'].sum():,} films" in fig.get_label()


def test_popularity_counts_every_film_once():
    films = TABLES[popularity_vs_rating]
    fig, voted = popularity_vs_rating(films, min_votes=100), films[films["vote_count"] >= 100]
    cells = fig.axes[0].collections[0]
    assert (
        cells.get_array().sum() == len(voted)
        and cells.norm.vmin == 1
        and isinstance(cells.norm, mpl.colors.LogNorm)
    )
    rho = voted["popularity"].rank().corr(voted["vote_average"].rank())
    text = fig.get_label()
    assert (
        f"rank correlation: {rho:.2f} (95% confidence interval " in text
        and f"(n = {len(voted)})" in text
    )
    assert (
        "at least 100 votes" in text
        and "No clear relation" in text
        and fig.axes[1].get_ylabel() == "films in a cell"
    )
    ranked = films.assign(vote_average=films["popularity"].rank() / 400)
    assert "clearly better ratings" in popularity_vs_rating(ranked).get_label()


def test_lift_is_annotated_diverges_at_one_and_hides_small_pairs():
    table = pd.DataFrame(
        [("A", "B", 30, 2.0), ("A", "C", 25, 0.5), ("B", "C", 20, 1.0), ("C", "D", 19, 9.0)]
    )
    table = table.set_axis(["genre_a", "genre_b", "films", "lift"], axis=1).assign(
        films_a=90, films_b=80, n_films=400
    )
    fig = genre_lift(table)
    ax, mesh = fig.axes[0], fig.axes[0].collections[0]
    assert sorted(t.get_text() for t in ax.texts) == ["0.5", "1", "2"] and set(labels(fig)) == {
        "A",
        "B",
        "C",
    }
    assert (
        mesh.norm.vmin == -mesh.norm.vmax and np.nanmax(np.abs(mesh.get_array().compressed())) == 1
    )
    colours = {t.get_text(): mesh.to_rgba(np.log2(float(t.get_text()))) for t in ax.texts}
    assert colours["2"][0] > colours["2"][2] and colours["0.5"][0] < colours["0.5"][2]
    assert all(contrast(t.get_color(), colours[t.get_text()]) >= 4.5 for t in ax.texts)
    title = "A and B, the most common pair, occur together 2× as often as chance would give"
    assert title in fig.get_label()


def test_drivers_stand_in_groups_with_what_they_are_compared_with():
    fig = what_goes_with_return(TABLES[what_goes_with_return])
    ax, table = fig.axes[0], TABLES[what_goes_with_return].set_index("level")
    dots = ax.collections[1].get_offsets()
    assert len(dots) == len(table)
    names = [label.partition(" (n = ")[0] for label in labels(fig)]
    for name, (times, _), colour in zip(
        names, dots, ax.collections[1].get_facecolors(), strict=True
    ):
        if name in table.index and isinstance(name, str):
            assert times == pytest.approx(table.times[name])
            is_blue = colour[2] > colour[0] + 0.2
            assert is_blue == table.is_clear[name]
    assert names[:2] == ["below $10M", "$100M or more"], "tiers stand in their own order"
    assert names[3:7] == ["winter", "summer", "1980s", "2010s"]
    genres = dots[7:, 0]
    assert (np.diff(genres) <= 0).all(), "genres stand by their multiple"
    heads = [t.get_text() for t in ax.texts if t.get_weight() == "bold"]
    assert len(heads) == 5 and all("(against films of other genres)" in head for head in heads)


def test_the_matrix_has_each_correlation_and_its_films():
    table = TABLES[correlation_matrix]
    fig = correlation_matrix(table)
    written = [t.get_text() for t in fig.axes[0].texts]
    assert sorted(written[::2]) == sorted(f"{rho:.2f}" for rho in table["spearman"])
    assert sorted(written[1::2]) == sorted(map("{:,}".format, table["n_spearman"]))
    make_narrow(fig)
    assert all(t.get_visible() for t in fig.axes[0].texts), "numbers of 4,803 films fit a phone"


@pytest.mark.parametrize(
    ("rating_low", "said"),
    [(0.5, "related to votes"), (0.2, "related to votes and budget"), (-0.9, "related to budget")],
)
def test_the_title_of_the_matrix_names_what_the_intervals_allow(rating_low, said):
    pairs = pd.DataFrame({"x": ["votes", "budget"], "y": "rating", "spearman": [0.55, 0.3]})
    pairs = pairs.assign(spearman_low=[rating_low, 0.2], spearman_high=[0.6, 0.4], n_spearman=99)
    assert f"most closely {said}. " in correlation_matrix(pairs).get_label()
    few = correlation_matrix(pairs.assign(n_spearman=29))
    assert "Too few films to say what ratings are related to" in few.get_label()


def test_the_pair_plot_draws_a_part_of_many_films_and_all_of_few():
    films = TABLES[pair_plot]
    for part, drawn in ((films, 250), (films[:100], (films["vote_count"][:100] > 0).sum())):
        fig = pair_plot(part)
        clouds = [ax.collections[0] for ax in fig.axes if ax.collections]
        assert len(clouds) == 6 and {len(c.get_offsets()) for c in clouds} == {drawn}
        assert ("Drawn: 250 of" in fig.get_label()) == (len(part) > 250)
        assert {ax.get_xscale() for ax in fig.axes[:3]} == {"log"}
    assert "Closely related: budget with gross" in pair_plot(films).get_label()
    shuffled = films.assign(revenue_musd=rng.permutation(films["revenue_musd"]))
    assert "No two of budget, gross, votes and rating" in pair_plot(shuffled).get_label()


@pytest.mark.parametrize("chart", [median_by_year, known_money_by_year, yearly_box_office])
def test_years_from_newer_data_are_shaded(chart):
    days = pd.Series([date(2016, 9, 9)] * 30 + [date(2025, 12, 9)] * 4 + [None])
    assert main_data_day(days) == date(2016, 9, 9) and main_data_day(days[-1:]) is None
    plain, marked = chart(TABLES[chart]), chart(TABLES[chart], most_data=main_data_day(days))
    words = "The data of most films end in September 2016. Later years (shaded) have only films"
    assert words in marked.get_label() and words not in plain.get_label()
    for before, after in zip(plain.axes, marked.axes, strict=True):
        (band,) = [p for p in after.patches if p.get_x() == 2016.5]
        assert band.get_width() == pytest.approx(after.get_xlim()[1] - 2016.5)
        assert len(after.patches) == len(before.patches) + 1
    same = chart(TABLES[chart], most_data=date(2019, 12, 9))
    assert len(same.axes[0].patches) == len(plain.axes[0].patches)


def test_zones_follow_the_settings_of_break_even():
    roi = pd.DataFrame({"roi": [0.5, 1.2, 1.7, 2.2, 3.5, 4.5, 5, 5, 9, 9]})
    fig = return_distribution(roi, 1.5, 4.0)
    written = [t.get_text().split("\n") for t in fig.axes[0].texts]
    assert written == [
        ["10%", "below 1×"],
        ["10%", "1–1.5×"],
        ["30%", "1.5–4×"],
        ["50%", "4× or more"],
    ]
    assert "50% at least 4×" in fig.get_label() and "about 1.5× to 4× the budget" in fig.get_label()
    edges = {round(b.get_x(), 9) for b in fig.axes[0].patches}
    assert {1.0, 1.5, 4.0} <= edges
    assert len(return_distribution(roi, 0.5, 1.0).axes[0].texts) == 2, "no zone is empty"


def test_charts_of_the_demo_say_what_its_tables_say(demo):
    films = to_pandas(read(session(), MOVIES, demo))
    kpi = {
        n: read_kpi(n, demo)
        for n in (
            "genre_returns",
            "franchise_groups",
            "director_scores",
            "yearly_money",
            "genre_pairs",
            "correlations",
        )
    }
    pair = kpi["correlations"].set_index("pair").loc["popularity vs rating"]
    said = popularity_vs_rating(films, 10).get_label()
    ends = f"(95% confidence interval {pair.spearman_low:.2f} to {pair.spearman_high:.2f})"
    assert f"n = {pair.n_spearman:,}" in said and f"{pair.spearman:.2f} {ends}" in said
    shown = kpi["genre_returns"].query("shown != 'hidden'")
    assert len(labels(return_by_genre(kpi["genre_returns"]))) == len(shown)
    assert (
        len([*genre_lift(kpi["genre_pairs"]).axes[0].texts])
        <= (kpi["genre_pairs"]["shown"] == "firm").sum()
    )
    cohort = to_pandas(read(session(), COHORT, demo))
    assert (
        return_by_director(kpi["director_scores"]).axes
        and return_by_franchise(kpi["franchise_groups"], cohort).axes
    )
    assert (
        median_by_year(kpi["yearly_money"]).axes and known_money_by_year(kpi["yearly_money"]).axes
    )
    assert (
        f"{films['roi'].notna().sum():,} of {len(films):,} films"
        in known_money_by_year(kpi["yearly_money"]).get_label()
    )
