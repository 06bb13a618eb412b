/* Runs side by side: curves over each other, scores, in what they differ. */
import { address, byId, duration, el, figure, get, query, repeat, whole } from "./dom.js";
import { Charts } from "./lines.js";
import { Log } from "./log.js";

const SECONDS = 2;
const names = query().getAll("run");
const logs = names.map(name => new Log(name));
const charts = new Charts(byId("curves"));
let runs = [];

const heads = kind => el("thead", {}, el("tr", {}, el("td", {}),
  ...names.map(name => el("th", { scope: "col", class: kind }, el("a", { href: address("run", name) }, name)))));

function drawScores() {
  const rows = [
    ["state", run => run.state],
    ["epochs", run => whole(run.epochs)],
    ["time", run => duration(run.seconds)],
    ["best step", run => whole(run.best_step)],
  ];
  for (const part of ["train", "validation", "test"])
    for (const score of new Set(runs.flatMap(run => Object.keys(run[part]))))
      rows.push([`${part} ${score}`, run => figure(run[part][score])]);
  byId("scores").replaceChildren(heads("figure"), el("tbody", {}, ...rows.map(([head, value]) =>
    el("tr", {}, el("th", { scope: "row" }, head),
      ...runs.map(run => el("td", { class: "figure" }, value(run)))))));
}

function drawPlaces(table, same, places) {
  const rows = Object.entries(places);
  byId(same).hidden = rows.length > 0;
  byId(table).hidden = !rows.length;
  byId(table).replaceChildren(heads("words"), el("tbody", {}, ...rows.map(([place, values]) =>
    el("tr", {}, el("th", { scope: "row" }, place),
      ...names.map(name => el("td", { class: "words", title: values[name] }, values[name] ?? "-"))))));
}

/* Numbers with as many digits as show that they differ. */
function toldApart(first, second) {
  const numbers = typeof first === "number" && typeof second === "number";
  for (let digits = 4; numbers && digits < 17; digits++) {
    const texts = [first, second].map(value => String(Number(value.toPrecision(digits))));
    if (texts[0] !== texts[1]) return texts;
  }
  return [first, second].map(value => String(value ?? "-"));
}

function told(parted) {
  const pair = `${names[0]} and ${parted.run}`;
  if (!parted.rows && parted.step === null) return `${pair} have no evaluations after the same steps.`;
  if (parted.step === null)
    return `${pair} are the same up to the last step of both, ${whole(parted.same)}.`;
  const upTo = parted.same === null ? "differ from their first evaluation on"
    : `are the same up to step ${whole(parted.same)}, and differ from then on`;
  const differs = Object.entries(parted.differs)
    .map(([name, pair]) => `${name} ${toldApart(...pair).join(" and ")}`).slice(0, 4);
  return `${pair} ${upTo}, step ${whole(parted.step)}: ${differs.join("; ")}.`;
}

function fillChoices() {
  const select = byId("score"), before = select.value;
  const columns = new Set(logs.flatMap(log => Object.keys(log.columns)));
  const scores = new Set([...columns].filter(each => /^(train|validation)\./.test(each))
    .map(each => each.replace(/^[a-z]+\./, "")));
  const choices = [...scores, ...["lr", "step_loss"].filter(each => columns.has(each))];
  if ([...select.options].map(option => option.value).join() !== choices.join())
    select.replaceChildren(...choices.map(each => el("option", { value: each }, each)));
  if (choices.includes(before)) select.value = before;
  const axes = logs.every(log => log.byEpoch) ? ["step", "epoch"] : ["step"];
  const axis = byId("axis"), over = axis.value;
  if (axis.options.length !== axes.length)
    axis.replaceChildren(...axes.map(each => el("option", {}, each)));
  if (axes.includes(over)) axis.value = over;
}

function drawCurves() {
  fillChoices();
  const [score, x] = [byId("score").value, byId("axis").value];
  if (!score) return;
  const parts = ["train", "validation"].filter(part => logs.some(log => `${part}.${score}` in log.columns));
  const drawn = parts.length ? parts.map(part => [part, `${part}.${score}`]) : [["steps", score]];
  for (const title of [...charts.charts.keys()])
    if (!drawn.some(([part]) => part === title)) charts.remove(title);
  for (const [title, column] of drawn)
    charts.draw(title, x, logs.map((log, place) => ({
      name: names[place], points: log.points(column, x), colour: place, dashed: place > 7,
    })), score);
}

async function load() {
  const found = await get("/api/compare", names.map(name => ["run", name]));
  runs = found.runs;
  byId("compared").hidden = false;
  drawScores();
  drawPlaces("config", "same", found.config);
  drawPlaces("environment", "same-made", found.environment);
  byId("parting").replaceChildren(...found.parting.map(each => el("p", {}, told(each))));
  byId("problems").replaceChildren(...found.problems.map(text => el("p", { class: "wrong" }, text)));
}

byId("lead").textContent = names.length < 2
  ? "Choose two runs or more in the list." : "Each run is compared with the first.";
for (const id of ["score", "axis"]) byId(id).addEventListener("change", drawCurves);
let loaded = false;
if (names.length > 1)
  repeat(SECONDS, async () => {
    const before = loaded;
    if (!before) await load();
    loaded = true;
    const changed = (await Promise.all(logs.map(log => log.read()))).some(Boolean);
    const running = runs.some(run => run.state === "running");
    if (changed) drawCurves();
    // What ran has ended, perhaps; what had ended goes on, perhaps with another config.
    if (before && changed !== running) await load();
  });
