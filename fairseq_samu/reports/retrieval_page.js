"use strict";
for (const radio of document.querySelectorAll("[name=measure]"))
  radio.onchange = () => document.querySelectorAll(".map").forEach((map) => (map.hidden = map.dataset.measure !== radio.value));
const form = document.querySelector("form");
function filter() {
  const { language, text, right } = form.elements;
  let shown = 0;
  for (const article of document.querySelectorAll("article")) {
    const { lang, right: isRight } = article.dataset;
    article.hidden = (language.value && language.value !== lang) || (right.value && right.value !== isRight);
    shown += article.hidden ? 0 : 1;
    for (const found of article.querySelectorAll(".found"))
      found.hidden = text.value ? found.dataset.text !== text.value : ![lang, "en"].includes(found.dataset.text);
  }
  document.getElementById("shown").textContent = `${shown} shown`;
}
if (form) form.onchange = filter;
