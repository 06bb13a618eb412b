/* The playground: a network is made, trained frame by frame, and drawn. */
import { byId, el, figure, get, post, tell, whole } from "./dom.js";
import { Charts } from "./lines.js";
import { Picture } from "./region.js";

const SECONDS_A_FRAME = 0.05;
const PAUSE = 250;
const MOST = 1000;
const form = byId("settings");
const picture = new Picture(byId("region"));
const charts = new Charts(byId("curve"));
let choices = {}, about = null, state = null, curve = {}, playing = false, drawn = 0;

function settings() {
  const data = Object.fromEntries(new FormData(form));
  const numbers = ["samples", "noise", "classes", "lr", "l2", "seed"];
  const found = { ...data, units: data.units.split(",").filter(text => text.trim()).map(Number) };
  for (const name of numbers) {
    if (name in data && data[name] !== "") found[name] = Number(data[name]);
    else delete found[name];
  }
  if (data.batch_size !== "full") found.batch_size = Number(data.batch_size);
  return found;
}

/* Offer what the dataset takes, with its own values at first. */
function fitDataset() {
  const taken = choices.datasets[form.elements.dataset.value];
  for (const name of ["samples", "noise", "classes"]) {
    const input = form.elements[name];
    input.disabled = !(name in taken);
    input.closest("label").hidden = input.disabled;
    if (name in taken) input.value = taken[name];
  }
}

async function begin() {
  pause();
  if (!form.reportValidity()) return;
  about = null;
  const made = await post("/api/playground", settings());
  about = made;
  curve = { train: [], validation: [] };
  picture.show(about);
  byId("config").textContent = about.config;
  show(made.state);
  byId("legend").replaceChildren(...picture.legend());
}

function show(next) {
  state = next;
  picture.draw(state.region);
  for (const [part, { loss }] of Object.entries(state.scores)) {
    curve[part].push([state.step, loss]);
    // Of a long training every second point is enough.
    if (curve[part].length > MOST)
      curve[part] = curve[part].filter((_, place) => place % 2 === 0);
  }
  const facts = { step: whole(state.step), epoch: whole(Math.floor(state.epoch)), parameters: whole(about.parameters) };
  for (const [part, scores] of Object.entries(state.scores))
    for (const [name, value] of Object.entries(scores)) facts[`${part} ${name}`] = figure(value);
  byId("facts").replaceChildren(...Object.entries(facts)
    .map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
  byId("region").setAttribute("aria-label",
    `Points and what the network says around them after step ${facts.step}; ` +
    Object.entries(facts).slice(3).map(pair => pair.join(" ")).join(", "));
  byId("diverged").textContent = state.diverged;
  if (state.diverged) pause();
  if (!playing || performance.now() - drawn > PAUSE) drawCurve();
}

function drawCurve() {
  drawn = performance.now();
  charts.draw("loss", "step", Object.entries(curve).filter(([, points]) => points.length)
    .map(([name, points], colour) => ({ name, points, colour })));
}

async function train(steps) {
  if (!about || state.diverged) return;
  const place = `/api/playground/${about.id}`;
  const session = about;
  const next = await post(place, { steps, seconds: SECONDS_A_FRAME });
  if (session === about) show(next);
}

function pause() {
  playing = false;
  byId("play").textContent = "Play";
}

const frame = () => new Promise(done => requestAnimationFrame(done));

async function play() {
  playing = true;
  byId("play").textContent = "Pause";
  while (playing) {
    // Nothing is trained where nobody looks: there are no frames then.
    await frame();
    if (playing) await train(Number(byId("speed").value));
  }
  drawCurve();
}

/* Do what a button says; a failure is told, and ends the training. */
const doing = work => () => work().then(() => tell(""), error => {
  pause();
  tell(error.message);
});

byId("play").addEventListener("click", doing(async () => playing ? pause() : play()));
byId("step").addEventListener("click", doing(async () => {
  if (playing) pause();
  else await train(1);
}));
byId("reset").addEventListener("click", doing(begin));
form.addEventListener("submit", event => event.preventDefault());
form.addEventListener("change", event => {
  if (event.target.name === "dataset") fitDataset();
  doing(begin)();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  if (!state) return;
  picture.draw(state.region);
  byId("legend").replaceChildren(...picture.legend());
});

doing(async () => {
  choices = await get("/api/playground");
  const offered = {
    dataset: Object.keys(choices.datasets),
    activation: choices.activations,
    optimizer: choices.optimizers,
  };
  for (const [name, names] of Object.entries(offered))
    form.elements[name].replaceChildren(...names.map(each => el("option", {}, each)));
  for (const [name, value] of Object.entries(choices.defaults))
    form.elements[name].value = Array.isArray(value) ? value.join(", ") : String(value ?? "");
  fitDataset();
  await begin();
})();
