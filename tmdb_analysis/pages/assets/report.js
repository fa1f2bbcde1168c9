// The script of a report saves its charts as SVG and PNG files, with their words.
//
// The charts are drawings in the page, in its colours. A file has the colours of the light page,
// and the heading, the finding and the caption of the chart, so that it can stand in a document.

import { element, saveFile, addSavers } from "./common.js";

const SVG = "http://www.w3.org/2000/svg";
const COLOUR = /var\(--[\w-]+, (#[0-9a-f]+)\)/g; // a colour of the page, with that of a file
const [PAPER, INK, SOFT] = ["#ffffff", "#1d2024", "#5a6069"];
const FONT = "Helvetica, Arial, sans-serif";
const MARGIN = 16;
const SCALE = 2; // pixels of a picture for each unit of a drawing
const pen = element("canvas").getContext("2d");

function drawnElement(tag, values, text = "") {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(values)) made.setAttribute(name, value);
  made.textContent = text;
  return made;
}

function linesOf(text, width, font) {
  pen.font = font;
  const lines = [];
  for (const word of text.trim().split(/\s+/)) {
    const longer = lines.length ? `${lines.at(-1)} ${word}` : word;
    if (lines.length && pen.measureText(longer).width <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

// The chart with its words as one drawing, with its width and height.
function wholeDrawing(figure) {
  const chart = figure.querySelector(".wide svg").cloneNode(true);
  const [, , width, height] = chart.getAttribute("viewBox").split(" ").map(Number);
  const whole = drawnElement("svg", { fill: INK, "font-family": FONT });
  const paper = drawnElement("rect", { width: "100%", height: "100%", fill: PAPER });
  whole.append(paper);
  let y = MARGIN;
  const write = (text, size, weight, fill) => {
    for (const line of linesOf(text, width, `${weight} ${size}px ${FONT}`)) {
      y += size * 1.3;
      const place = { x: MARGIN, y, fill, "font-size": size, "font-weight": weight };
      whole.append(drawnElement("text", place, line));
    }
  };
  const [heading, finding] = figure.querySelectorAll("p");
  write(heading.textContent, 13, "bold", INK);
  write(finding.textContent, 13, "normal", INK);
  chart.removeAttribute("font-family");
  const place = { x: MARGIN, y: y + 8, width, height };
  for (const [name, value] of Object.entries(place)) chart.setAttribute(name, value);
  whole.append(chart);
  y += 8 + height + 4;
  write(figure.querySelector("figcaption").firstChild.textContent, 10, "normal", SOFT);
  const size = { width: width + 2 * MARGIN, height: Math.ceil(y + MARGIN) };
  for (const [name, value] of Object.entries(size)) whole.setAttribute(name, value);
  const text = new XMLSerializer().serializeToString(whole).replace(COLOUR, "$1");
  return { text, ...size };
}

async function pictureOf({ text, width, height }) {
  const drawing = new Image();
  drawing.src = "data:image/svg+xml;charset=utf-8," + encodeURIComponent(text);
  await drawing.decode();
  const canvas = element("canvas", { width: SCALE * width, height: SCALE * height });
  canvas.getContext("2d").drawImage(drawing, 0, 0, canvas.width, canvas.height);
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}

// A file is named by the section and the place of its chart, such as genres-2.
let [section, at] = ["returns", 0];
for (const part of document.querySelectorAll("main h2, main figure.chart")) {
  if (part.tagName === "H2") [section, at] = [part.id, 0];
  else {
    at += 1;
    const name = `${section}-${at}`;
    const place = part.querySelector(".files");
    if (!place) continue;
    addSavers(place, part.querySelector("p").textContent, {
      png: async () => saveFile(name + ".png", await pictureOf(wholeDrawing(part)), "image/png"),
      svg: () => saveFile(name + ".svg", wholeDrawing(part).text, "image/svg+xml"),
    });
  }
}
