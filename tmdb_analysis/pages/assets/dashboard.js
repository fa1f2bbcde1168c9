// The script of the dashboard connects the form, the charts and the table.
//
// Vega draws the charts and DataTables makes the table. This script reads the form, selects the
// films, computes the rows of the charts, updates charts and table, and keeps the URL. It is one
// module without a build step, in the order in which it runs. It shows names from outside as text,
// never as HTML. The policy of the page allows this script by its hash. The script creates no code
// from text and loads nothing.

import {
  byId,
  element,
  readJson,
  readPacked,
  DASH,
  countFormat,
  decimalFormat,
  compactFormat,
  orDash,
  asCount,
  asDecimal,
  filmCount,
  filmUrl,
  filmLink,
  saveFile,
  addSavers,
} from "./common.js";

const data = await readPacked("data-films");
const charts = readJson("data-charts");
const form = byId("filters");

// ---- Values as text. An unknown value is null everywhere; the reader sees a dash.

const digitsFormat = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const asUsd = orDash((value) => "$" + compactFormat.format(value));
const asTimes = orDash((value) => decimalFormat.format(value) + "×");
const asReturn = orDash((value) => digitsFormat.format(value) + "×");
const fold = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

// ---- Films. The page contains columns with money in million nominal USD. Charts and table need
// rows in USD, nominal or in dollars of one year: the factors turn the ones into the others. Texts
// are getters, because the reader sees those of few films.

const boxesOf = (name) => [...form.querySelectorAll(`input[name=${name}][type=checkbox]`)];
const budgetBoxes = boxesOf("budget");
const boxLabel = (box) => box.nextSibling.data.trim();
const bandEdges = budgetBoxes.map((box) => box.value).filter((value) => value !== "unknown");
const languageNames = new Intl.DisplayNames(["en"], { type: "language" });
const languageName = (code) => (/^[a-z]{2}$/.test(code) ? languageNames.of(code) : code);

function makeFilm(id, place) {
  const directors = data.directors[place].map((at) => data.names.people[at][1]);
  const owner = data.franchise[place];
  const franchise = owner === null ? null : data.names.franchises[owner][1];
  const [budget, revenue] = [data.budget[place], data.revenue[place]];
  const language = data.language[place];
  const [title, year] = [data.title[place], data.year[place]];
  const genres = data.genres[place].map((at) => data.names.genres[at]);
  return {
    id,
    place,
    usable: data.usable[place] === 1,
    title,
    year,
    language,
    genres,
    countries: data.countries[place].map((at) => data.names.countries[at]),
    franchise,
    kind: !data.measured ? "film" : owner === null ? "standalone" : "franchise",
    at: {
      director: data.directors[place],
      collection: owner === null ? [] : [owner],
      company: data.companies[place],
    },
    directors,
    director: directors.join(", ") || DASH,
    roi: budget && revenue !== null ? revenue / budget : null,
    votes: data.votes[place],
    rating: data.rating[place],
    popularity: data.popularity[place],
    doubt: data.doubts[id] ?? "",
    language_name: language && languageName(language),
    words: fold([title, year, franchise, ...genres, ...directors].join(" ")),
    get budget_text() {
      return asUsd(this.budget);
    },
    get revenue_text() {
      return asUsd(this.revenue);
    },
    get roi_text() {
      return asTimes(this.roi);
    },
    get rating_text() {
      return asDecimal(this.rating);
    },
    get votes_text() {
      return asCount(this.votes);
    },
    get popularity_text() {
      return asDecimal(this.popularity);
    },
  };
}

const films = data.id.map(makeFilm);
let dollars = null; // nominal or real, as in the form

function showMoneyIn(unit) {
  if (unit === dollars) return false;
  dollars = unit;
  for (const film of films) {
    const factor = unit === "nominal" ? 1 : (data.dollars.factors[film.year] ?? null);
    const toUsd = (millions) =>
      millions === null || factor === null ? null : Math.round(millions * factor * 1e6);
    film.budget = toUsd(data.budget[film.place]);
    film.revenue = toUsd(data.revenue[film.place]);
    const edge = film.budget === null ? "unknown" : bandOf(film.budget);
    film.band = edge;
    film.tips = {};
  }
  return true;
}

function bandOf(budget) {
  return bandEdges.findLast((lowest) => lowest * 1e6 <= budget) ?? bandEdges[0];
}

const dollarWords = () =>
  dollars === "nominal" ? "nominal dollars" : data.dollars.year + " dollars";

// ---- Filters. The hash of the URL stores the values of the form, so a link or a reload restores
// them. Invalid parameters in a URL are ignored.

let filmsInScope = films;
let selectedFilms = films;
let selectedPlaces = new Set();
const fields = [...form.elements].filter((field) => field.name);
const isOfForm = (field) => field.form === form;

function formParams() {
  const filled = [...new FormData(form)].filter(([, value]) => value.trim() !== "");
  const chosen = filled.filter(([name, value]) => value !== DEFAULTS[name]);
  return new URLSearchParams(chosen);
}

