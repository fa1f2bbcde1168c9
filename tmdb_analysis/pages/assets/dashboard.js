// The script of the dashboard connects the form, the charts and the table.
//
// Vega draws the charts and DataTables makes the table. This script reads the form, selects the
// films, updates charts and table, and keeps the URL. It is one module without a build step, in the
// order in which it runs. It shows names from outside as text, never as HTML. The policy of the
// page allows this script by its hash. The script creates no code from text and loads nothing.

const byId = (id) => document.getElementById(id);
const readJson = (id) => JSON.parse(byId(id).textContent);
const data = readJson("data-films");
const charts = readJson("data-charts");
const form = byId("filters");

// ---- Values as text. An unknown value is null everywhere; the reader sees a dash.

const DASH = "–";
const compactFormat = new Intl.NumberFormat("en", {
  notation: "compact",
  maximumSignificantDigits: 3,
});
const decimalFormat = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });
const countFormat = new Intl.NumberFormat("en");
const orDash = (write) => (value) => (value === null ? DASH : write(value));
const asUsd = orDash((value) => "$" + compactFormat.format(value));
const asTimes = orDash((value) => decimalFormat.format(value) + "×");
const asDecimal = orDash((value) => decimalFormat.format(value));
const asCount = orDash((value) => countFormat.format(value));

// ---- Films. The page contains columns with money in million USD; charts and table need rows in
// USD.

const boxesOf = (name) => [...form.querySelectorAll(`input[name=${name}]`)];
const budgetBoxes = boxesOf("budget");
const boxLabel = (box) => box.nextSibling.data.trim();
const bandEdges = budgetBoxes.map((box) => box.value).filter((value) => value !== "unknown");
const toUsd = (millions) => (millions === null ? null : Math.round(millions * 1e6));
const bandOf = (film) => (film.budget === null ? "unknown" : String(film.smallest));

function makeFilm(id, place) {
  const budget = toUsd(data.budget[place]);
  const revenue = toUsd(data.revenue[place]);
  const directors = data.directors[place].map((at) => data.names.people[at]);
  const owner = data.franchise[place];
  const [collection, franchise] = owner === null ? [null, null] : data.names.franchises[owner];
  const edge = bandEdges.findLast((lowest) => lowest * 1e6 <= budget);
  const film = {
    id,
    place,
    title: data.title[place],
    year: data.year[place],
    language: data.language[place],
    genres: data.genres[place].map((at) => data.names.genres[at]),
    collection,
    franchise,
    kind: !data.measured ? "film" : collection === null ? "standalone" : "franchise",
    people: directors.map(([person]) => person),
    directors: directors.map(([, name]) => name),
    director: directors.map(([, name]) => name).join(", ") || DASH,
    budget,
    revenue,
    roi: budget && revenue !== null ? revenue / budget : null,
    smallest: budget === null ? null : Number(edge),
    votes: data.votes[place],
    rating: data.rating[place],
    popularity: data.popularity[place],
  };
  return Object.assign(film, {
    band: boxLabel(budgetBoxes.find((box) => box.value === bandOf(film))),
    budget_text: asUsd(budget),
    revenue_text: asUsd(revenue),
    roi_text: asTimes(film.roi),
    rating_text: asDecimal(film.rating),
    votes_text: asCount(film.votes),
    popularity_text: asDecimal(film.popularity),
    money: film.roi === null ? "money missing" : "money known",
  });
}

const films = data.id.map(makeFilm);

// ---- Filters. The hash of the URL stores the values of the form, so a link or a reload restores
// them. Invalid parameters in a URL are ignored.

let selectedFilms = films;
let selectedPlaces = new Set();

function formParams() {
  const filled = [...new FormData(form)].filter(([, value]) => value.trim() !== "");
  return new URLSearchParams(filled);
}

