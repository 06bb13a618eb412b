/* One run: its state, and its curves while they grow. */
import {
  address, byId, duration, el, figure, get, printable, query, repeat, state, whole, write,
} from "./dom.js";
import { Charts } from "./lines.js";
import { Log } from "./log.js";

const SECONDS = 1;
const name = query().get("name") ?? "";
const metrics = new Log(name), records = new Log(name, "records");
const scores = new Charts(byId("scores")), recorded = new Charts(byId("records"));
const OF_LAYERS = {
  "activations.mean": "mean of activations",
  "activations.std": "deviation of activations",
  "activations.zeros": "share of zeros in activations",
  "gradients.std": "deviation of gradients",
  update_ratio: "update to weight, by layer",
};
const PARTS = ["train", "validation"];
const OF_STEPS = { gradient_norm: "gradient norm", update_ratio: "update to weight" };
let best = null, drawnBest, drawnPictures = "[]";

// What there is of it is known in a moment.
write("name", name || "Run");

function drawFacts(run) {
  document.title = printable(`${run.name} - nncli`);
  byId("state").replaceChildren(state(run.state));
  const facts = {
    epochs: whole(run.epochs), steps: whole(run.steps), time: duration(run.seconds),
    "best step": whole(run.best_step), tags: run.tags.join(" "),
  };
  for (const part of ["train", "validation", "test"])
    for (const [score, value] of Object.entries(run[part]))
      facts[`${part} ${score}`] = figure(value) + (part === "test" && !run.test_is_of_best ? "*" : "");
  byId("facts").replaceChildren(...Object.entries(facts)
    .filter(([, value]) => value && value !== "-")
    .map(([key, value]) => el("div", {}, el("dt", {}, key), el("dd", {}, value))));
  byId("problems").replaceChildren(...run.problems.map(text => el("p", { class: "wrong" }, text)));
  write("overrides", run.overrides.length
    ? `changed on the command line: ${run.overrides.join(" ")}` : "");
}

function drawFolds(folds) {
  const rows = folds.map(fold => el("tr", {},
    el("th", { scope: "row" }, el("a", { href: address("run", `${name}/${fold.name}`) }, fold.name)),
    el("td", {}, state(fold.state)),
    ...["train", "validation", "test"].map(part =>
      el("td", { class: "figure" }, figure(fold[part][fold.monitor ?? "loss"])))));
  const head = ["fold", "state", "train", "validation", "test"]
    .map(text => el("th", { scope: "col" }, text));
  byId("folds").replaceChildren(
    el("div", { class: "wide", tabindex: 0, role: "region", "aria-label": "Folds" },
      el("table", { class: "listed" }, el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...rows))));
}

function drawMade(found) {
  byId("curves").hidden = byId("made").hidden = false;
  write("config", found.config);
  byId("with").replaceChildren(...Object.entries(found.made).map(([key, value]) =>
    el("tr", {}, el("th", { scope: "row" }, key), el("td", {}, String(value)))));
}

/* What the run drew of itself at its end; loaded again when it is drawn again. */
function drawPictures(pictures) {
  const now = JSON.stringify(pictures);
  if (now === drawnPictures) return;
  drawnPictures = now;
  byId("drawn").hidden = !pictures.length;
  byId("pictures").replaceChildren(...pictures.map(({ kind, title, alt, changed }) => {
    const src = `/api/picture?${new URLSearchParams({ name, kind, changed })}`;
    return el("figure", {}, el("figcaption", {}, title),
      el("a", { href: src }, el("img", { src, alt, loading: "lazy", class: "picture" })));
  }));
}

function axis() {
  const select = byId("axis");
  const choices = metrics.byEpoch ? ["epoch", "step"] : ["step"];
  if ([...select.options].map(option => option.value).join() !== choices.join())
    select.replaceChildren(...choices.map(text => el("option", {}, text)));
  return select.value;
}

/* What is at the best step, on the axis that is shown. */
function bestAt(x) {
  const place = (metrics.columns.step ?? []).indexOf(best);
  return place < 0 ? null : metrics.columns[x][place];
}

function drawScores() {
  const x = axis();
  const names = new Set(Object.keys(metrics.columns).flatMap(column => {
    const [part, ...rest] = column.split(".");
    return PARTS.includes(part) && rest.length ? [rest.join(".")] : [];
  }));
  for (const score of names) {
    const curves = PARTS.filter(part => `${part}.${score}` in metrics.columns)
      .map(part => ({
        name: part, points: metrics.points(`${part}.${score}`, x), colour: PARTS.indexOf(part), best: bestAt(x),
      }));
    if (score === "loss" && "step_loss" in metrics.columns)
      curves.push({ name: "steps", points: metrics.points("step_loss", x), colour: 2, dashed: true });
    scores.draw(score, x, curves);
  }
  if ("lr" in metrics.columns)
    scores.draw("learning rate", x, [{ name: "lr", points: metrics.points("lr", x), colour: 3 }]);
  byId("over").hidden = !metrics.count;
}

/* Layers are looked at less often than steps are. */
const known = column => records.points(column, "step").filter(point => point[1] != null);

function drawRecords() {
  if (!records.count) return;
  byId("recorded").hidden = false;
  for (const [column, title] of Object.entries(OF_STEPS))
    if (column in records.columns)
      recorded.draw(title, "step", [{ name: title, points: records.points(column, "step"), colour: 3 }]);
  for (const [column, title] of Object.entries(OF_LAYERS)) {
    const curves = Object.entries(records.labels)
      .filter(([layer]) => records.columns[`layers.${layer}.${column}`]?.some(value => value != null))
      .map(([layer, label], place) => ({
        name: label, points: known(`layers.${layer}.${column}`), colour: place, dashed: place > 7,
      }));
    if (curves.length) recorded.draw(title, "step", curves);
  }
}

byId("axis").addEventListener("change", drawScores);
repeat(SECONDS, async () => {
  const found = await get("/api/run", { name });
  drawFacts(found.run);
  if (found.folds) {
    drawFolds(found.folds);
    return;
  }
  drawMade(found);
  drawPictures(found.pictures);
  best = found.run.best_step;
  if (await metrics.read() || best !== drawnBest) drawScores();
  drawnBest = best;
  byId("waiting").hidden = metrics.count > 0;
  write("waiting", found.run.state === "running" ? "No evaluations yet." : "There was no evaluation.");
  if (await records.read()) drawRecords();
});
