/* The picture of the playground: what a network says at each place, and the points. */
import { el } from "./dom.js";

const SURE = 32;
const MIDDLE = 127.5;

function colour(place) {
  const text = getComputedStyle(document.documentElement).getPropertyValue(`--c${place % 8}`).trim();
  return [1, 3, 5].map(at => parseInt(text.slice(at, at + 2), 16));
}

const css = ([red, green, blue], alpha = 1) => `rgb(${red} ${green} ${blue} / ${alpha})`;
const ink = () => getComputedStyle(document.documentElement).getPropertyValue("--ink").trim();

/* Classes differ by their shapes too. */
function trace(context, shape, x, y, size) {
  context.beginPath();
  if (shape % 4 === 0) context.arc(x, y, size, 0, 2 * Math.PI);
  else {
    const corners = { 1: 4, 2: 3, 3: 4 }[shape % 4];
    const turned = { 1: Math.PI / 4, 2: -Math.PI / 2, 3: 0 }[shape % 4];
    for (let corner = 0; corner < corners; corner++) {
      const angle = turned + 2 * Math.PI * corner / corners;
      context.lineTo(x + 1.3 * size * Math.cos(angle), y + 1.3 * size * Math.sin(angle));
    }
    context.closePath();
  }
}

/* A number is drawn as how far it is from the middle, in one of two colours. */
function pixel(value, classes) {
  if (classes) return [...colours[Math.floor(value / SURE)], 25 + 100 * (value % SURE) / (SURE - 1)];
  const far = (value - MIDDLE) / MIDDLE;
  return [...colours[far < 0 ? 0 : 1], 150 * Math.abs(far)];
}

let colours = [];

export class Picture {
  constructor(canvas) {
    this.canvas = canvas;
    this.raster = el("canvas");
  }

  show(about) {
    this.about = about;
    this.raster.width = this.raster.height = about.side;
    const values = Object.values(about.points).flatMap(part => part.y);
    this.range = [Math.min(...values), Math.max(...values)];
  }

  /* Draw what the network says, where it says anything, and the points over it. */
  draw(region) {
    const { about, canvas } = this;
    const context = canvas.getContext("2d");
    colours = Array.from({ length: 8 }, (_, place) => colour(place));
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (region) {
      this.fill(region);
      context.imageSmoothingQuality = "high";
      context.drawImage(this.raster, 0, 0, canvas.width, canvas.height);
    }
    for (const [part, { x, y }] of Object.entries(about.points))
      x.forEach((place, i) => this.point(context, place, y[i], part === "train"));
  }

  fill(region) {
    const bytes = Uint8Array.from(atob(region), letter => letter.charCodeAt(0));
    const context = this.raster.getContext("2d");
    const image = context.createImageData(this.about.side, this.about.side);
    const known = new Map();
    bytes.forEach((value, place) => {
      if (!known.has(value)) known.set(value, pixel(value, this.about.classes));
      image.data.set(known.get(value), 4 * place);
    });
    context.putImageData(image, 0, 0);
  }

  point(context, [x, y], target, filled) {
    const { low, size, classes } = this.about;
    const scale = this.canvas.width / size;
    trace(context, classes ? target : 0, (x - low[0]) * scale,
      this.canvas.height - (y - low[1]) * scale, 5);
    const inside = classes ? colours[target % 8] : this.level(target);
    context.lineWidth = filled ? 1 : 2.5;
    context.strokeStyle = filled ? ink() : css(colours[classes ? target % 8 : 3]);
    context.fillStyle = css(inside, classes && !filled ? 0 : 1);
    context.fill();
    context.stroke();
  }

  level(target) {
    const [low, high] = this.range;
    const far = high > low ? 2 * (target - low) / (high - low) - 1 : 0;
    return colours[far < 0 ? 0 : 1].map(part => Math.round(255 - Math.abs(far) * (255 - part)));
  }

  /* What the shapes and colours are. */
  legend() {
    const { classes } = this.about;
    const key = (target, filled, text) => {
      const canvas = el("canvas", { width: 18, height: 18, "aria-hidden": "true" });
      const context = canvas.getContext("2d");
      trace(context, classes ? target : 0, 9, 9, 5);
      context.lineWidth = filled ? 1 : 2.5;
      context.strokeStyle = filled ? ink() : css(colours[classes ? target % 8 : 3]);
      context.fillStyle = css(classes ? colours[target % 8] : [255, 255, 255], filled ? 1 : 0);
      context.fill();
      context.stroke();
      return el("li", {}, canvas, text);
    };
    const each = (classes ?? []).map((name, place) => key(place, true, `class ${name}`));
    return [...each, ...(classes ? [] : [key(0, true, "number: from low to high in two colours")]),
      key(0, false, "hollow: validation")];
  }
}