function matcher(params) {
  const bound = (name) => (params.has(name) ? Number(params.get(name)) : null);
  const first = bound("from");
  const last = bound("to");
  const votes = bound("votes");
  const genres = new Set(params.getAll("genre"));
  const bands = new Set(params.getAll("budget"));
  const franchise = params.get("franchise");
  const director = params.get("director");
  const language = params.get("language");
  const inFranchise = (film) => {
    if (!franchise) return true;
    if (franchise === "yes") return film.collection !== null;
    if (franchise === "no") return film.collection === null;
    return film.collection === Number(franchise);
  };
  return (film) =>
    (first === null || (film.year !== null && film.year >= first)) &&
    (last === null || (film.year !== null && film.year <= last)) &&
    (votes === null || (film.votes !== null && film.votes >= votes)) &&
    (!genres.size || film.genres.some((genre) => genres.has(genre))) &&
    (!bands.size || bands.has(bandOf(film))) &&
    (!language || film.language === language) &&
    (!director || film.people.includes(Number(director))) &&
    inFranchise(film);
}

function restoreForm() {
  const params = new URLSearchParams(location.hash.slice(1));
  for (const field of form.elements) {
    if (field.type === "checkbox") {
      field.checked = params.getAll(field.name).includes(field.value);
    } else if (field.name) {
      field.value = params.get(field.name) ?? "";
      if (field.selectedIndex < 0) field.selectedIndex = 0;
    }
  }
  return params;
}

function describeFilter(params, name) {
  if (name === "from" || name === "to") return name + " " + params.get(name);
  if (name === "votes") return "at least " + countFormat.format(params.get(name)) + " votes";
  const checked = boxesOf(name).filter((box) => box.checked);
  if (checked.length) return checked.map(boxLabel).join(" or ");
  return form.elements[name].selectedOptions[0].text;
}

// ---- Key numbers. Each is exact and covers the selected films in which the value is known.

const median = (values) => (values[values.length >> 1] + values[(values.length - 1) >> 1]) / 2;
const total = (values) => values.reduce((sum, value) => sum + value, 0);
const grossedBudget = (returns) => returns.filter((value) => value >= 1).length / returns.length;

function knownValues(name) {
  const values = selectedFilms.map((film) => film[name]).filter((value) => value !== null);
  return values.toSorted((a, b) => a - b);
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

// ---- Charts. A filter redraws the visible charts at once, the others when they become visible.
// Vega interprets its expressions instead of compiling them (`ast`), because the policy of the page
// forbids creating code from text. Vega gets copies of the rows, because it writes its own fields
// into them.

const views = {};
const staleCharts = new Set();
const chartsInSight = new Set();
const figureOf = (name) => byId("chart-" + name);
const chartOf = (element) => element.closest("figure").id.replace("chart-", "");
const isDark = matchMedia("(prefers-color-scheme: dark)");

// Vega logs errors only.
const logger = {
  error: (...parts) => {
    console.error(...parts);
    return logger;
  },
};
for (const level of ["level", "warn", "info", "debug"]) logger[level] = () => logger;

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
    legend: labels,
    axis: { ...labels, ...lines, labelOverlap: true },
    axisY: { labelLimit: 260 },
  };
}

const isKnown = (value) =>
  Array.isArray(value) ? value.length > 0 : value !== null && value !== 0;

function chartRows(name) {
  const { needs } = charts[name];
  const rows = selectedFilms.filter((film) => needs.every((field) => isKnown(film[field])));
  return rows.map((film) => ({ ...film }));
}

function showCaption(name) {
  const count = chartRows(name).length;
  const figure = figureOf(name);
  const none = figure.querySelector(".none");
  const words = count === 1 ? " film." : " films.";
  figure.querySelector(".n").textContent = "n = " + countFormat.format(count) + words;
  none.textContent = selectedFilms.length
    ? "No data for this selection."
    : "No film matches all filters.";
  none.hidden = count > 0;
  figure.querySelector(".chart").classList.toggle("empty", count === 0);
}

