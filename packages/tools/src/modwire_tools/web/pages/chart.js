// A chart over time, in SVG, with axes and the value under the pointer: a line, or steps for bits.

import { clock, h, setText, svg } from "./dom.js";

const HEIGHT = 132;
const LEFT = 58;
const RIGHT = 14;
const TOP = 10;
const BOTTOM = 22;

// Round numbers that divide low..high into about `count` parts.
function ticks(low, high, wanted) {
  const rough = (high - low) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((each) => each >= rough) ?? rough;
  const found = [];
  for (let index = Math.ceil(low / step - 1e-9); index * step <= high + step * 1e-9; index += 1) found.push(index * step);
  return found;
}

const SPANS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400];

export class Chart {
  // `hovered(time)` is called as the pointer moves, with null when it leaves. `show(value)` is the
  // text of a value. Between two samples of a bit it has the earlier value: a line would be slanted.
  constructor(label, { isBit, show, hovered }) {
    this.isBit = isBit;
    this.show = show;
    this.samples = [];
    this.window = [0, 1];
    this.hover = null;
    this.grid = svg("g", { class: "chart-grid" });
    this.area = svg("path", { class: "chart-area" });
    this.line = svg("path", { class: "chart-line" });
    this.last = svg("circle", { class: "chart-last", r: "3" });
    this.cross = svg("line", { class: "chart-cross" });
    this.spot = svg("circle", { class: "chart-spot", r: "4" });
    this.picture = svg("svg", { class: "chart", height: HEIGHT, role: "img", "aria-label": label, tabindex: "0" },
      this.grid, this.area, this.line, this.last, this.cross, this.spot);
    this.tip = h("output", { class: "chart-tip", hidden: true });
    this.element = h("div", { class: "chart-frame" }, this.picture, this.tip);
    this.picture.addEventListener("pointermove", (event) => hovered(this.timeAt(event.offsetX)));
    this.picture.addEventListener("pointerleave", () => hovered(null));
    this.picture.addEventListener("blur", () => hovered(null));
    this.picture.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (step === undefined) return;
      event.preventDefault();
      const [from, to] = this.window;
      hovered(Math.min(to, Math.max(from, (this.hover ?? to) + (step * (to - from)) / 60)));
    });
  }

  get width() {
    return Math.max(200, this.element.clientWidth);
  }

  timeAt(x) {
    const [from, to] = this.window;
    const share = (x - LEFT) / (this.width - LEFT - RIGHT);
    return from + Math.min(1, Math.max(0, share)) * (to - from);
  }

  // Samples are [time, value], ascending; a value of null is a gap.
  draw(samples, window) {
    this.window = window;
    const [from, to] = window;
    const before = samples.findLastIndex(([time]) => time <= from);
    this.samples = samples.slice(Math.max(0, before));
    const [first, second] = this.samples;
    if (before >= 0 && second !== undefined) {
      // The line enters at the left edge at its interpolated value.
      const share = (from - first[0]) / (second[0] - first[0]);
      const isWhole = first[1] !== null && second[1] !== null;
      const slant = this.isBit ? 0 : share * (second[1] - first[1]);
      this.samples[0] = [from, isWhole ? first[1] + slant : this.isBit ? first[1] : null];
    }
    const numbers = this.samples.map(([, value]) => value).filter((value) => value !== null);
    let [low, high] = numbers.length === 0 || this.isBit ? [0, 1] : [Math.min(...numbers), Math.max(...numbers)];
    const least = Math.max(Math.abs(low), Math.abs(high)) * 1e-6 || 1;
    if (high - low < least) [low, high] = [low - least, high + least];
    const margin = (high - low) * 0.08;
    [low, high] = [low - margin, high + margin];
    const right = this.width - RIGHT;
    this.x = (time) => LEFT + (Math.max(from, time) - from) / (to - from) * (right - LEFT);
    this.y = (value) => TOP + (high - value) / (high - low) * (HEIGHT - TOP - BOTTOM);
    this.picture.setAttribute("width", this.width);
    this.drawAxes(low, high, right);
    this.drawLine();
    this.point(this.hover);
  }

  drawAxes(low, high, right) {
    const [from, to] = this.window;
    const parts = [];
    for (const value of this.isBit ? [0, 1] : ticks(low, high, 4)) {
      const y = this.y(value);
      parts.push(svg("line", { x1: LEFT, x2: right, y1: y, y2: y }),
        svg("text", { x: LEFT - 8, y: y + 4, "text-anchor": "end" }, this.show(Number(value.toPrecision(5)))));
    }
    const span = SPANS.find((each) => (to - from) / each <= (right - LEFT) / 90) ?? 28800;
    for (let time = Math.ceil(from / span) * span; time <= to; time += span) {
      const x = this.x(time);
      parts.push(svg("line", { x1: x, x2: x, y1: TOP, y2: HEIGHT - BOTTOM }));
      if (x > LEFT + 20 && x < right - 20) {
        parts.push(svg("text", { x, y: HEIGHT - 6, "text-anchor": "middle" }, clock(time)));
      }
    }
    this.grid.replaceChildren(...parts);
  }

  drawLine() {
    let path = "";
    let area = "";
    let start = null;
    let lastX = 0;
    const floor = HEIGHT - BOTTOM;
    const endArea = () => { if (start !== null) area += `L${lastX} ${floor}L${start} ${floor}Z`; };
    for (const [time, value] of this.samples) {
      if (value === null) {
        endArea();
        start = null;
        continue;
      }
      const x = this.x(time).toFixed(1);
      const y = this.y(value).toFixed(1);
      const step = start === null ? `M${x} ${y}` : this.isBit ? `H${x}V${y}` : `L${x} ${y}`;
      path += step;
      area += step;
      if (start === null) start = x;
      lastX = x;
    }
    endArea();
    this.line.setAttribute("d", path);
    this.area.setAttribute("d", area);
    const last = this.samples.at(-1);
    const isThere = last !== undefined && last[1] !== null;
    this.last.toggleAttribute("hidden", !isThere);
    this.last.setAttribute("visibility", isThere ? "visible" : "hidden");
    if (isThere) {
      this.last.setAttribute("cx", this.x(last[0]));
      this.last.setAttribute("cy", this.y(last[1]));
    }
  }

  // Shows the value at a time; hides it for null.
  point(time) {
    this.hover = time;
    const index = time === null ? -1 : this.samples.findLastIndex(([at]) => at <= time);
    const sample = index < 0 ? undefined : this.samples[index];
    const isShown = sample !== undefined && sample[1] !== null;
    for (const each of [this.cross, this.spot]) each.setAttribute("visibility", isShown ? "visible" : "hidden");
    this.tip.hidden = !isShown;
    if (!isShown) return;
    const x = this.x(sample[0]);
    for (const [key, value] of Object.entries({ x1: x, x2: x, y1: TOP, y2: HEIGHT - BOTTOM })) this.cross.setAttribute(key, value);
    this.spot.setAttribute("cx", x);
    this.spot.setAttribute("cy", this.y(sample[1]));
    setText(this.tip, `${this.show(sample[1])}  at ${clock(sample[0])}`);
    this.tip.style.left = `${Math.min(x + 10, this.width - 170)}px`;
  }
}
