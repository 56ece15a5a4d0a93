// Trends: a chart for each chosen point, one below the other, with the same time axis.

import { Chart } from "./chart.js";
import { brief, choices, h, setText } from "./dom.js";
import { request, show, unitPath } from "./link.js";
import { isNumeric, seek, showValue } from "./points.js";

const MOST = 6;
const MOST_PICKS = 60;
const SPANS = [["60", "1 min"], ["300", "5 min"], ["900", "15 min"], ["0", "all"]];
const remembered = { span: "60" };

export function openTrends(panel, place, _, query) {
  const charts = new Map();
  let points = [];
  let isPaused = false;
  let pausedAt = 0;
  // Offset of the server's clock from the browser's, by the sample with the shortest delay.
  let offset = null;
  const span = h("div");
  const pause = h("button", { type: "button", "aria-pressed": "false", onclick: turnPause }, "Pause");
  const picks = h("div", { class: "picks", role: "group", "aria-label": "Points" });
  const stack = h("div", { class: "charts" });
  const note = h("p", { class: "empty", hidden: true });
  const filter = h("input", { type: "search", placeholder: "Find points", "aria-label": "Find points", spellcheck: "false", hidden: true, oninput: drawPicks });
  panel.append(h("div", { class: "bar" }, span, pause, filter), picks, stack, note);

  function drawSpan() {
    span.replaceChildren(choices("Span", SPANS, remembered.span, (key) => {
      remembered.span = key;
      drawSpan();
      draw();
    }));
  }

  function turnPause() {
    isPaused = !isPaused;
    pausedAt = Date.now() / 1000 + offset;
    pause.setAttribute("aria-pressed", String(isPaused));
    setText(pause, isPaused ? "Continue" : "Pause");
    draw();
  }

  function drawPicks() {
    filter.hidden = points.length <= MOST_PICKS / 2;
    const found = seek(points, filter.value).map((index) => points[index]);
    const shown = points.filter((point) => charts.has(point.name));
    const offered = [...shown, ...found.filter((point) => !shown.includes(point))].slice(0, MOST_PICKS);
    const inOrder = points.length <= MOST_PICKS && filter.value === "" ? points : offered;
    picks.replaceChildren(...inOrder.map((point) => h("button", {
      type: "button", "aria-pressed": String(charts.has(point.name)), data: { point: point.name },
      onclick: () => turn(point),
    }, point.name)));
  }

  function turn(point) {
    if (charts.has(point.name)) {
      charts.get(point.name).close();
      charts.delete(point.name);
    } else if (charts.size < MOST) add(point);
    setText(note, charts.size >= MOST ? `${MOST} trends can be shown at once` : "");
    note.hidden = charts.size > 0 && charts.size < MOST;
    if (charts.size === 0) setText(note, "Choose points above.");
    drawPicks();
    const shown = new URLSearchParams([...charts.keys()].map((name) => ["show", name]));
    history.replaceState(null, "", `#/device/${place.device}/unit/${place.unit}/trends?${shown}`);
  }

  function add(point) {
    const value = h("span", { class: "trend-value" });
    const isBit = typeof point.value === "boolean";
    const chart = new Chart(`Trend of ${point.name}`, {
      isBit,
      show: (number) => (isBit ? showValue(number !== 0, point.type) : brief(number)),
      hovered: (time) => { for (const other of charts.values()) other.chart.point(time); },
    });
    const card = h("section", { class: "panel trend", "aria-label": point.name },
      h("div", { class: "trend-head" }, h("h2", {}, point.name), value, h("span", { class: "muted" }, point.unit),
        h("button", { type: "button", class: "quiet push", "aria-label": `Close the trend of ${point.name}`, onclick: () => turn(point) }, "\u00d7")),
      chart.element);
    const each = { chart, samples: [], value, card };
    each.stop = show({ kind: "trend", ...place, name: point.name }, {
      reset() {
        each.samples = [];
        offset = null;
      },
      added(samples) {
        offset = Math.max(offset ?? -Infinity, samples.at(-1)[0] - Date.now() / 1000);
        const last = each.samples.at(-1)?.[0] ?? -Infinity;
        each.samples.push(...samples.filter(([time]) => time > last));
        each.samples = each.samples.slice(-5000);
        const latest = each.samples.at(-1)?.[1] ?? null;
        setText(value, latest === null ? "" : isBit ? chart.show(latest) : showValue(latest, point.type));
      },
      failed(sentence) { setText(value, sentence); },
    });
    each.close = () => {
      each.stop();
      card.remove();
    };
    charts.set(point.name, each);
    stack.append(card);
  }

  function draw() {
    const all = [...charts.values()];
    const now = isPaused ? pausedAt : Date.now() / 1000 + offset;
    const first = Math.min(...all.map((each) => each.samples[0]?.[0] ?? now), now - 5);
    const chosen = Number(remembered.span);
    const from = chosen === 0 ? first : now - chosen;
    for (const each of all) each.chart.draw(each.samples.filter(([time]) => time <= now), [from, now]);
  }

  drawSpan();
  let isClosed = false;
  request("GET", `${unitPath(place.device, place.unit)}/points`).then((found) => {
    if (isClosed) return;
    points = found.filter((point) => isNumeric(point) || typeof point.value === "boolean");
    const asked = query.getAll("show");
    const lively = points.filter((point) => point.behaviour !== "");
    const chosen = asked.length > 0 ? points.filter((point) => asked.includes(point.name)) : (lively.length > 0 ? lively : points).slice(0, 3);
    for (const point of chosen.slice(0, MOST)) add(point);
    note.hidden = points.length > 0;
    setText(note, "This unit has no named points with numbers.");
    drawPicks();
    draw();
  }).catch((error) => {
    note.hidden = false;
    setText(note, error.message);
  });
  const timer = setInterval(() => { if (!isPaused && !document.hidden) draw(); }, 250);
  const observer = new ResizeObserver(draw);
  observer.observe(stack);
  return () => {
    isClosed = true;
    clearInterval(timer);
    observer.disconnect();
    for (const each of charts.values()) each.stop();
  };
}