async function updateChart(name) {
  staleCharts.delete(name);
  await views[name]?.data("films", chartRows(name)).runAsync();
  showChartTable(name);
}

function updateChartsInSight() {
  requestAnimationFrame(() => {
    const dueCharts = [...staleCharts].filter((name) => chartsInSight.has(name) && views[name]);
    dueCharts.forEach(updateChart);
  });
}

async function drawChart(name) {
  const spec = { ...charts[name].spec, data: { name: "films", values: chartRows(name) } };
  views[name]?.finalize();
  staleCharts.delete(name);
  const { view } = await vegaEmbed(figureOf(name).querySelector(".chart"), spec, {
    mode: "vega-lite",
    ast: true,
    actions: false,
    logger,
    config: chartTheme(),
    tooltip: { theme: isDark.matches ? "dark" : "light" },
    renderer: films.length > 1500 ? "canvas" : "svg",
  });
  views[name] = view;
  showChartTable(name);
  const click = chartClicks[name];
  if (click) view.addEventListener("click", (_, mark) => mark?.datum?.n && click(mark.datum));
}

async function drawCharts() {
  document.documentElement.classList.toggle("dark", isDark.matches); // for DataTables
  for (const name of Object.keys(charts)) await drawChart(name);
}

// A click on a group in a chart sets its filter in the form, or clears it.
const chartClicks = {
  genres: (group) => toggleFilter("genre", group.genres),
  bands: (group) => toggleFilter("budget", group.smallest),
  franchises: (group) => toggleFilter("franchise", group.group),
  directors: (group) => toggleFilter("director", group.group),
};

function toggleFilter(name, value) {
  const box = boxesOf(name).find((each) => each.value === String(value));
  const list = form.elements[name];
  if (box) box.checked = !box.checked;
  else list.value = list.value === String(value) ? "" : value;
  update();
}

// ---- The numbers behind a chart. The table of a chart of groups contains the tooltips of its
// marks, from top to bottom or from left to right, so table and chart cannot differ.

function groupMarks(item) {
  const inner = (item.items ?? []).flatMap(groupMarks);
  return item.tooltip?.Films === undefined ? inner : [item, ...inner];
}

function showChartTable(name) {
  const details = figureOf(name).querySelector("details");
  if (!details?.open || !views[name]) return;
  const axis = charts[name].spec.encoding.y.type === "nominal" ? "y" : "x";
  const marks = groupMarks(views[name].scenegraph().root);
  marks.sort((a, b) => a[axis] - b[axis] || a.y - b.y);
  // A group may have two marks with the same tooltip.
  const keyed = marks.map(({ tooltip }) => [Object.values(tooltip).join("\u001f"), tooltip]);
  const tooltips = [...new Map(keyed).values()];
  const table = details.querySelector("table");
  table.replaceChildren();
  if (!tooltips.length) return;
  const heads = table.createTHead().insertRow();
  for (const word of Object.keys(tooltips[0])) {
    const textContent = word === "title" ? "Name" : word;
    heads.append(Object.assign(document.createElement("th"), { scope: "col", textContent }));
  }
  const body = table.createTBody();
  for (const tooltip of tooltips) {
    const row = body.insertRow();
    for (const value of Object.values(tooltip)) row.insertCell().textContent = value;
  }
}

// ---- The table of films. DataTables searches, sorts, pages and exports. Unknown values sort last
// in both directions. A cell of the CSV file that a spreadsheet would read as a formula gets an
// apostrophe.

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
const withoutFormula = (value) =>
  typeof value === "string" && /^\s*[=+\-@\t\r]/.test(value) ? "'" + value : value;

const column = (title, name, write) => ({
  title,
  name,
  data: (film) => film[name],
  type: "unknown-last",
  className: write ? "number" : "",
  render: (value, use) => {
    if (use === "export") return joinList(value, "|") ?? "";
    if (use === "display") return (write ?? asWords)(joinList(value, ", "));
    return joinList(value, ", ");
  },
});

