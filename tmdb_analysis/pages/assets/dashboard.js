const $ = (id) => document.getElementById(id),
  read = (id) => JSON.parse($(id).textContent);
const data = read("data-films"),
  charts = read("data-charts"),
  names = data.names,
  form = $("filters"),
  dash = "–";

// values as text
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });
const plain = new Intl.NumberFormat("en", { maximumFractionDigits: 2 }),
  count = new Intl.NumberFormat("en");
const text = (write) => (v) => (v === null ? dash : write(v));
const usd = text((v) => "$" + compact.format(v)),
  times = text((v) => plain.format(v) + "×");
const number = text((v) => plain.format(v)),
  whole = text((v) => count.format(v));

// the films, from columns to rows; money in USD
const edges = [...form.elements.budget]
  .filter((box) => box.value !== "unknown")
  .map((box) => +box.value);
const below = (budget) => edges.filter((e) => e * 1e6 <= budget).pop();
const band = (f) => (f.budget === null ? "unknown" : String(f.smallest));
const label = (box) => box.nextSibling.data.trim();
const million = (v) => (v === null ? null : Math.round(v * 1e6));
const films = data.id.map((id, i) => {
  const budget = million(data.budget[i]),
    revenue = million(data.revenue[i]),
    people = data.directors[i].map((d) => names.people[d]);
  const [collection, franchise] =
    data.franchise[i] === null ? [null, null] : names.franchises[data.franchise[i]];
  const f = {
    i,
    id,
    title: data.title[i],
    year: data.year[i],
    language: data.language[i],
    genres: data.genres[i].map((g) => names.genres[g]),
    collection,
    franchise,
    kind: !data.measured ? "film" : collection === null ? "standalone" : "franchise",
    people: people.map(([id]) => id),
    directors: people.map(([, name]) => name),
    director: people.map(([, name]) => name).join(", ") || dash,
    budget,
    revenue,
    roi: budget && revenue !== null ? revenue / budget : null,
    smallest: budget === null ? null : below(budget),
    votes: data.votes[i],
    rating: data.rating[i],
    popularity: data.popularity[i],
  };
  const texts = {
    budget_text: usd(budget),
    revenue_text: usd(revenue),
    roi_text: times(f.roi),
    rating_text: number(f.rating),
    votes_text: whole(f.votes),
    popularity_text: number(f.popularity),
    money: f.roi === null ? "money not known" : "money known",
  };
  return {
    ...f,
    ...texts,
    band: label([...form.elements.budget].find((box) => box.value === band(f))),
  };
});

// the form is the question, and the address of the page holds it
let picked = films,
  inside = new Set(),
  table;
const asked = () =>
  new URLSearchParams([...new FormData(form)].filter(([, value]) => value.trim() !== ""));
const chooser = (p) => {
  const bound = (name) => (p.has(name) ? +p.get(name) : null),
    all = (name) => new Set(p.getAll(name));
  const from = bound("from"),
    to = bound("to"),
    votes = bound("votes"),
    genres = all("genre"),
    bands = all("budget");
  const franchise = p.get("franchise"),
    director = p.get("director"),
    language = p.get("language");
  const within = (f) =>
    !franchise ||
    (franchise === "yes"
      ? f.collection !== null
      : franchise === "no"
        ? f.collection === null
        : f.collection === +franchise);
  return (f) =>
    (from === null || (f.year !== null && f.year >= from)) &&
    (to === null || (f.year !== null && f.year <= to)) &&
    (votes === null || (f.votes !== null && f.votes >= votes)) &&
    (!genres.size || f.genres.some((g) => genres.has(g))) &&
    (!bands.size || bands.has(band(f))) &&
    (!language || f.language === language) &&
    (!director || f.people.includes(+director)) &&
    within(f);
};
const restore = () => {
  const p = new URLSearchParams(location.hash.slice(1));
  for (const e of form.elements) {
    if (e.type === "checkbox") e.checked = p.getAll(e.name).includes(e.value);
    else if (e.name) {
      e.value = p.get(e.name) ?? "";
      if (e.selectedIndex < 0) e.selectedIndex = 0;
    }
  }
  return p;
};
const said = (p) =>
  [...new Set(p.keys())].map((name) => {
    const element = form.elements[name],
      values = p.getAll(name);
    if (name === "from" || name === "to") return name + " " + values[0];
    if (name === "votes") return count.format(values[0]) + " votes or more";
    return element.options
      ? element.selectedOptions[0].text
      : [...element]
          .filter((box) => box.checked)
          .map(label)
          .join(" or ");
  });

