/* Curves: figures that nncliCharts draws, and fewer points where there are very many. */
/* global nncliCharts */
import { el } from "./dom.js";

const MOST = 2000;

/* Keep of every stretch its lowest and its highest point. */
export function thinned(points, most = MOST) {
  if (points.length <= most) return points;
  const kept = [points[0]];
  const size = (points.length - 2) / (most / 2 - 1);
  for (let start = 1; start < points.length - 1; start += size) {
    const stretch = points.slice(Math.floor(start), Math.min(Math.floor(start + size), points.length - 1));
    let low = null, high = null;
    for (const point of stretch) {
      if (point[1] == null) continue;
      if (low === null || point[1] < low[1]) low = point;
      if (high === null || point[1] > high[1]) high = point;
    }
    if (low === null) continue;
    if (low === high) kept.push(low);
    else kept.push(...(low[0] < high[0] ? [low, high] : [high, low]));
  }
  kept.push(points.at(-1));
  return kept;
}

/* Charts that stand in a container, by their titles; new ones come in as needed. */
export class Charts {
  constructor(container) {
    this.container = container;
    this.charts = new Map();
  }

  /* Draw a chart; `curves` have a name and points, perhaps colour, dashed, best (an x). */
  draw(title, x, curves, y = title) {
    const spec = { title, x, y, curves: curves.map(prepared) };
    const label = `${title} over ${x}: ${curves.map(curve => curve.name).join(", ")}`;
    const known = this.charts.get(title);
    if (known) {
      known.canvas.setAttribute("aria-label", label);
      nncliCharts.update(known, spec);
      return;
    }
    const canvas = el("canvas", { role: "img", "aria-label": label });
    const holder = el("div", { class: "canvas" }, canvas);
    this.container.append(
      el("figure", { class: "chart" }, el("figcaption", {}, title), holder));
    this.charts.set(title, nncliCharts.make(canvas, spec));
  }

  remove(title) {
    const chart = this.charts.get(title);
    const figure = chart.canvas.closest("figure");
    chart.destroy();
    figure.remove();
    this.charts.delete(title);
  }
}

function prepared({ name, points, colour = 0, dashed = false, best = null }) {
  const shown = thinned(points);
  const place = best === null ? -1 : shown.findIndex(point => point[0] === best);
  return { name, points: shown, colour, dashed, best: place < 0 ? null : place };
}