const columns = [
  column("Title", "title"),
  column("Year", "year", orDash(String)),
  column("Genres", "genres"),
  column("Director", "directors"),
  column("Franchise", "franchise"),
  column("Language", "language"),
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
    searchDelay: 150,
    order: [at < 0 ? DEFAULT_ORDER : [at, direction === "asc" ? "asc" : "desc"]],
    search: { search: params.get("search") ?? "" },
    layout: { topStart: "search", topEnd: "buttons", bottomStart: "info", bottomEnd: "paging" },
    buttons: [csvButton],
    language: {
      search: "Search the table",
      info: "_START_ to _END_ of _TOTAL_ films",
      infoEmpty: "0 films",
      infoFiltered: "",
      emptyTable: "There are no films.",
      zeroRecords: "No film matches the filters and the search.",
    },
  });
  table.search.fixed("filters", (_, film) => selectedPlaces.has(film.place));
  table.on("search order", () => setTimeout(saveUrl));
  return table;
}

// ---- Everything together. Each change of the form calls `update`.

function saveUrl() {
  const params = formParams();
  const [[at, direction] = DEFAULT_ORDER] = filmTable.order();
  const search = filmTable.search();
  if (search) params.set("search", search);
  if (at !== DEFAULT_ORDER[0] || direction !== DEFAULT_ORDER[1]) {
    params.set("sort", columns[at].name + "." + direction);
  }
  const hash = params.size ? "#" + params : "";
  history.replaceState(null, "", location.pathname + location.search + hash);
}

function showSelection(params) {
  const filters = [...new Set(params.keys())].map((name) => describeFilter(params, name));
  const counts = [selectedFilms.length, films.length].map((count) => countFormat.format(count));
  byId("n").textContent = `n = ${counts[0]} of ${counts[1]} films`;
  const none = filters.length && !selectedFilms.length ? "No film matches: " : "";
  byId("active-filters").textContent = none + filters.join(" · ");
  for (const name of ["genre", "budget"]) {
    const count = params.getAll(name).length;
    byId(name + "-chosen").textContent = count ? count + " selected" : "any";
  }
  byId("reset").hidden = !filters.length;
}

function update() {
  const params = formParams();
  selectedFilms = films.filter(matcher(params));
  selectedPlaces = new Set(selectedFilms.map((film) => film.place));
  showSelection(params);
  showNumbers();
  filmTable.draw();
  saveUrl();
  for (const name of Object.keys(charts)) {
    showCaption(name);
    staleCharts.add(name);
  }
  updateChartsInSight();
}

const languageNames = new Intl.DisplayNames(["en"], { type: "language" });
for (const option of form.elements.language.options) {
  if (/^[a-z]{2}$/.test(option.value)) {
    option.text = `${languageNames.of(option.value)} (${option.dataset.n})`;
  }
}

form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("input", update);
form.addEventListener("reset", () => setTimeout(update));
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the hash holds the filters
  byId("main").focus();
});
addEventListener("hashchange", () => {
  filmTable.search(restoreForm().get("search") ?? "");
  update();
});
addEventListener("beforeprint", () => staleCharts.forEach(updateChart));
isDark.addEventListener("change", drawCharts);

DataTable.type("unknown-last", {
  order: { asc: unknownLast(1), desc: unknownLast(-1) },
  detect: () => false,
});
const filmTable = makeTable(restoreForm());
update();
await drawCharts();

const sight = new IntersectionObserver(
  (changes) => {
    for (const { target, isIntersecting } of changes) {
      if (isIntersecting) chartsInSight.add(chartOf(target));
      else chartsInSight.delete(chartOf(target));
    }
    updateChartsInSight();
  },
  { rootMargin: "200px" },
);
for (const figure of document.querySelectorAll("figure")) sight.observe(figure);
for (const details of document.querySelectorAll("figure details")) {
  details.addEventListener("toggle", () => showChartTable(chartOf(details)));
}
document.documentElement.dataset.ready = "yes";
