/* Curves that show their values on hover. Needs Chart.js, as the global Chart. */
"use strict";

const nncliCharts = (() => {
  const css = name =>
    getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const COLOURS = 8;

  // Of every curve the point that is nearest to the pointer from left to right.
  Chart.Interaction.modes.nearestOfEach = (chart, event) => {
    const at = Chart.helpers.getRelativePosition(event, chart).x;
    return chart.getSortedVisibleDatasetMetas().flatMap(meta => {
      const [points, values] = [meta.data, chart.data.datasets[meta.index].data];
      if (!points.length) return [];
      let low = 0, high = points.length - 1;
      while (high - low > 1) {
        const middle = (low + high) >> 1;
        if (points[middle].x < at) low = middle;
        else high = middle;
      }
      const index =
        Math.abs(points[low].x - at) <= Math.abs(points[high].x - at) ? low : high;
      if (values[index].y === null) return [];
      return [{ element: points[index], datasetIndex: meta.index, index }];
    });
  };

  const figure = value =>
    value === null ? "-" : Number.isInteger(value)
      ? value.toLocaleString("en") : String(Number(value.toPrecision(6)));

  const code = (mark, letter, digits) =>
    `\\${mark}${letter.codePointAt(0).toString(16).padStart(digits, "0")}`;

  /* Write out what no letter is, and what could turn others around. */
  const printable = text => text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, letter =>
    "\n\t".includes(letter) ? letter
      : letter <= "\xff" ? code("x", letter, 2)
        : letter.length > 1 ? code("U", letter, 8) : code("u", letter, 4));

  function dataset(curve) {
    const few = curve.points.length <= 40;
    return {
      label: printable(curve.name),
      data: curve.points.map(([x, y]) => ({ x, y })),
      colour: curve.colour % COLOURS,
      borderDash: curve.dashed ? [6, 4] : [],
      borderWidth: 2,
      clip: 8,
      pointRadius: context => context.dataIndex === curve.best ? 6 : few ? 2 : 0,
      pointBorderWidth: context => context.dataIndex === curve.best ? 2.5 : 1,
      pointHoverRadius: 5,
      pointHitRadius: 0,
    };
  }

  function paint(chart) {
    const [ink, faint, line, card] =
      ["--ink", "--faint", "--line", "--card"].map(css);
    for (const set of chart.data.datasets) {
      const colour = css(`--c${set.colour}`);
      set.borderColor = set.pointBorderColor = colour;
      set.backgroundColor = set.pointBackgroundColor = card;
      set.pointHoverBackgroundColor = colour;
    }
    const { scales, plugins } = chart.options;
    for (const axis of [scales.x, scales.y]) {
      axis.ticks.color = axis.title.color = faint;
      axis.grid.color = axis.border.color = line;
    }
    plugins.legend.labels.color = ink;
    Object.assign(plugins.tooltip, {
      backgroundColor: card, titleColor: ink, bodyColor: ink,
      borderColor: faint, borderWidth: 1,
    });
  }

  function make(canvas, spec) {
    const axis = (name, type) => ({
      type, title: { display: true, text: printable(name) }, ticks: { maxRotation: 0 },
      grid: {}, border: {},
    });
    const chart = new Chart(canvas, {
      type: "line",
      data: { datasets: spec.curves.map(dataset) },
      options: {
        animation: false,
        maintainAspectRatio: false,
        interaction: { mode: "nearestOfEach", intersect: false },
        scales: { x: axis(spec.x, "linear"), y: axis(spec.y, "linear") },
        plugins: {
          legend: { labels: { usePointStyle: true, pointStyle: "line" } },
          tooltip: {
            displayColors: true,
            usePointStyle: true,
            callbacks: {
              title: items => items.length
                ? `${chart.options.scales.x.title.text} ` +
                  [...new Set(items.map(item => figure(item.raw.x)))].join(", ")
                : "",
              label: item => `${item.dataset.label}: ${figure(item.raw.y)}`,
              labelPointStyle: () => ({ pointStyle: "line", rotation: 0 }),
            },
          },
        },
      },
    });
    fit(chart, spec);
    paint(chart);
    chart.update("none");
    addScaleButton(chart);
    return chart;
  }

  /* The axis ends where the points do. */
  function fit(chart, spec) {
    const ends = spec.curves.filter(curve => curve.points.length);
    const x = chart.options.scales.x;
    x.min = Math.min(...ends.map(curve => curve.points[0][0]));
    x.max = Math.max(...ends.map(curve => curve.points.at(-1)[0]));
    if (!(x.min < x.max)) x.min = x.max = undefined;
  }

  /* Draw other curves. What was hidden by its name stays hidden. */
  function update(chart, spec) {
    const hidden = new Set(
      chart.data.datasets
        .filter((_, index) => !chart.isDatasetVisible(index))
        .map(set => set.label),
    );
    chart.data.datasets = spec.curves.map(dataset);
    chart.options.scales.x.title.text = spec.x;
    chart.options.scales.y.title.text = spec.y;
    fit(chart, spec);
    paint(chart);
    chart.update("none");
    chart.data.datasets.forEach((set, index) =>
      chart.setDatasetVisibility(index, !hidden.has(set.label)));
    chart.update("none");
  }

  function addScaleButton(chart) {
    const caption = chart.canvas.closest("figure")?.querySelector("figcaption");
    if (!caption) return;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "log scale";
    button.setAttribute("aria-pressed", "false");
    button.addEventListener("click", () => {
      const pressed = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(pressed));
      chart.options.scales.y.type = pressed ? "logarithmic" : "linear";
      chart.update("none");
    });
    caption.append(" ", button);
  }

  const all = () => Object.values(Chart.instances);

  function repaint() {
    for (const chart of all()) {
      paint(chart);
      chart.resize();
      chart.update("none");
    }
  }

  function drawAll() {
    for (const canvas of document.querySelectorAll("canvas[data-chart]"))
      if (!Chart.getChart(canvas))
        make(canvas, JSON.parse(document.getElementById(canvas.dataset.chart).text));
  }

  for (const query of ["(prefers-color-scheme: dark)", "print"])
    matchMedia(query).addEventListener("change", repaint);
  addEventListener("beforeprint", repaint);
  addEventListener("afterprint", repaint);
  if (document.readyState === "loading")
    document.addEventListener("DOMContentLoaded", drawAll);
  else drawAll();

  return { make, printable, update, drawAll };
})();
