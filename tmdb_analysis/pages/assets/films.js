// The script of the page of films reads a question, finds the films that meet it, and lists them.
//
// It understands the language of `tmdb search`: the page contains the fields, and the letters that
// count as equal, from the same source. It is one module without a build step, in the order in
// which it runs. It shows names from outside as text, never as HTML. The policy of the page allows
// this script by its hash. The script creates no code from text and loads nothing.

import {
  byId,
  element,
  readPacked,
  DASH,
  countFormat,
  compactFormat,
  orDash,
  asCount,
  asDecimal,
  filmCount,
  filmLink,
} from "./common.js";

const { films: data, language } = await readPacked("data-films");
const { fields, aliases, sorts } = language;
const people = { names: data.people.names, ids: [] };
for (const step of data.people.steps) people.ids.push((people.ids.at(-1) ?? 0) + step);
const places = data.id.map((_, place) => place);

// ---- Letters. Names are compared without case and accents.

const letters = new Map([...language.letters].map((from, at) => [from, language.plain[at]]));
const separators = new Set(language.separators);

function fold(text) {
  let folded = "";
  for (const letter of text) {
    if (letter < "\u0300" || letter > "\u036f") folded += letters.get(letter) ?? letter;
  }
  for (const [letter, two] of language.digraphs) folded = folded.replaceAll(letter, two);
  return folded;
}

function foldWords(text) {
  const words = Array.from(fold(text), (letter) => (separators.has(letter) ? " " : letter));
  return words.join("").split(" ").filter(Boolean).join(" ");
}

// ---- The question. A mistake throws a `Mistake` with one sentence.

class Mistake extends Error {}

const WORD = /(-?)(?:([A-Za-z_]+)(?:(:)|(?=[<>=])))?("(?:\\.|[^"\\])*"|[^\s"]*)(?!\S)/y;
const NUMBER = "[0-9]{1,15}(?:[.][0-9]{1,9})?";

function fieldName(name) {
  const lower = name.toLowerCase();
  const known = aliases[lower] ?? lower;
  if (known in fields) return known;
  const all = Object.keys(fields).join(", ");
  throw new Mistake(`Unknown field ${name}. Put text with a colon in quotes. Fields: ${all}.`);
}

function* questionWords(text) {
  let rest = text.trimStart();
  while (rest) {
    WORD.lastIndex = 0;
    const word = WORD.exec(rest);
    if (!word || !word[0]) {
      throw new Mistake(`A quote is not closed, or is inside a word: ${rest}`);
    }
    const [whole, minus, field, colon, value] = word;
    rest = rest.slice(whole.length).trimStart();
    if (whole === "OR") {
      yield { name: "OR" };
      continue;
    }
    const isOption = field && ["sort", "limit"].includes(field.toLowerCase());
    const name = isOption ? field.toLowerCase() : fieldName(field ?? "keyword");
    if (field && !colon && fields[name]?.kind !== "number") {
      throw new Mistake(`${whole}: ${name} is not a number; write ${name}:value`);
    }
    const plain = value.startsWith('"') ? value.slice(1, -1).replace(/\\(.)/g, "$1") : value;
    const bare = field && !colon ? plain.replace(/^=/, "") : plain;
    yield { name, value: bare, excluded: Boolean(minus) };
  }
}

// The comparisons that a number must meet, as [sign, number].
function numberBounds(value) {
  const comparison = new RegExp(`^(>=|<=|>|<)(-?${NUMBER})$`).exec(value);
  if (comparison) return [[comparison[1], Number(comparison[2])]];
  if (new RegExp(`^${NUMBER}$`).test(value)) {
    return [
      [">=", Number(value)],
      ["<=", Number(value)],
    ];
  }
  const between = new RegExp(`^(${NUMBER})?-(${NUMBER})?$`).exec(value) ?? [];
  return [
    [">=", between[1]],
    ["<=", between[2]],
  ].flatMap(([sign, end]) => (end === undefined ? [] : [[sign, Number(end)]]));
}

function checkNumber({ name, value }) {
  const isYear = ["year", "decade"].includes(name);
  const example = isYear ? "1999, 1990-1999, 1990- or -1979" : "100, 90-120, >=7 or <0";
  const numbers = numberBounds(value).map(([, number]) => number);
  const start = `${name}:${value}: `;
  if (!numbers.length) {
    throw new Mistake(start + `write a number or a range, such as ${example}.`);
  }
  if (isYear && !numbers.every((n) => Number.isInteger(n) && n >= 1000 && n <= 9999)) {
    throw new Mistake(start + `write years with four digits, such as ${example}.`);
  }
  if (numbers.length === 2 && numbers[0] > numbers[1]) {
    throw new Mistake(start + "the range ends before it begins; swap the two numbers.");
  }
}