// the numbers
const known = (v) => (Array.isArray(v) ? v.length > 0 : v !== null && v !== 0);
const sorted = (name) =>
  picked
    .map((f) => f[name])
    .filter((v) => v !== null)
    .sort((a, b) => a - b);
const median = (v) => (v[v.length >> 1] + v[(v.length - 1) >> 1]) / 2;
const card = (id, values, write) => {
  $(id).textContent = values.length ? write(values) : dash;
  $(id + "-n").textContent = "n = " + count.format(values.length);
};
const cards = () => {
  const roi = sorted("roi"),
    revenue = sorted("revenue");
  card("median-roi", roi, (v) => times(median(v)));
  card("even", roi, (v) => Math.round((100 * v.filter((r) => r >= 1).length) / v.length) + "%");
  card("median-revenue", revenue, (v) => usd(median(v)));
  card("median-budget", sorted("budget"), (v) => usd(median(v)));
  card("total-revenue", revenue, (v) => usd(v.reduce((sum, x) => sum + x, 0)));
  card("median-rating", sorted("rating"), (v) => number(median(v)));
};

// the charts: those in sight are drawn at once, the others when they come into sight
const views = {},
  stale = new Set(),
  seen = new Set();
const rows = (name) => picked.filter((f) => charts[name].needs.every((field) => known(f[field])));
const logger = {
  error: (...told) => {
    console.error(...told);
    return logger;
  },
};
for (const level of ["level", "warn", "info", "debug"]) logger[level] = () => logger;
const look = () => {
  const css = getComputedStyle(document.documentElement),
    font = "system-ui, sans-serif";
  const [soft, line, first, second] = ["soft", "line", "first", "second"].map((name) =>
    css.getPropertyValue("--" + name).trim(),
  );
  const words = {
    labelColor: soft,
    titleColor: soft,
    labelFontSize: 12,
    titleFontSize: 12,
    titleFontWeight: "normal",
  };
  return {
    background: null,
    font,
    view: { stroke: null },
    mark: { color: first },
    rule: { color: first },
    range: { category: [first, second] },
    style: { limit: { color: soft, strokeWidth: 1 }, half: { strokeWidth: 3 } },
    legend: words,
    axis: { ...words, gridColor: line, domainColor: line, tickColor: line, labelOverlap: true },
    axisY: { labelLimit: 260 },
  };
};
const caption = (name) => {
  const n = rows(name).length,
    figure = $("chart-" + name),
    none = figure.querySelector(".none");
  figure.querySelector(".n").textContent =
    "n = " + count.format(n) + (n === 1 ? " film." : " films.");
  none.textContent = n
    ? ""
    : picked.length
      ? "Of no film in the selection is this known."
      : "No film fits all filters.";
  none.hidden = n > 0;
  figure.querySelector(".chart").classList.toggle("empty", !n);
};
const feed = async (name) => {
  stale.delete(name);
  await views[name]
    ?.data(
      "films",
      rows(name).map((f) => ({ ...f })),
    )
    .runAsync();
  list(name);
};
const refresh = () =>
  requestAnimationFrame(() =>
    [...stale].filter((name) => seen.has(name) && views[name]).forEach(feed),
  );
