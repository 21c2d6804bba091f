"use strict";
const AROUND = 0.15; // seconds played before and after a span: labels mark a word rather than measure it
const form = document.querySelector("form");
function filter() {
  const wanted = Object.fromEntries(new FormData(form));
  let shown = 0;
  for (const article of document.querySelectorAll("article")) {
    const kinds = article.dataset.kinds.split(" ").filter(Boolean);
    const fits = { "": true, any: kinds.length > 0, none: kinds.length === 0 };
    article.hidden =
      (wanted.language && wanted.language !== article.dataset.language) ||
      !(wanted.kind in fits ? fits[wanted.kind] : kinds.includes(wanted.kind)) ||
      (wanted.concept && !article.dataset.concepts.split(" ").includes(wanted.concept));
    shown += article.hidden ? 0 : 1;
  }
  document.getElementById("shown").textContent = `${shown} shown`;
}
if (form) form.onchange = filter;

for (const article of document.querySelectorAll("article")) {
  const audio = article.querySelector("audio");
  const strip = article.querySelector(".strip");
  let end = Infinity; // seconds; where the span that is played ends
  const follow = () => {
    if (audio.currentTime >= end) audio.pause();
    if (strip) {
      strip.classList.add("heard");
      strip.querySelector(".head").style.left = `${Math.min(100, (100 * audio.currentTime) / strip.dataset.seconds)}%`;
    }
    if (!audio.paused) requestAnimationFrame(follow);
  };
  audio.onplay = () => {
    for (const other of document.querySelectorAll("audio")) if (other !== audio) other.pause();
    follow();
  };
  audio.onpause = () => (end = Infinity);
  audio.onseeked = follow;
  for (const button of article.querySelectorAll(".strip button"))
    button.onclick = () => {
      const start = () => {
        audio.currentTime = Math.max(0, Number(button.dataset.start) - AROUND);
        end = Number(button.dataset.end) + AROUND;
        audio.play();
      };
      if (audio.readyState) return start();
      audio.addEventListener("loadedmetadata", start, { once: true });
      audio.load();
    };
}

for (const table of document.querySelectorAll(".sortable"))
  table.querySelectorAll("tr:first-child th").forEach((heading, column) => {
    heading.querySelector("button").onclick = () => {
      const down = heading.ariaSort !== "descending" && column > 0;
      for (const other of table.querySelectorAll("[aria-sort]")) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = (row) => row.children[column].dataset.value;
      const compare = column ? (a, b) => key(a) - key(b) : (a, b) => key(a).localeCompare(key(b));
      const rows = [...table.querySelectorAll("tr")].slice(1).sort(compare);
      heading.parentElement.parentElement.append(...(down ? rows.reverse() : rows));
    };
  });