function checked(condition) {
  const { name, value } = condition;
  const { kind } = fields[name];
  const hasIds = kind === "person" || name === "collection";
  const text = kind === "words" ? foldWords(value) : fold(value).trim();
  const isId = hasIds && /^#[0-9]{1,18}$/.test(value);
  if (kind === "number") checkNumber(condition);
  else if (!text) throw new Mistake(`${name} needs a value, such as ${name}:something.`);
  else if (hasIds && value.startsWith("#") && !isId) {
    throw new Mistake(`${name}:${value}: write an id as #62.`);
  }
  return { ...condition, kind, id: isId ? Number(value.slice(1)) : null };
}

// A question: conditions, each a list of alternatives; an order; and a limit.
function readQuestion(text) {
  const conditions = [];
  const options = {};
  let isAfterOr = false;
  const lonely = "OR needs a condition on both sides, as in genre:Horror OR genre:War.";
  for (const { name, value, excluded } of questionWords(text)) {
    if (name === "OR") {
      if (!conditions.length || isAfterOr) throw new Mistake(lonely);
      isAfterOr = true;
    } else if (["sort", "limit"].includes(name)) {
      if (excluded || name in options) {
        throw new Mistake(`${name} can be given once, as ${name}:value.`);
      }
      options[name] = value;
    } else {
      const condition = checked({ name, value, excluded });
      if (isAfterOr) conditions.at(-1).push(condition);
      else conditions.push([condition]);
      isAfterOr = false;
    }
  }
  if (isAfterOr) throw new Mistake(lonely);
  const { sort = "-rating", limit = null } = options;
  const by = sort.replace(/^-/, "");
  if (!sorts.includes(by)) {
    throw new Mistake(`Cannot sort by ${by}. Choose one of ${sorts.join(", ")}.`);
  }
  if (limit !== null && !/^0*[1-9][0-9]*$/.test(limit)) {
    throw new Mistake(`limit:${limit}: write a whole number from 1.`);
  }
  return { conditions, by, ascending: sort === by, limit: limit === null ? null : Number(limit) };
}

// ---- The films. Values for comparisons are computed when a question first needs them.

const cache = {};
const once = (key, make) => (cache[key] ??= make());

const listsOf = (name) => data[name].map((ats) => ats.map((at) => data.names[name][at]));

const NUMBERS = {
  year: (at) => data.year[at],
  decade: (at) => data.year[at] && Math.floor(data.year[at] / 10) * 10,
  rating: (at) => data.rating[at],
  votes: (at) => data.votes[at],
  revenue: (at) => data.revenue[at],
  budget: (at) => data.budget[at],
  profit: (at) => (isMoneyKnown(at) ? (usd("revenue", at) - usd("budget", at)) / 1e6 : null),
  roi: (at) => (isMoneyKnown(at) ? usd("revenue", at) / usd("budget", at) : null),
  popularity: (at) => data.popularity[at],
  runtime: (at) => data.runtime[at],
};
const isMoneyKnown = (at) => data.revenue[at] !== null && data.budget[at] !== null;

const usd = (name, at) => Math.round(data[name][at] * 1e6);

const COMPARISONS = {
  ">=": (a, b) => a >= b,
  "<=": (a, b) => a <= b,
  ">": (a, b) => a > b,
  "<": (a, b) => a < b,
};

function namesOf(name) {
  const make = {
    genre: () => listsOf("genres"),
    company: () => listsOf("companies"),
    country: () => listsOf("countries"),
    spoken: () => listsOf("spoken"),
    language: () => data.language.map((code) => (code === null ? [] : [code])),
    collection: () => data.collection.map((named) => (named?.[1] ? [named[1]] : [])),
  }[name];
  return once("names " + name, make);
}

function textsOf(name) {
  const texts = name === "title" ? ["title"] : ["title", "tagline", "overview"];
  return texts.map((field) =>
    once("text " + field, () => data[field].map((text) => ` ${foldWords(text ?? "")} `)),
  );
}

const WORKS = {
  cast: ["cast"],
  director: ["director"],
  writer: ["writer"],
  crew: ["director", "writer", "crew"],
  person: ["cast", "director", "writer", "crew"],
};

// A name means all people who are credited with it, in any spelling of theirs.
function spellingsOf({ value, id }) {
  const { names, ids } = people;
  const called = once("called", () => names.map(fold));
  const wanted = fold(value);
  const isNamed = (at) => (id === null ? called[at] === wanted : ids[at] === id);
  const meant = new Set(ids.filter((_, at) => isNamed(at)));
  return new Set(ids.flatMap((person, at) => (meant.has(person) ? [at] : [])));
}