// Names to type. A label leads to one person, franchise or company; other text to all whose names
// contain it. The first of two equal names gets no number, so it leads to all of that name.
function makePicker(named) {
  const folded = named.map(([, name]) => fold(name));
  const seen = new Map();
  for (const name of folded) seen.set(name, (seen.get(name) ?? 0) + 1);
  const labels = named.map(([id, name], at) => {
    return seen.get(folded[at]) > 1 ? `${name} #${id}` : name;
  });
  const places = new Map(labels.map((label, at) => [fold(label), at]));
  const wanted = (text) => {
    const exact = places.get(fold(text));
    if (exact !== undefined) return new Set([exact]);
    const found = folded.flatMap((name, at) => (name.includes(fold(text)) ? [at] : []));
    return new Set(found);
  };
  return { labels, wanted };
}

const pickers = {
  director: makePicker(data.names.people),
  collection: makePicker(data.names.franchises),
  company: makePicker(data.names.companies.map((name, at) => [at, name])),
};

function fillList(name) {
  const list = byId("list-" + name);
  if (list.childElementCount) return;
  const counts = new Map();
  for (const film of films)
    for (const at of film.at[name]) counts.set(at, (counts.get(at) ?? 0) + 1);
  const options = [...counts].toSorted(([a, n], [b, m]) => m - n || a - b);
  const makeOption = ([at, n]) =>
    element("option", {
      value: pickers[name].labels[at],
      label: filmCount(n),
    });
  list.replaceChildren(...options.map(makeOption));
}

function between(params, name, valueOf) {
  const [low, high] = ["_from", "_to"].map((end) => params.get(name + end));
  if (low === null && high === null) return [];
  const [first, last] = [low ?? -Infinity, high ?? Infinity].map(Number);
  return [(film) => valueOf(film) !== null && valueOf(film) >= first && valueOf(film) <= last];
}

const millionsOf = (name) => (film) => (film[name] === null ? null : film[name] / 1e6);

function matcher(params) {
  const tests = [];
  const first = Number(params.get("from") ?? -Infinity);
  const last = Number(params.get("to") ?? Infinity);
  if (params.has("from") || params.has("to"))
    tests.push((film) => film.year !== null && film.year >= first && film.year <= last);
  tests.push(
    ...between(params, "rating", (film) => film.rating),
    ...between(params, "budget", millionsOf("budget")),
    ...between(params, "revenue", millionsOf("revenue")),
  );
  const votes = Number(params.get("votes"));
  if (params.has("votes")) tests.push((film) => film.votes !== null && film.votes >= votes);
  const genres = new Set(params.getAll("genre"));
  if (genres.size) tests.push((film) => film.genres.some((genre) => genres.has(genre)));
  const bands = new Set(params.getAll("budget"));
  if (bands.size) tests.push((film) => bands.has(film.band));
  for (const name of Object.keys(pickers)) {
    if (!params.has(name)) continue;
    const wanted = pickers[name].wanted(params.get(name).trim());
    tests.push((film) => film.at[name].some((at) => wanted.has(at)));
  }
  const language = params.get("language");
  if (language) tests.push((film) => film.language === language);
  const country = params.get("country");
  if (country) tests.push((film) => film.countries.includes(country));
  const franchise = params.get("franchise");
  if (franchise) tests.push((film) => (film.kind === "franchise") === (franchise === "yes"));
  const words = fold(params.get("search") ?? "")
    .split(/\s+/)
    .filter(Boolean);
  if (words.length) tests.push((film) => words.every((word) => film.words.includes(word)));
  return (film) => tests.every((test) => test(film));
}

function restoreForm() {
  const params = new URLSearchParams(location.hash.slice(1));
  for (const field of fields.filter(isOfForm)) {
    if (field.type === "checkbox") {
      field.checked = params.getAll(field.name).includes(field.value);
    } else if (field.type === "radio") {
      const values = fields.filter((each) => each.name === field.name).map((each) => each.value);
      const asked = params.get(field.name);
      field.checked = field.value === (values.includes(asked) ? asked : DEFAULTS[field.name]);
    } else {
      const value = params.get(field.name) ?? "";
      field.value = field.type === "number" && Number.isNaN(Number(value)) ? "" : value;
      if (field.selectedIndex < 0) field.selectedIndex = 0;
    }
  }
  return params;
}

const DEFAULTS = Object.fromEntries(
  fields
    .filter((field) => field.type === "radio" && field.defaultChecked)
    .map((field) => [field.name, field.value]),
);

