// Everything that a card says is set as text: nothing of it is ever read as markup.
"use strict";

const sections = new Map();
const cards = new Map();

function copy(name) {
  return document.getElementById(name).content.firstElementChild.cloneNode(true);
}

function section(patient, title, why) {
  if (!sections.has(patient)) {
    const element = copy("patient");
    document.getElementById("patients").prepend(element);
    sections.set(patient, element);
  }
  const element = sections.get(patient);
  element.querySelector("h2").textContent = title ? `${patient}: ${title}` : patient;
  element.querySelector(".why").textContent = why;
  return element;
}

async function loadPatients() {
  const rows = await (await fetch("/patients")).json();
  for (const row of rows.reverse()) section(row.patient, row.title, row.why);
}

function line(text) {
  const paragraph = document.createElement("p");
  text.split("**").forEach((part, index) => {
    const element = document.createElement(index % 2 ? "b" : "span");
    element.textContent = part.replace(/\\([!-\/:-@\[-`{-~])/g, "$1");
    paragraph.append(element);
  });
  return paragraph;
}

async function show(held) {
  if (!sections.has(held.patient)) await loadPatients();
  const owner = sections.get(held.patient) ?? section(held.patient, "", "");
  const known = cards.get(held.card.uuid);
  const element = copy("card");
  const { indicator, summary, detail, source } = held.card;
  const gone = held.state === "retracted";
  element.classList.add(["info", "warning", "critical"].includes(indicator) ? indicator : "info", "fresh");
  element.classList.toggle("retracted", gone);
  const last = held.kinds.at(-1);
  element.querySelector(".label").textContent =
    gone ? `retracted: ${held.reason}` : last === "updated" ? `${indicator}, updated` : indicator;
  element.querySelector("h3").textContent = summary;
  element.querySelector(".lines").append(...(detail ?? "").split("\n").filter(Boolean).map(line));
  element.querySelector(".source").textContent = source.label;
  element.querySelector("details").open = known?.querySelector("details").open ?? false;
  owner.querySelector(".none")?.remove();
  if (known) known.replaceWith(element);
  else owner.querySelector(".cards").append(element);
  cards.set(held.card.uuid, element);
  const retracted = document.querySelectorAll(".card.retracted").length;
  document.getElementById("counts").textContent =
    `${sections.size} patients, ${cards.size - retracted} open cards, ${retracted} retracted`;
}

let queue = loadPatients().then(() => {
  document.getElementById("counts").textContent = `${sections.size} patients, no card yet`;
});
new EventSource("/events").onmessage = (event) => {
  queue = queue.then(() => show(JSON.parse(event.data)));
};
setInterval(loadPatients, 5000);