function tester(condition) {
  const { name, kind, value, id } = condition;
  if (kind === "number") {
    const bounds = numberBounds(value);
    const meets = (n) => bounds.every(([sign, end]) => COMPARISONS[sign](n, end));
    return (at) => NUMBERS[name](at) !== null && meets(NUMBERS[name](at));
  }
  if (kind === "words") {
    const words = ` ${foldWords(value)} `;
    const texts = textsOf(name);
    return (at) => texts.some((each) => each[at].includes(words));
  }
  if (kind === "person") {
    const spellings = spellingsOf(condition);
    return (at) => WORKS[name].some((work) => data[work][at].some((who) => spellings.has(who)));
  }
  if (id !== null) return (at) => data.collection[at]?.[0] === id;
  const named = once("folded " + name, () => namesOf(name).map((names) => names.map(fold)));
  const wanted = kind === "part" ? fold(value).trim() : fold(value);
  const isMet = kind === "part" ? (one) => one.includes(wanted) : (one) => one === wanted;
  return (at) => named[at].some(isMet);
}

function findFilms({ conditions }) {
  const tests = conditions.map((alternatives) =>
    alternatives.map((each) => ({ test: tester(each), excluded: each.excluded })),
  );
  return places.filter((at) =>
    tests.every((either) => either.some(({ test, excluded }) => test(at) !== excluded)),
  );
}

// Unknown values come last; among equal films the smaller id comes first.
function sortFilms(found, { by, ascending }) {
  const titles = by === "title" && once("titles", () => data.title.map(fold));
  const value = titles ? (at) => titles[at] : NUMBERS[by];
  const sign = ascending ? 1 : -1;
  return found.toSorted((a, b) => {
    const [x, y] = [value(a), value(b)];
    if (x === y) return data.id[a] - data.id[b];
    if (x === null) return 1;
    if (y === null) return -1;
    return x < y ? -sign : sign;
  });
}

// ---- Notes for a reader whose question finds nothing, or less than it may seem.

const literal = (value) =>
  /[\s"]/.test(value) ? `"${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"` : value;
const written = ({ name, value, excluded }) =>
  `${excluded ? "-" : ""}${name}${/^[<>]/.test(value) ? "" : ":"}${literal(value)}`;
const MOST_NAMES = 5;

// Names that contain the text, those of most films first.
function similarNames({ name, kind, value }) {
  const wanted = fold(value).trim();
  const counts = new Map();
  const add = (one) => counts.set(one, (counts.get(one) ?? 0) + 1);
  if (kind === "person") {
    const called = once("called", () => people.names.map(fold));
    for (const at of places) {
      for (const work of WORKS[name])
        for (const who of data[work][at]) if (called[who].includes(wanted)) add(people.names[who]);
    }
  } else {
    for (const names of namesOf(name))
      names.filter((one) => fold(one).includes(wanted)).forEach(add);
  }
  return [...counts].toSorted(([, a], [, b]) => b - a).slice(0, MOST_NAMES);
}

function notesOn(question, text) {
  const notes = [];
  for (const condition of question.conditions.flat()) {
    const { name, kind, id } = condition;
    if (language.partial[name]) notes.push([`${name}: ${language.partial[name]}`]);
    const isNamed = ["name", "part", "person"].includes(kind) && id === null;
    if (!isNamed || condition.excluded || places.some(tester(condition))) continue;
    const names = similarNames(condition);
    const before = text.includes(written(condition)) ? text : null;
    const links = names.map(([one]) => {
      const better = { ...condition, value: one };
      return linkToQuestion(
        before?.replace(written(condition), written(better)) ?? written(better),
        one,
      );
    });
    const start = `${written(condition)}: no such name.`;
    notes.push(
      links.length
        ? [start + " Did you mean ", ...links.flatMap((l, i) => (i ? [", ", l] : [l])), "?"]
        : [start],
    );
  }
  return notes;
}

// ---- The page.

const STEP = 50; // films to show at first, and with each press of the button
const form = byId("question");
const box = form.elements.q;
const asUsd = orDash(
  (value) => (value < 0 ? "−$" : "$") + compactFormat.format(Math.abs(value) * 1e6),
);
const asTimes = orDash((value) => compactFormat.format(value) + "×");

function linkToQuestion(text, words) {
  return element("a", { href: "#" + new URLSearchParams({ q: text }), textContent: words });
}

const nameLinks = (field, names) =>
  names.flatMap((name, i) => {
    const link = linkToQuestion(`${field}:${literal(name)}`, name);
    return i ? [", ", link] : [link];
  });

const columns = [
  {
    title: "Title",
    sort: "title",
    cell: (at) => [filmLink(data.id[at], data.title[at])],
    className: "name",
  },
  { title: "Year", sort: "year", cell: (at) => orDash(String)(data.year[at]) },
  { title: "Genres", cell: (at) => nameLinks("genre", namesOf("genre")[at]), className: "words" },
  {
    title: "Director",
    cell: (at) =>
      nameLinks(
        "director",
        data.director[at].map((who) => people.names[who]),
      ),
    className: "words",
  },
  { title: "Rating", sort: "rating", cell: (at) => asDecimal(data.rating[at]) },
  { title: "Votes", sort: "votes", cell: (at) => asCount(data.votes[at]) },
  { title: "Minutes", sort: "runtime", cell: (at) => asCount(data.runtime[at]) },
  { title: "Budget", sort: "budget", cell: (at) => asUsd(data.budget[at]) },
  { title: "Revenue", sort: "revenue", cell: (at) => asUsd(data.revenue[at]) },
  { title: "Return", sort: "roi", cell: (at) => asTimes(NUMBERS.roi(at)) },
];
const moreColumns = [
  { title: "Revenue − budget", sort: "profit", cell: (at) => asUsd(NUMBERS.profit(at)) },
  { title: "Popularity", sort: "popularity", cell: (at) => asDecimal(data.popularity[at]) },
];

let answer = { found: [], question: null };
let shown = STEP;

// The question with another order; the first press on a head sorts numbers from the highest.
function sortedBy(text, sort, question) {
  const rest = [...text.matchAll(/(?:"(?:\\.|[^"\\])*"|[^\s"])+/g)].map(([word]) => word);
  const others = rest.filter((word) => !/^sort:/i.test(word));
  const isUp = question.by === sort ? !question.ascending : sort === "title";
  return [...others, `sort:${isUp ? "" : "-"}${sort}`].join(" ");
}

