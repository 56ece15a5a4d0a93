// The named values of a unit: watched, edited in place, held or released.

import { brief, h, mark, setText } from "./dom.js";
import { edit } from "./edit.js";
import { TABLES } from "./formats.js";
import { request, show, unitPath } from "./link.js";

const MOST = 500; // rows

export const pointPath = (device, unit, name) =>
  `${unitPath(device, unit)}/points/${name.split("/").map(encodeURIComponent).join("/")}`;

export const isNumeric = (point) => typeof point.value === "number"
  || (typeof point.value === "string" && /int|float|uint/.test(point.type));

// The indexes of the points that contain a text.
export function seek(points, text) {
  const sought = text.trim().toLowerCase();
  const isFound = (point) => `${point.name}\n${point.unit}\n${point.type}\n${point.behaviour}\n${point.table}`.toLowerCase().includes(sought);
  return [...points.keys()].filter((index) => isFound(points[index]));
}

// A 32-bit float has seven digits; a scaled value has rounding errors after the twelfth.
export function showValue(value, type) {
  if (value === true) return "on";
  if (value === false) return "off";
  if (Array.isArray(value)) return `[${value.map((each) => showValue(each, type)).join(", ")}]`;
  if (value === "") return "\u201c\u201d";
  return brief(value, /float(16|32)/.test(type) ? 7 : 12);
}

export function openPoints(panel, place) {
  const filter = h("input", { type: "search", placeholder: "Filter points", "aria-label": "Filter points", spellcheck: "false", oninput: showFound });
  const found = h("span", { class: "muted" });
  const body = h("tbody");
  const table = h("table", { class: "list points" },
    h("thead", {}, h("tr", {},
      ["Point", "Value", "Unit", "Behaviour", "Hold", "Where", "Type"].map((text) => h("th", { scope: "col" }, text)),
      h("th", { scope: "col" }, h("span", { class: "hidden-text" }, "Trend")))),
    body);
  const empty = h("p", { class: "empty", hidden: true });
  panel.append(h("div", { class: "bar" }, filter, found), h("div", { class: "list-frame" }, table), empty);
  let points = [];
  let rows = new Map();
  let names = null;

  // The rows of the points found, at most the first MOST.
  function showFound() {
    const matches = seek(points, filter.value);
    const kept = rows;
    rows = new Map();
    for (const index of matches.slice(0, MOST)) rows.set(index, kept.get(index) ?? row(points[index], place));
    body.replaceChildren(...[...rows.values()].map((each) => each.element));
    const all = `${points.length} point${points.length === 1 ? "" : "s"}`;
    setText(found, (matches.length === points.length ? all : `${matches.length} of ${all}`)
      + (matches.length > MOST ? `, the first ${MOST} are shown` : ""));
  }

  const close = show({ kind: "points", ...place }, {
    told(now, changed) {
      const key = JSON.stringify(now.map((point) => [point.name, point.table, point.address]));
      if (key !== names) {
        names = key;
        points = now;
        rows.clear();
        table.hidden = now.length === 0;
        empty.hidden = now.length > 0;
        setText(empty, "This unit has no named points. Its values are under Registers.");
        showFound();
      } else {
        points = now;
        for (const index of changed ?? now.keys()) rows.get(index)?.update(now[index]);
      }
    },
    failed(sentence) {
      table.hidden = true;
      empty.hidden = false;
      setText(empty, sentence);
    },
  });
  return close;
}

function row(point, { device, unit }) {
  let now = point;
  const path = pointPath(device, unit, point.name);
  const value = h("button", { type: "button", class: "value", title: "Edit" });
  const cell = h("td", { class: "value-cell" }, value);
  const behaviour = h("span");
  const problem = h("span", { class: "edit-problem", role: "alert" });
  const hold = h("button", { type: "button", class: "switch", role: "switch", "aria-label": `Hold ${point.name}` });
  const holdCell = h("td", {}, hold);
  const trend = isNumeric(point) || typeof point.value === "boolean"
    ? h("a", { href: `#/device/${device}/unit/${unit}/trends?show=${encodeURIComponent(point.name)}`, "aria-label": `Trend of ${point.name}` }, "trend")
    : "";
  const element = h("tr", { data: { point: point.name } },
    h("th", { scope: "row" }, point.name), cell, h("td", { class: "unit" }, point.unit), h("td", { class: "behaviour" }, behaviour), holdCell,
    h("td", { class: "muted where" }, `${TABLES[point.table].one} ${point.address}${point.size > 1 ? `\u2060\u2013\u2060${point.address + point.size - 1}` : ""}`),
    h("td", { class: "muted type" }, point.type), h("td", {}, trend));

  value.addEventListener("click", async () => {
    if (typeof now.value === "boolean") {
      problem.textContent = "";
      await request("PUT", path, { value: !now.value }).catch((error) => {
        problem.textContent = error.message;
        cell.append(problem);
      });
      return;
    }
    edit(cell, {
      text: Array.isArray(now.value) ? JSON.stringify(now.value) : String(now.value ?? ""),
      label: point.name,
      save: (text) => request("PUT", path, { value: text }),
      done: () => cell.replaceChildren(value),
    });
  });
  hold.addEventListener("click", () => {
    request("PUT", path, { held: !now.held }).catch((error) => {
      problem.textContent = error.message;
      cell.append(problem);
    });
  });

  function update(point_) {
    const text = showValue(point_.value, point_.type);
    const isChanged = value.textContent !== "" && value.textContent !== text;
    setText(value, text);
    // A value alone would be a button called "230.4" to a screen reader.
    value.setAttribute("aria-label", `${point_.name}: ${[text, point_.unit].join(" ").trim()}, ${typeof point_.value === "boolean" ? "switch" : "edit"}`);
    if (isChanged) mark(value);
    now = point_;
    setText(behaviour, point_.behaviour);
    behaviour.title = point_.behaviour;
    hold.setAttribute("aria-checked", String(point_.held));
    hold.hidden = point_.behaviour === "" && !point_.held;
    element.classList.toggle("held", point_.held);
  }
  update(point);
  return { element, update };
}
