// What the scripts of pages share: they read the data in their page and write values as text.
//
// The package joins this file and the script that imports it to one module.

export const byId = (id) => document.getElementById(id);
export const element = (tag, values) => Object.assign(document.createElement(tag), values);
export const readJson = (id) => JSON.parse(byId(id).textContent);

// Values that are JSON, compressed with gzip, in base64.
export async function readPacked(id) {
  const bytes = Uint8Array.from(atob(readJson(id)), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).json();
}

// An unknown value is null; the reader sees a dash.
export const DASH = "–";
export const countFormat = new Intl.NumberFormat("en");
export const decimalFormat = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });
export const compactFormat = new Intl.NumberFormat("en", {
  notation: "compact",
  maximumSignificantDigits: 3,
});
export const orDash = (write) => (value) => ((value ?? null) === null ? DASH : write(value));
export const asCount = orDash((value) => countFormat.format(value));
export const asDecimal = orDash((value) => decimalFormat.format(value));
export const filmCount = (n) => countFormat.format(n) + (n === 1 ? " film" : " films");
export const filmUrl = (id) => "https://www.themoviedb.org/movie/" + id;
export const filmLink = (id, title) =>
  element("a", { href: filmUrl(id), rel: "noreferrer", textContent: title });

// A file that the reader saves; its name begins with the name of the page or the chart.
export function saveFile(name, content, type = "text/plain") {
  const href = URL.createObjectURL(new Blob([content], { type }));
  element("a", { href, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(href), 10_000);
}

// A button below a chart for each kind of file: its suffix, and the function that saves it.
export function addSavers(place, title, savers) {
  for (const [suffix, save] of Object.entries(savers)) {
    const textContent = suffix.toUpperCase();
    const button = element("button", { type: "button", textContent });
    button.setAttribute("aria-label", `${textContent} of the chart: ${title}`);
    button.addEventListener("click", save);
    place.append(button);
  }
}

// The hash of the URL holds the answers of the form, so a link to the content must not change it.
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  byId("main").focus();
});