function headCell({ title, sort, className }, question) {
  const cell = element("th", { scope: "col", className: className ?? "number" });
  if (!sort) {
    cell.textContent = title;
    return cell;
  }
  const button = element("button", { type: "button", textContent: title });
  const isBy = question.by === sort;
  if (isBy) cell.setAttribute("aria-sort", question.ascending ? "ascending" : "descending");
  button.addEventListener("click", () => {
    box.value = sortedBy(box.value, sort, question);
    ask();
    [...byId("films").querySelectorAll("thead button")]
      .find((again) => again.textContent === title)
      ?.focus();
  });
  cell.append(button);
  return cell;
}

function showFilms() {
  const { found, question } = answer;
  const table = byId("films");
  table.replaceChildren();
  byId("more").hidden = found.length <= shown;
  byId("more").textContent = `Show ${Math.min(STEP, found.length - shown)} more`;
  if (!found.length) return;
  const more = moreColumns.filter(({ sort }) => sort === question.by);
  const all = [...columns, ...more];
  const heads = table.createTHead().insertRow();
  heads.append(...all.map((column) => headCell(column, question)));
  const body = table.createTBody();
  for (const at of found.slice(0, shown)) {
    const row = body.insertRow();
    row.dataset.id = data.id[at];
    for (const { cell, className } of all) {
      const content = cell(at);
      const place = row.insertCell();
      place.className = className ?? "number";
      if (Array.isArray(content)) place.append(...(content.length ? content : [DASH]));
      else place.textContent = content;
    }
  }
}

function showNotes(notes) {
  byId("notes").replaceChildren(
    ...notes.map((parts) => {
      const note = element("p", {});
      note.append(...parts);
      return note;
    }),
  );
}

// Without a question the page shows all films, those with most votes first.
function ask() {
  const text = box.value.trim();
  const hash = text ? "#" + new URLSearchParams({ q: text }) : "";
  history.replaceState(null, "", location.pathname + location.search + hash);
  byId("asked").textContent = text; // in print, where the form is missing
  box.removeAttribute("aria-invalid");
  try {
    const question = readQuestion(text || "sort:-votes");
    const all = sortFilms(findFilms(question), question);
    const found = question.limit ? all.slice(0, question.limit) : all;
    answer = { found, question };
    shown = STEP;
    const rest = found.length < all.length ? `, ${countFormat.format(found.length)} asked for` : "";
    byId("n").textContent = text ? filmCount(all.length) + rest : `All ${filmCount(all.length)}`;
    showNotes(notesOn(question, text));
    showFilms();
  } catch (error) {
    if (!(error instanceof Mistake)) throw error;
    box.setAttribute("aria-invalid", "true");
    byId("n").textContent = error.message;
  }
}

function restore() {
  box.value = new URLSearchParams(location.hash.slice(1)).get("q") ?? "";
  ask();
}

form.addEventListener("submit", (event) => event.preventDefault());
box.addEventListener("input", ask);
form.addEventListener("reset", () => setTimeout(ask));
byId("more").addEventListener("click", () => {
  const first = shown;
  shown += STEP;
  showFilms();
  byId("films").tBodies[0].rows[first]?.querySelector("a")?.focus();
});
addEventListener("hashchange", restore);
restore();
document.documentElement.dataset.ready = "yes";
