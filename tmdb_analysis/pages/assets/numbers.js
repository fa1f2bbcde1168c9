// The script of the page that shows one number at a time. The style sheet shows the number; the
// script marks it in the list beside the page and names it in the title of the window.

import { byId } from "./common.js";

const list = document.querySelector(".contents ul");
const title = document.title;

function markNumber() {
  const heading = byId(location.hash.slice(1));
  const isNumber = heading?.tagName === "H2";
  document.title = isNumber ? `${heading.textContent} · ${title}` : title;
  for (const link of list?.querySelectorAll("a") ?? []) {
    if (isNumber && link.hash === location.hash) {
      link.setAttribute("aria-current", "true");
      list.scrollTop = link.offsetTop - list.clientHeight / 2;
    } else link.removeAttribute("aria-current");
  }
}

addEventListener("hashchange", markNumber);
markNumber();
