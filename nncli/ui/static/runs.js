/* The list of runs: sorted, filtered, chosen to be compared. */
import { address, byId, duration, el, figure, get, repeat, state, whole, write } from "./dom.js";

const STATES = ["running", "done", "stopped", "crashed", "diverged", "damaged"];
const SECONDS = 2;
const score = part => run => run[part][run.monitor ?? "loss"] ?? null;
const COLUMNS = [
  { name: "run", value: run => run.name },
  { name: "state", value: run => STATES.indexOf(run.state) },
  { name: "score", value: run => run.monitor },
  { name: "train", value: score("train"), text: figure },
  { name: "validation", value: score("validation"), text: figure },
  { name: "test", value: score("test"), text: figure },
  { name: "epochs", value: run => run.epochs, text: whole },
  { name: "time", value: run => run.seconds, text: duration },
  { name: "started", value: run => run.started },
  { name: "tags", value: run => run.tags.join(" ") },
  { name: "overrides", value: run => run.overrides.join(" ") },
];
const ORDER = new Intl.Collator("en", { numeric: true });

let listing = { runs: [], others: {}, folder: "", total: 0 };
let sorted = { column: "started", down: true };
const chosen = new Set();
let shown = "";

function head() {
  const cells = COLUMNS.map(({ name, text }) =>
    el("th", { scope: "col", class: text ? "figure" : null, "data-column": name },
      el("button", { type: "button", onclick: () => sortBy(name) }, name)));
  byId("head").append(el("th", { scope: "col" }, el("span", { class: "call" }, "compare")), ...cells);
}

function sortBy(name) {
  sorted = { column: name, down: sorted.column === name && !sorted.down };
  draw();
}

function compared(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return ORDER.compare(String(a), String(b));
}

function ordered(runs) {
  const { value } = COLUMNS.find(column => column.name === sorted.column);
  const known = run => value(run) != null && value(run) !== "";
  const there = runs.filter(known).sort((a, b) => compared(value(a), value(b)));
  if (sorted.down) there.reverse();
  return [...there, ...runs.filter(run => !known(run))];
}

/* Words that hold a sign are conditions, which the server understands. */
function asked() {
  // A condition is one word, with blanks around its sign too.
  const text = byId("filter").value.replace(/\s*(<=|>=|!=|==|=|<|>)\s*/g, "$1");
  const words = text.split(/\s+/).filter(Boolean);
  const isCondition = word => /[^=<>!][=<>]+[^=<>]/.test(word);
  return {
    conditions: words.filter(isCondition),
    words: words.filter(word => !isCondition(word)).map(word => word.toLowerCase()),
  };
}

function wanted(run) {
  const text = [run.name, run.state, ...run.tags, ...run.overrides].join(" ").toLowerCase();
  const stateWanted = byId("state").value;
  return asked().words.every(word => text.includes(word)) &&
    (!stateWanted || run.state === stateWanted);
}

function row(run) {
  const cells = COLUMNS.slice(2).map(({ name, value, text }) => {
    const found = value(run);
    const mark = name === "test" && found != null && !run.test_is_of_best ? "*" : "";
    const kind = text ? "figure" : ["tags", "overrides"].includes(name) ? "words" : null;
    const told = text ? `${text(found)}${mark}` : written(name, found);
    return el("td", { class: kind, title: kind === "words" ? found : null }, told);
  });
  const isRun = run.kind === "run";
  const box = el("input", {
    type: "checkbox", "aria-label": `Compare ${run.name}`,
    onchange: event => choose(run.name, event.target.checked),
  });
  box.checked = chosen.has(run.name);
  return el("tr", {}, el("td", {}, isRun ? box : ""),
    el("th", { scope: "row" }, el("a", { href: address("run", run.name) }, run.name)),
    el("td", {}, state(run.state)), ...cells);
}

function written(name, value) {
  if (name !== "started" || !value) return value ?? "";
  const date = new Date(value);
  return isNaN(date) ? value : date.toLocaleString("sv").slice(0, 16);
}

function choose(name, on) {
  if (on) chosen.add(name);
  else chosen.delete(name);
  drawButton();
}

function drawButton() {
  const button = byId("compare");
  button.disabled = chosen.size < 2;
  button.textContent = chosen.size ? `Compare ${chosen.size}` : "Compare";
}

function draw() {
  const runs = ordered(listing.runs.filter(wanted));
  const of = runs.length === listing.total ? "" : ` of ${listing.total}`;
  write("summary", listing.total
    ? `${runs.length}${of} in ${listing.folder}; scores at the best checkpoint`
    : `${listing.folder}: no runs yet. Start with: nncli train spiral`);
  // What a person is about to click stays as it is while nothing changes.
  const key = JSON.stringify([runs, sorted, listing.others]);
  if (key === shown) return;
  const focused = document.activeElement?.getAttribute?.("aria-label");
  byId("rows").replaceChildren(...runs.map(row));
  if (focused)
    [...byId("rows").querySelectorAll("input")]
      .find(box => box.getAttribute("aria-label") === focused)?.focus();
  for (const cell of byId("head").querySelectorAll("[data-column]")) {
    if (cell.dataset.column !== sorted.column) cell.removeAttribute("aria-sort");
    else cell.setAttribute("aria-sort", sorted.down ? "descending" : "ascending");
  }
  const problems = listing.runs.flatMap(run => run.problems);
  const others = Object.entries(listing.others).map(([name, why]) => `${name}: not a run: ${why}`);
  byId("others").replaceChildren(
    ...[...problems, ...others].slice(0, 20).map(text => el("p", {}, `! ${text}`)));
  shown = key;
}

async function load() {
  const where = asked().conditions.map(text => ["where", text]);
  listing = await get("/api/runs", where);
  for (const name of chosen)
    if (!listing.runs.some(run => run.name === name) && !where.length) chosen.delete(name);
  draw();
  drawButton();
}

head();
byId("state").append(...STATES.map(name => el("option", {}, name)));
byId("filters").addEventListener("submit", event => event.preventDefault());
byId("state").addEventListener("change", draw);
let typed = 0;
byId("filter").addEventListener("input", () => {
  draw();
  clearTimeout(typed);
  typed = setTimeout(() => load().catch(error => write("summary", error.message)), 300);
});
byId("compare").addEventListener("click", () => {
  location.href = `/compare?${new URLSearchParams([...chosen].map(name => ["run", name]))}`;
});
repeat(SECONDS, load);
