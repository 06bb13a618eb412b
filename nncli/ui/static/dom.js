/* Elements, numbers, and questions to the server. */
/* global nncliCharts */
export const { printable } = nncliCharts;

/* Make an element. Children that are texts stay texts, whatever they hold. */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.filter(child => child != null)
    .map(child => typeof child === "string" ? printable(child) : child));
  return element;
}

export const byId = id => document.getElementById(id);

/* Four significant digits; a dash for none. */
export function figure(value) {
  if (value == null) return "-";
  const size = Math.abs(value);
  if (size && (size < 1e-3 || size >= 1e5)) return value.toExponential(3);
  return size < 10 ? value.toFixed(4) : value.toFixed(2);
}

export const whole = value => value == null ? "-" : value.toLocaleString("en");

export function duration(seconds) {
  if (seconds == null) return "-";
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`;
  const all = Math.round(seconds);
  const pad = part => String(part).padStart(2, "0");
  const [hours, minutes] = [Math.floor(all / 3600), Math.floor(all / 60) % 60];
  return hours ? `${hours}:${pad(minutes)}:${pad(all % 60)}` : `${minutes}:${pad(all % 60)}`;
}

export const state = name => el("span", { class: `state ${name}` }, name);

export const address = (page, name) => `/${page}?${new URLSearchParams({ name })}`;

/* The name of a run in the runs directory; of a fold that of its cross-validation too. */
export const query = () => new URLSearchParams(location.search);

/* Write a text into an element; one that is there already is not touched. */
export function write(id, text) {
  const [place, shown] = [byId(id), printable(text)];
  if (place.textContent !== shown) place.textContent = shown;
}

/* Say a sentence below the page, where it is read out too. */
export const tell = text => write("told", text);

/* A mapping of the server has the names that it was sent with, and no `constructor`. */
function bare(_name, value) {
  const isMapping = value && typeof value === "object" && !Array.isArray(value);
  return isMapping ? Object.setPrototypeOf(value, null) : value;
}

async function answered(request) {
  let response;
  try {
    response = await request;
  } catch {
    throw new Error("nncli ui does not answer. Is it still running?");
  }
  const text = await response.text();
  if (response.ok) return JSON.parse(text, bare);
  let reason = text;
  try {
    reason = JSON.parse(text).error;
  } catch { /* Not every refusal is JSON. */ }
  throw Object.assign(new Error(reason), { status: response.status });
}

export const get = (path, params = {}, cache = "no-cache") =>
  answered(fetch(`${path}?${new URLSearchParams(params)}`, { cache }));

export const post = (path, value) =>
  answered(fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(value),
  }));

/* Do something now and then again, as long as somebody looks at the page. */
export function repeat(seconds, work) {
  let timer = 0, busy = false;
  async function turn() {
    clearTimeout(timer);
    if (busy || document.hidden) return;
    busy = true;
    let goes = true;
    try {
      goes = await work() !== false;
      tell("");
    } catch (error) {
      tell(error.message);
    }
    busy = false;
    if (goes) timer = setTimeout(turn, seconds * 1000);
  }
  document.addEventListener("visibilitychange", turn);
  turn();
}