function describeFilter(params, name) {
  const value = params.get(name);
  if (name === "from" || name === "to") return name + " " + value;
  if (name === "votes") return "at least " + countFormat.format(value) + " votes";
  if (name === "search") return `search “${value}”`;
  const [, what, end] = /^(\w+)_(from|to)$/.exec(name) ?? [];
  if (end) {
    const amount = what === "rating" ? value : "$" + decimalFormat.format(value) + "M";
    return `${what} ${end === "from" ? "from" : "to"} ${amount}`;
  }
  const checked = boxesOf(name).filter((box) => box.checked);
  if (checked.length) return checked.map(boxLabel).join(" or ");
  const field = form.elements[name];
  if (field.selectedOptions) return field.selectedOptions[0].text.replace(/ \(\d+\)$/, "");
  if (field.type === "text") return `${field.dataset.words} ${value}`;
  const radio = fields.find((each) => each.name === name && each.value === value);
  return boxLabel(radio).replace(/ \(.*$/, "");
}

// ---- Key numbers. Each is exact and covers the selected films in which the value is known.

const byNumber = (a, b) => a - b;
const total = (values) => values.reduce((sum, value) => sum + value, 0);
const grossedBudget = (returns) => returns.filter((value) => value >= 1).length / returns.length;

// The quantile between two sorted values lies on the line between them.
function quantile(sorted, share) {
  const place = (sorted.length - 1) * share;
  const below = Math.floor(place);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
}
const median = (sorted) => quantile(sorted, 0.5);

function knownValues(name) {
  const values = selectedFilms.map((film) => film[name]).filter((value) => value !== null);
  return values.toSorted(byNumber);
}

function showNumber(id, values, write) {
  byId(id).textContent = values.length ? write(values) : DASH;
  byId(id + "-n").textContent = "n = " + countFormat.format(values.length);
}

function showNumbers() {
  const returns = knownValues("roi");
  const revenues = knownValues("revenue");
  showNumber("median-roi", returns, (values) => asTimes(median(values)));
  showNumber("even", returns, (values) => Math.round(100 * grossedBudget(values)) + "%");
  showNumber("median-revenue", revenues, (values) => asUsd(median(values)));
  showNumber("median-budget", knownValues("budget"), (values) => asUsd(median(values)));
  showNumber("total-revenue", revenues, (values) => asUsd(total(values)));
  showNumber("median-rating", knownValues("rating"), (values) => asDecimal(median(values)));
}

// ---- Rows of the charts. A value far from all others does not stretch an axis: its film or group
// is not drawn, and the page lists it below the chart. It counts in all numbers.

const LIMITS = {
  budget: [data.limits.budget, 1e11],
  revenue: [data.limits.revenue, 1e11],
  roi: [1e-3, 1e3],
  popularity: [0, Infinity],
};
const FEW = 20; // values; with fewer, only LIMITS hold

// From three times the middle half below it to three times the middle half above it, in logarithms.
function axisLimits(rows, name) {
  const [floor, ceiling] = LIMITS[name];
  const values = rows.map((row) => row[name]).filter((value) => value > 0);
  if (values.length < FEW) return [floor, ceiling];
  const logs = values.map(Math.log10).toSorted(byNumber);
  const [low, high] = [quantile(logs, 0.25), quantile(logs, 0.75)];
  const reach = 3 * (high - low || 1);
  return [Math.max(floor, 10 ** (low - reach)), Math.min(ceiling, 10 ** (high + reach))];
}

const isWithin = ([low, high], value) => value >= low && value <= high;

function groupFilms(rows, keysOf) {
  const groups = new Map();
  for (const film of rows) {
    for (const key of keysOf(film)) {
      if (groups.has(key)) groups.get(key).push(film);
      else groups.set(key, [film]);
    }
  }
  return [...groups];
}

const keyOf = (name, n, id) => [name, countFormat.format(n), id].join("\u001f");

// Drawn rows, and rows outside the axes.
function divide(rows, isInside) {
  const drawn = rows.filter(isInside);
  return { drawn, outside: drawn.length < rows.length ? rows.filter((r) => !isInside(r)) : [] };
}

// The details of a dot are one object, because Vega would evaluate each of its parts for each dot.
// Its texts are written when Vega shows them, which it does for one dot at a time.
function makeTips(columns) {
  const known = new Map(columns.map(({ field, title }) => [title, field]));
  const get = (film, title) => (known.has(title) ? (film[known.get(title)] ?? DASH) : undefined);
  return {
    get,
    ownKeys: () => [...known.keys()],
    getOwnPropertyDescriptor: (film, title) => ({
      value: get(film, title),
      enumerable: true,
      configurable: true,
    }),
  };
}

function filmRows(rows, name, [x, y], axes) {
  const tips = makeTips(charts[name].columns);
  const limits = axes.map((axis) => [axis, axisLimits(rows, axis)]);
  const { drawn, outside } = divide(rows, (film) =>
    limits.every(([axis, ends]) => isWithin(ends, film[axis])),
  );
  const dots = drawn.map((film) => {
    film.tips[name] ??= new Proxy(film, tips);
    return { place: film.place, kind: film.kind, [x]: film[x], [y]: film[y], tip: film.tips[name] };
  });
  return { drawn: dots, outside };
}

function returnRow(members, limits, more) {
  const values = members.map((film) => film.roi).toSorted(byNumber);
  const [low, middle, high] = [0.25, 0.5, 0.75].map((share) => quantile(values, share));
  const onAxis = (value) => Math.min(Math.max(value, limits[0]), limits[1]);
  return {
    ...more,
    n: members.length,
    median: middle,
    low: onAxis(low),
    high: onAxis(high),
    lower_quartile: low,
    upper_quartile: high,
    middle: asReturn(middle),
    half: `${asReturn(low)} to ${asReturn(high)}`,
  };
}

const byMedian = (a, b) => b.median - a.median || (a.name < b.name ? -1 : 1);

function genreRows(rows) {
  const limits = axisLimits(rows, "roi");
  const groups = groupFilms(rows, (film) => film.genres).map(([name, members]) => {
    const choice = { field: "genre", value: name };
    return returnRow(members, limits, { name, key: keyOf(name, members.length, name), choice });
  });
  return divide(groups.toSorted(byMedian), (group) => isWithin(limits, group.median));
}

function bandRows(rows) {
  const limits = axisLimits(rows, "roi");
  const groups = budgetBoxes.flatMap((box) => {
    const inBand = rows.filter((film) => film.band === box.value);
    const kinds = groupFilms(inBand, (film) => [film.kind]);
    const name = boxLabel(box);
    const choice = { field: "budget", value: box.value };
    const shared = { name, key: name, choice };
    const made = kinds.map(([kind, members]) => returnRow(members, limits, { ...shared, kind }));
    return made.toSorted((a, b) => (a.kind < b.kind ? 1 : -1));
  });
  return divide(groups, (group) => isWithin(limits, group.median));
}

const MOST_GROUPS = 15;
const FEW_TO_STATE = 10; // films; a group with fewer is pale
const byTotal = (a, b) => b.total - a.total || a.id - b.id;

function totalRows(rows, field, shorten) {
  const named = { collection: data.names.franchises, director: data.names.people }[field];
  const groups = groupFilms(rows, (film) => film.at[field]).map(([at, members]) => {
    const values = members.map((film) => film.revenue).toSorted(byNumber);
    const [id, name] = [named[at][0], shorten(named[at][1])];
    return {
      name,
      key: keyOf(name, members.length, id),
      choice: { field, value: pickers[field].labels[at] },
      id,
      n: members.length,
      total: total(values),
      sum: asUsd(total(values)),
      middle: asUsd(median(values)),
    };
  });
  const { drawn, outside } = divide(groups.toSorted(byTotal), (group) =>
    isWithin([0, 1e11], group.total),
  );
  return { drawn: drawn.slice(0, MOST_GROUPS), outside };
}

function yearRows(rows) {
  const groups = groupFilms(rows, (film) => [film.year]).toSorted(([a], [b]) => a - b);
  const drawn = groups.flatMap(([year, members]) => {
    const choice = { field: "year", value: year };
    const row = { name: year, year, choice, start: year - 0.5, end: year + 0.5 };
    const known = members.filter((film) => film.roi !== null).length;
    const parts = [
      { ...row, money: "money known", n: known, bottom: 0, top: known },
      {
        ...row,
        money: "money missing",
        n: members.length - known,
        bottom: known,
        top: members.length,
      },
    ];
    return parts.filter(({ n }) => n);
  });
  return { drawn, outside: [] };
}

function medianRows(rows) {
  const limits = { budget: axisLimits(rows, "budget"), revenue: axisLimits(rows, "revenue") };
  const groups = groupFilms(rows, (film) => [film.year]).toSorted(([a], [b]) => a - b);
  const each = groups.flatMap(([year, members]) =>
    ["revenue", "budget"].map((what) => {
      const middle = median(members.map((film) => film[what]).toSorted(byNumber));
      const choice = { field: "year", value: year };
      const words = { middle: asUsd(middle), n: members.length };
      return { name: year, year, what, choice, median: middle, ...words };
    }),
  );
  const { drawn, outside } = divide(each, (row) => isWithin(limits[row.what], row.median));
  return { drawn: withLines(drawn), outside };
}

const isFirm = (row) => row !== undefined && row.n >= FEW_TO_STATE;

// A line leads from a year to the next one, if both have enough films; else to the dot itself.
function withLines(rows) {
  const at = new Map(rows.map((row) => [row.what + row.year, row]));
  return rows.map((row) => {
    const next = at.get(row.what + (row.year + 1));
    const end = isFirm(row) && isFirm(next) ? next : row;
    return { ...row, next_year: end.year, next_median: end.median };
  });
}

const rowMakers = {
  money: (rows) => filmRows(rows, "money", ["budget", "revenue"], ["budget", "revenue"]),
  genres: genreRows,
  bands: bandRows,
  franchises: (rows) => totalRows(rows, "collection", (name) => name.replace(/ Collection$/, "")),
  directors: (rows) => totalRows(rows, "director", (name) => name),
  ratings: (rows) => filmRows(rows, "ratings", ["popularity", "rating"], ["popularity"]),
  years: yearRows,
  medians: medianRows,
};

// ---- Charts. A filter redraws the visible charts at once, the others when they become visible.
// Vega interprets its expressions instead of compiling them (`ast`), because the policy of the page
// forbids creating code from text.

const views = {};
const shownRows = {}; // name of a chart: its rows
const REACHED = data.earned_back; // times the budget: where films break even
const staleCharts = new Set();
const chartsInSight = new Set();
const figureOf = (name) => byId("chart-" + name);
const chartOf = (part) => part.closest("figure").id.replace("chart-", "");
const isDark = matchMedia("(prefers-color-scheme: dark)");

// Vega's configuration, in the colours of the style sheet.
function chartTheme() {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue("--" + name).trim();
  const labels = {
    labelColor: colour("soft"),
    titleColor: colour("soft"),
    labelFontSize: 12,
    titleFontSize: 12,
    titleFontWeight: "normal",
  };
  const lines = {
    gridColor: colour("line"),
    domainColor: colour("line"),
    tickColor: colour("line"),
  };
  return {
    background: null,
    font: "system-ui, sans-serif",
    view: { stroke: null },
    mark: { color: colour("first") },
    rule: { color: colour("first") },
    range: { category: [colour("first"), colour("second")] },
    style: { limit: { color: colour("soft"), strokeWidth: 1 }, half: { strokeWidth: 3 } },
    selection: { interval: { mark: { fill: colour("soft"), stroke: colour("soft") } } },
    legend: labels,
    axis: { ...labels, ...lines, labelOverlap: true, labelSeparation: 6, labelPadding: 5 },
    axisY: { labelLimit: 260 },
  };
}

// Labels of groups and years, and the legend of the two kinds of films, take clicks. The rectangle
// of a range has no words for a screen reader.
function takeClicks(spec) {
  for (const mark of spec.marks) if (mark.name?.startsWith("brush_")) mark.aria = false;
  const clickable = { interactive: true, update: { cursor: { value: "pointer" } } };
  const isOfGroups = ({ scale }) =>
    spec.scales.some(({ name, type }) => name === scale && ["band", "point"].includes(type));
  for (const axis of spec.axes ?? []) {
    if (axis.labels === false || !(axis.format === "d" || isOfGroups(axis))) continue;
    const encode = axis.encode ?? {};
    const labels = encode.labels ?? {};
    const pointed = { ...labels.update, ...clickable.update };
    axis.encode = { ...encode, labels: { ...labels, interactive: true, update: pointed } };
  }
  const isOfKinds = ({ fill, stroke, shape }) =>
    spec.scales.some(
      ({ name, domain }) =>
        [fill, stroke, shape].includes(name) && [domain].flat().includes("franchise"),
    );
  for (const legend of (spec.legends ?? []).filter(isOfKinds)) {
    const encode = legend.encode ?? {};
    const part = (name) => ({
      ...encode[name],
      interactive: true,
      update: { ...encode[name]?.update, ...clickable.update },
    });
    legend.encode = { ...encode, labels: part("labels"), symbols: part("symbols") };
  }
  return spec;
}

const isKnown = (value) =>
  Array.isArray(value) ? value.length > 0 : value !== null && value !== 0;

function filmsOf(name) {
  const { needs } = charts[name];
  return selectedFilms.filter((film) => needs.every((field) => isKnown(film[field])));
}

function showCaption(name) {
  const count = filmsOf(name).length;
  const figure = figureOf(name);
  const none = figure.querySelector(".none");
  figure.querySelector(".definition").textContent = charts[name].definition
    .replaceAll("{dollars}", dollarWords())
    .replaceAll("{reached}", asDecimal(REACHED));
  figure.querySelector(".n").textContent = `n = ${filmCount(count)}.`;
  none.textContent = selectedFilms.length
    ? "No data for this selection."
    : "No film matches all filters.";
  none.hidden = count > 0;
  if (!count) figure.querySelector(".chart").classList.add("empty");
}

const keysIn = (rows) => new Set(rows.map((row) => row.key)).size;

// What Vega gets: the rows, and the ends of the lines of the chart of money.
function datasetsOf(name, rows) {
  if (name !== "money") return { films: rows };
  const budgets = rows.map((row) => row.budget).toSorted(byNumber);
  const ends = [budgets[0], budgets.at(-1)];
  return {
    films: rows,
    ends: ends.map((budget) => ({ budget, even: budget, reached: REACHED * budget })),
  };
}

// A chart without rows keeps its last picture, which is hidden.
async function updateChart(name) {
  staleCharts.delete(name);
  shownRows[name] = rowMakers[name](filmsOf(name));
  showOutside(name);
  showChartTable(name);
  const rows = shownRows[name].drawn;
  figureOf(name).querySelector(".chart").classList.toggle("empty", !rows.length);
  if (!rows.length) return;
  const view = views[name];
  if (!view) return embedChart(name, rows);
  if (charts[name].step) view.height(charts[name].step * keysIn(rows));
  for (const [source, values] of Object.entries(datasetsOf(name, rows))) view.data(source, values);
  await view.runAsync();
}

// The charts are busy until all that are in sight show the selection.
function updateChartsInSight() {
  requestAnimationFrame(async () => {
    const dueCharts = [...staleCharts].filter((name) => chartsInSight.has(name));
    await Promise.all(dueCharts.map(updateChart));
    const isBusy = [...staleCharts].some((name) => chartsInSight.has(name));
    byId("charts").setAttribute("aria-busy", isBusy);
  });
}

async function embedChart(name, rows) {
  const { spec, step } = charts[name];
  const height = step ? step * keysIn(rows) : spec.height;
  const { view } = await vegaEmbed(
    figureOf(name).querySelector(".chart"),
    { ...spec, height, datasets: datasetsOf(name, rows) },
    {
      mode: "vega-lite",
      ast: true,
      actions: false,
      config: chartTheme(),
      patch: takeClicks,
      tooltip: { theme: isDark.matches ? "dark" : "light" },
      renderer: films.length > 1500 ? "canvas" : "svg",
    },
  );
  views[name] = view;
  view.addEventListener("click", (_, mark) => mark && clickMark(name, mark));
  if (brushes[name]) watchBrush(name, view);
}

async function drawCharts() {
  document.documentElement.classList.toggle("dark", isDark.matches); // for DataTables
  for (const name of Object.keys(charts)) {
    views[name]?.finalize();
    delete views[name];
    await updateChart(name);
  }
}

// ---- Clicks and ranges. A click on a mark or a label of a group sets its filter in the form, or
// clears it. A click on a film shows the film below the chart. A range that is drawn over a chart
// becomes the two ends of a filter.

function clickMark(name, { mark, datum }) {
  if (!datum) return;
  if (mark.role === "axis-label") {
    const isYears = charts[name].needs.includes("year");
    const row = shownRows[name].drawn.find((each) => each.key === datum.value);
    if (row) choose(row.choice);
    else if (isYears) choose({ field: "year", value: datum.value });
  } else if (mark.role?.startsWith("legend")) {
    const value = { franchise: "yes", standalone: "no" }[datum.value];
    if (value) choose({ field: "franchise", value });
  } else if (datum.choice) choose(datum.choice);
  else if (datum.place !== undefined) showFilm(name, films[datum.place]);
}

function choose({ field, value }) {
  const text = String(value);
  if (field === "year") {
    const isChosen = ["from", "to"].every((end) => form.elements[end].value === text);
    for (const end of ["from", "to"]) form.elements[end].value = isChosen ? "" : text;
  } else {
    const box = boxesOf(field).find((each) => each.value === text);
    const list = form.elements[field];
    if (box) box.checked = !box.checked;
    else list.value = list.value === text ? "" : text;
  }
  update();
}

function showFilm(name, film) {
  const facts = [
    film.year ?? "year unknown",
    film.director,
    `budget ${film.budget_text}`,
    `revenue ${film.revenue_text}`,
    `return ${film.roi_text}`,
    `rating ${film.rating_text} (${filmCount(film.votes ?? 0).replace(/film/, "vote")})`,
    film.doubt && `check: ${film.doubt}`,
  ];
  const words = " · " + facts.filter(Boolean).join(" · ");
  figureOf(name).querySelector(".picked").replaceChildren(filmLink(film.id, film.title), words);
}

const brushes = {
  money: { budget: "budget", revenue: "revenue" },
  years: { start: "year" },
  medians: { year: "year" },
};
const inMillions = (usd) => Number((usd / 1e6).toPrecision(3));

function setRange(what, [low, high]) {
  if (what === "year") {
    const [first, last] = [Math.ceil(low), Math.floor(high)];
    const middle = Math.round((low + high) / 2);
    form.elements.from.value = Math.min(first, middle);
    form.elements.to.value = Math.max(last, middle);
  } else {
    form.elements[what + "_from"].value = inMillions(low);
    form.elements[what + "_to"].value = inMillions(high);
  }
}

function watchBrush(name, view) {
  let ranges = {};
  view.addSignalListener("brush", (_, value) => {
    ranges = value;
  });
  // Vega ends its range when this event has gone through the chart. The event can be outside it.
  addEventListener("pointerup", () =>
    setTimeout(() => {
      if (views[name] !== view) return;
      const found = Object.entries(brushes[name]).filter(([field]) => ranges[field]);
      if (!found.length) return;
      for (const [field, what] of found) setRange(what, ranges[field]);
      ranges = {};
      for (const side of ["brush_x", "brush_y"]) {
        if (Object.hasOwn(view.getState().signals, side)) view.signal(side, [0, 0]);
      }
      update();
    }),
  );
}

// ---- The numbers behind a chart, and what lies outside its axes. Both tables have the columns of
// the tooltips.

function tooltipOf({ encoding = {}, layer = [] }) {
  return encoding.tooltip ?? layer.map(tooltipOf).find(Boolean);
}

function nameCell(cell, row, text) {
  if (row.id && row.place !== undefined) cell.append(filmLink(row.id, films[row.place].title));
  else if (row.choice) {
    const button = element("button", {
      type: "button",
      textContent: text,
    });
    button.addEventListener("click", () => choose(row.choice));
    cell.append(button);
  } else cell.textContent = text;
}

function fillTable(table, name, rows) {
  const columns = charts[name].columns ?? tooltipOf(charts[name].spec);
  const isOfFilms = rows.some((row) => row.place !== undefined);
  const all = isOfFilms ? [...columns, { field: "doubt", title: "Reasons to check" }] : columns;
  table.replaceChildren();
  if (!rows.length) return;
  const heads = table.createTHead().insertRow();
  for (const { title } of all) {
    const textContent = title === "title" ? (isOfFilms ? "Film" : "Name") : title;
    heads.append(element("th", { scope: "col", textContent }));
  }
  const body = table.createTBody();
  for (const row of rows) {
    const line = body.insertRow();
    all.forEach(({ field }, at) => {
      const cell = line.insertCell();
      const text = String(row[field] ?? DASH);
      if (at === 0) nameCell(cell, row, text);
      else cell.textContent = text;
    });
  }
}

function showChartTable(name) {
  const details = figureOf(name).querySelector("details.numbers");
  if (!details?.open || !shownRows[name]) return;
  const { drawn, outside } = shownRows[name];
  const focused = details.contains(document.activeElement) && document.activeElement.textContent;
  fillTable(details.querySelector("table"), name, [...drawn, ...outside]);
  const again = [...details.querySelectorAll("button")].find((b) => b.textContent === focused);
  again?.focus();
}

const OUTSIDE_LISTED = 50;

function showOutside(name) {
  const details = figureOf(name).querySelector("details.outside");
  const { outside } = shownRows[name];
  details.hidden = !outside.length;
  const isOfFilms = outside.some((row) => row.place !== undefined);
  const words = isOfFilms ? filmCount(outside.length) : `${outside.length} of the numbers`;
  const verb = outside.length === 1 && isOfFilms ? "lies" : "lie";
  const rest = outside.length > OUTSIDE_LISTED ? ` (the first ${OUTSIDE_LISTED} are listed)` : "";
  details.querySelector("summary").textContent = `${words} ${verb} outside the axes${rest}`;
  fillTable(details.querySelector("table"), name, outside.slice(0, OUTSIDE_LISTED));
}

// ---- Files. A chart is saved as it is on the screen, and its numbers as a CSV file. A cell of the
// file that a spreadsheet would read as a formula gets an apostrophe.

const FILM_FIELDS = "id title year kind budget revenue roi rating votes popularity";
const GROUP_FIELDS = "name kind what money n total lower_quartile median upper_quartile";
const withoutFormula = (value) =>
  typeof value === "string" && /^\s*[=+\-@\t\r]/.test(value) ? "'" + value : value;
const csvCell = (value) => {
  const text = String(withoutFormula(value ?? ""));
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

function chartCsv(name) {
  const { drawn, outside } = shownRows[name];
  const rows = [...drawn, ...outside].map((row) => films[row.place] ?? row);
  const isOfFilms = rows.some((row) => row.place !== undefined);
  const used = (isOfFilms ? FILM_FIELDS : GROUP_FIELDS)
    .split(" ")
    .filter((field) => rows.some((row) => row[field] !== undefined));
  const lines = rows.map((row) => used.map((field) => csvCell(row[field])).join(","));
  return [used.join(","), ...lines, ""].join("\r\n");
}

async function savePicture(name) {
  const paper = getComputedStyle(document.documentElement).getPropertyValue("--paper");
  const canvas = await views[name].background(paper).toCanvas(2);
  canvas.toBlob((picture) => saveFile(name + ".png", picture, "image/png"));
}

const saveDrawing = async (name) =>
  saveFile(name + ".svg", await views[name].toSVG(), "image/svg+xml");

for (const name of Object.keys(charts)) {
  addSavers(figureOf(name).querySelector(".files"), charts[name].title, {
    csv: () => saveFile(name + ".csv", chartCsv(name), "text/csv"),
    png: () => savePicture(name),
    svg: () => saveDrawing(name),
  });
}

// ---- The table of films. DataTables sorts, pages and exports. Unknown values sort last in both
// directions.

const compare = (a, b) => (typeof a === "string" ? a.localeCompare(b, "en") : a - b);

const unknownLast = (sign) => (a, b) => {
  if (a === b) return 0;
  if (a === null) return 1;
  if (b === null) return -1;
  return sign * compare(a, b);
};

const ESCAPED = /[&<>"']/g;
const escapeHtml = (text) => text.replace(ESCAPED, (sign) => `&#${sign.charCodeAt(0)};`);
const joinList = (value, by) => (Array.isArray(value) ? value.join(by) || null : value);
const asWords = orDash((value) => `<bdi>${escapeHtml(String(value))}</bdi>`);
const asLink = (value, film) =>
  `<a href="${filmUrl(film.id)}" rel="noreferrer">${asWords(value)}</a>`;
const column = (title, name, write) => ({
  title,
  name,
  data: (film) => film[name],
  type: "unknown-last",
  className: [undefined, asLink, asNames, asFranchise].includes(write) ? "" : "number",
  render: (value, use, film) => {
    if (use === "export") return joinList(value, "|") ?? "";
    if (use === "display") return (write ?? asWords)(joinList(value, ", "), film);
    return joinList(value, ", ");
  },
});

const languages = new Set(films.map((film) => film.language)).size;

const MOST_NAMES = 3;
const asNames = (text, film) => {
  const names = film.directors;
  const more = names.length - MOST_NAMES;
  if (more < 2) return asWords(text);
  return `${asWords(names.slice(0, MOST_NAMES).join(", "))} and ${more} more`;
};
const asFranchise = (text) => asWords(text && text.replace(/ Collection$/, ""));

const columns = [
  column("Title", "title", asLink),
  column("Year", "year", orDash(String)),
  column("Genres", "genres"),
  column("Director", "directors", asNames),
  column("Franchise", "franchise", asFranchise),
  ...(languages > 1 ? [column("Language", "language_name")] : []),
  column("Budget", "budget", asUsd),
  column("Revenue", "revenue", asUsd),
  column("Return", "roi", asTimes),
  column("Rating", "rating", asDecimal),
  column("Votes", "votes", asCount),
  column("Popularity", "popularity", asDecimal),
];
const columnAt = (name) => columns.findIndex((each) => each.name === name);
const DEFAULT_ORDER = [columnAt("revenue"), "desc"];

const csvButton = {
  extend: "csvHtml5",
  text: "Download as CSV",
  filename: "films",
  title: null,
  exportOptions: {
    orthogonal: "export",
    stripHtml: false,
    decodeEntities: false,
    trim: false,
    stripNewlines: false,
    format: { body: withoutFormula },
  },
};

function makeTable(params) {
  const [name, direction] = (params.get("sort") ?? "").split(".");
  const at = columnAt(name);
  const table = new DataTable("#table", {
    data: films,
    columns,
    deferRender: true,
    autoWidth: false,
    pageLength: 15,
    lengthChange: false,
    order: [at < 0 ? DEFAULT_ORDER : [at, direction === "asc" ? "asc" : "desc"]],
    layout: { topStart: null, topEnd: "buttons", bottomStart: "info", bottomEnd: "paging" },
    buttons: [csvButton],
    language: {
      info: "_START_ to _END_ of _TOTAL_ films",
      infoEmpty: "0 films",
      infoFiltered: "",
      emptyTable: "There are no films.",
      zeroRecords: "No film matches the filters and the search.",
    },
  });
  table.search.fixed("filters", (_, film) => selectedPlaces.has(film.place));
  table.on("order", () => setTimeout(saveUrl));
  return table;
}

// ---- Everything together. Each change of the form calls `update`.

function saveUrl() {
  const params = formParams();
  const [[at, direction] = DEFAULT_ORDER] = filmTable.order();
  if (at !== DEFAULT_ORDER[0] || direction !== DEFAULT_ORDER[1]) {
    params.set("sort", columns[at].name + "." + direction);
  }
  const hash = params.size ? "#" + params : "";
  history.replaceState(null, "", location.pathname + location.search + hash);
}

function showSelection(params, isUsable) {
  const filters = [...new Set(params.keys())].map((name) => describeFilter(params, name));
  const counts = [selectedFilms.length, filmsInScope.length].map((n) => countFormat.format(n));
  const of = isUsable ? " with usable money" : "";
  byId("n").textContent = `n = ${counts[0]} of ${counts[1]} films${of}`;
  const none = filters.length && !selectedFilms.length ? "No film matches: " : "";
  byId("active-filters").textContent = none + filters.join(" · ");
  for (const name of ["genre", "budget"]) {
    const count = params.getAll(name).length;
    byId(name + "-chosen").textContent = count ? count + " selected" : "any";
  }
  byId("reset").hidden = !filters.length;
  for (const place of document.querySelectorAll(".dollars")) place.textContent = dollarWords();
}

function update() {
  const params = formParams();
  const chosen = (name) => params.get(name) ?? DEFAULTS[name];
  const isUsable = chosen("scope") === "usable";
  const hasNewMoney = showMoneyIn(chosen("dollars"));
  filmsInScope = isUsable ? films.filter((film) => film.usable) : films;
  selectedFilms = filmsInScope.filter(matcher(params));
  selectedPlaces = new Set(selectedFilms.map((film) => film.place));
  showSelection(params, isUsable);
  showNumbers();
  if (filmTable) {
    if (hasNewMoney) filmTable.rows().invalidate("data");
    filmTable.draw();
    saveUrl();
  }
  for (const name of Object.keys(charts)) {
    showCaption(name);
    staleCharts.add(name);
  }
  byId("charts").setAttribute("aria-busy", "true");
  updateChartsInSight();
}

for (const option of form.elements.language.options) {
  if (option.value) option.text = `${languageName(option.value)} (${option.dataset.n})`;
}

form.addEventListener("submit", (event) => event.preventDefault());
document.addEventListener("input", ({ target }) => isOfForm(target) && update());
form.addEventListener("reset", () => setTimeout(update));
for (const name of Object.keys(pickers)) {
  form.elements[name]?.addEventListener("focus", () => fillList(name), { once: true });
}
addEventListener("hashchange", () => {
  restoreForm();
  update();
});
addEventListener("beforeprint", () => staleCharts.forEach(updateChart));
isDark.addEventListener("change", drawCharts);

DataTable.type("unknown-last", {
  order: { asc: unknownLast(1), desc: unknownLast(-1) },
  detect: () => false,
});
// On a phone the filters are folded, so that the numbers come first.
const isNarrow = matchMedia("(max-width: 40rem)");
const foldFilters = () => (byId("fields").open = !isNarrow.matches);
foldFilters();
isNarrow.addEventListener("change", foldFilters);
let filmTable = null;
const params = restoreForm();
update();
filmTable = makeTable(params);
update();
await drawCharts();

const sight = new IntersectionObserver((changes) => {
  for (const { target, isIntersecting } of changes) {
    if (isIntersecting) chartsInSight.add(chartOf(target));
    else chartsInSight.delete(chartOf(target));
  }
  updateChartsInSight();
});
for (const figure of document.querySelectorAll("figure")) sight.observe(figure);
for (const details of document.querySelectorAll("figure details.numbers")) {
  details.addEventListener("toggle", () => showChartTable(chartOf(details)));
}
document.documentElement.dataset.ready = "yes";