const draw = async () => {
  const config = look(),
    dark = matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.classList.toggle("dark", dark); // DataTables asks for this class
  for (const [name, chart] of Object.entries(charts)) {
    views[name]?.finalize();
    stale.delete(name);
    const filled = {
      ...chart.spec,
      data: { name: "films", values: rows(name).map((f) => ({ ...f })) },
    };
    const how = {
      mode: "vega-lite",
      ast: true,
      actions: false,
      logger,
      config,
      tooltip: { theme: dark ? "dark" : "light" },
    };
    const { view } = await vegaEmbed($("chart-" + name).querySelector(".chart"), filled, {
      ...how,
      renderer: films.length > 1500 ? "canvas" : "svg",
    });
    views[name] = view;
    list(name);
    if (clicks[name])
      view.addEventListener("click", (_, item) => item?.datum?.n && clicks[name](item.datum));
  }
};

// a click on a group is the same as choosing it in the form
const choose = (name, value) => {
  const element = form.elements[name];
  if (element.options) element.value = element.value === String(value) ? "" : value;
  else for (const box of element) if (box.value === String(value)) box.checked = !box.checked;
  update();
};
const clicks = {
  genres: (group) => choose("genre", group.genres),
  bands: (group) => choose("budget", group.smallest),
  franchises: (group) => choose("franchise", group.group),
  directors: (group) => choose("director", group.group),
};

// the numbers of a chart as a table, from top to bottom or from left to right
const marks = (item) => [
  ...(item.tooltip?.Films === undefined ? [] : [item]),
  ...(item.items ?? []).flatMap(marks),
];
const list = (name) => {
  const box = $("chart-" + name).querySelector("details");
  if (!box?.open || !views[name]) return;
  const { encoding } = charts[name].spec,
    along = encoding.y.type === "nominal" ? "y" : "x";
  const items = marks(views[name].scenegraph().root).sort(
    (a, b) => a[along] - b[along] || a.y - b.y,
  );
  const lines = new Map(
    items.map(({ tooltip }) => [Object.values(tooltip).join("\u001f"), tooltip]),
  ); // a group may have two marks
  const table = box.querySelector("table");
  table.replaceChildren();
  for (const told of lines.values()) {
    if (!table.rows.length) {
      const heads = table.createTHead().insertRow();
      for (const word of Object.keys(told)) {
        const textContent = word === "title" ? "Name" : word;
        heads.append(Object.assign(document.createElement("th"), { scope: "col", textContent }));
      }
      table.createTBody();
    }
    const row = table.tBodies[0].insertRow();
    for (const value of Object.values(told)) row.insertCell().textContent = value;
  }
};

// the table: text as text, unknown last in both directions, no formula in the file
const compare = (a, b) => (typeof a === "string" ? a.localeCompare(b, "en") : a - b);
const inOrder = (sign) => (a, b) =>
  a === b ? 0 : a === null ? 1 : b === null ? -1 : sign * compare(a, b);
DataTable.type("known", { order: { asc: inOrder(1), desc: inOrder(-1) }, detect: () => false });
const escaped = (v) => String(v).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
const joined = (v, by) => (Array.isArray(v) ? v.join(by) || null : v);
const words = (v) => (joined(v, ", ") === null ? dash : `<bdi>${escaped(joined(v, ", "))}</bdi>`);
const column = (title, name, write = words) => ({
  title,
  name,
  data: (f) => f[name],
  type: "known",
  className: write === words ? "" : "number",
  render: (v, use) =>
    use === "export" ? (joined(v, "|") ?? "") : use === "display" ? write(v) : joined(v, ", "),
});
const columns = [
  column("Title", "title"),
  column("Year", "year", text(String)),
  column("Genres", "genres"),
  column("Director", "directors"),
  column("Franchise", "franchise"),
  column("Language", "language"),
  column("Budget", "budget", usd),
  column("Revenue", "revenue", usd),
  column("Return", "roi", times),
  column("Rating", "rating", number),
  column("Votes", "votes", whole),
  column("Popularity", "popularity", number),
];
const harmless = (v) => (typeof v === "string" && /^\s*[=+\-@\t\r]/.test(v) ? "'" + v : v);
const file = {
  orthogonal: "export",
  stripHtml: false,
  decodeEntities: false,
  trim: false,
  stripNewlines: false,
  format: { body: harmless },
};
const makeTable = (p) => {
  const [by, way] = (p.get("sort") ?? "").split("."),
    at = columns.findIndex((c) => c.name === by);
  const made = new DataTable("#table", {
    data: films,
    columns,
    deferRender: true,
    autoWidth: false,
    pageLength: 15,
    lengthChange: false,
    searchDelay: 150,
    order: at < 0 ? [[7, "desc"]] : [[at, way === "asc" ? "asc" : "desc"]],
    search: { search: p.get("search") ?? "" },
    layout: { topStart: "search", topEnd: "buttons", bottomStart: "info", bottomEnd: "paging" },
    buttons: [
      {
        extend: "csvHtml5",
        text: "Download as CSV",
        filename: "films",
        title: null,
        exportOptions: file,
      },
    ],
    language: {
      search: "Search the table",
      info: "_START_ to _END_ of _TOTAL_ films",
      infoEmpty: "0 films",
      infoFiltered: "",
      emptyTable: "There are no films.",
      zeroRecords: "No film fits all filters and the search.",
    },
  });
  made.search.fixed("filters", (_, film) => inside.has(film.i));
  made.on("search order", () => setTimeout(keep));
  return made;
};
const keep = () => {
  const p = asked(),
    [[at, way] = [7, "desc"]] = table.order(),
    search = table.search();
  if (search) p.set("search", search);
  if (at !== 7 || way !== "desc") p.set("sort", columns[at].name + "." + way);
  history.replaceState(null, "", location.pathname + location.search + (p.size ? "#" + p : ""));
};

// all together
const update = () => {
  const p = asked(),
    question = said(p);
  picked = films.filter(chooser(p));
  inside = new Set(picked.map((f) => f.i));
  $("n").textContent =
    "n = " + count.format(picked.length) + " of " + count.format(films.length) + " films";
  $("asked").textContent =
    (picked.length || !question.length ? "" : "No film fits: ") + question.join(" · ");
  for (const name of ["genre", "budget"])
    $(name + "-asked").textContent = p.has(name) ? p.getAll(name).length + " chosen" : "any";
  $("reset").hidden = !question.length;
  cards();
  table.draw();
  keep();
  for (const name in charts) {
    caption(name);
    stale.add(name);
  }
  refresh();
};
const language = new Intl.DisplayNames(["en"], { type: "language" });
for (const option of form.elements.language.options) {
  if (/^[a-z]{2}$/.test(option.value))
    option.text = `${language.of(option.value)} (${option.dataset.n})`;
}
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  $("main").focus();
});
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("input", update);
form.addEventListener("reset", () => setTimeout(update));
addEventListener("hashchange", () => {
  table.search(restore().get("search") ?? "");
  update();
});
addEventListener("beforeprint", () => stale.forEach(feed));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
table = makeTable(restore());
update();
await draw();
const sight = new IntersectionObserver(
  (changes) => {
    for (const { target, isIntersecting } of changes)
      seen[isIntersecting ? "add" : "delete"](target.id.replace("chart-", ""));
    refresh();
  },
  { rootMargin: "200px" },
);
document.querySelectorAll("figure").forEach((figure) => sight.observe(figure));
document
  .querySelectorAll("figure details")
  .forEach((box) =>
    box.addEventListener("toggle", () => list(box.closest("figure").id.replace("chart-", ""))),
  );
document.documentElement.dataset.ready = "yes";
