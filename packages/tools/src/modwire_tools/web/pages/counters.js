// The diagnostic counters of a unit, and its Modbus Plus statistics.

import { count, facts, h, mark, setText } from "./dom.js";
import { request, show, unitPath } from "./link.js";

export function openCounters(panel, { device, unit }) {
  const path = unitPath(device, unit);
  const list = h("dl", { class: "counters" });
  const problem = h("p", { class: "problem", role: "alert" });
  const plus = facts({ class: "facts many" });
  const statistics = h("details", { class: "panel fold", ontoggle: turn },
    h("summary", {}, "Modbus Plus statistics"), plus.list,
    button("Clear statistics", "DELETE", "statistics"));
  panel.append(h("div", { class: "bar" }, button("Reset counters and events", "POST", "reset", {})), list, statistics, problem);
  const values = new Map();
  let closeStatistics = () => {};

  function button(text, method, name, body) {
    return h("button", {
      type: "button",
      onclick() {
        setText(problem, "");
        request(method, `${path}/${name}`, body).catch((error) => setText(problem, error.message));
      },
    }, text);
  }

  function turn() {
    closeStatistics();
    closeStatistics = () => {};
    if (statistics.open) closeStatistics = show({ kind: "statistics", device, unit }, { told: (now) => plus.update(told(now)), failed });
  }

  const told = (now) => Object.entries(now).map(([name, value]) => [
    name.replaceAll("_", " "), Array.isArray(value) ? value.join(", ") || "none" : String(value)]);
  const failed = (sentence) => setText(problem, sentence);

  const closeCounters = show({ kind: "counters", device, unit }, {
    told(now) {
      if ([...values.keys()].join("\n") !== Object.keys(now).join("\n")) {
        values.clear();
        list.replaceChildren(...Object.keys(now).map((name) => {
          const value = h("dd");
          values.set(name, value);
          return h("div", { class: "panel" }, h("dt", {}, name.replaceAll("_", " ")), value);
        }));
      }
      for (const [name, number] of Object.entries(now)) {
        const value = values.get(name);
        const isChanged = value.textContent !== "" && value.textContent !== count(number);
        setText(value, count(number));
        if (isChanged) mark(value.parentElement);
      }
    },
    failed: (sentence) => panel.replaceChildren(h("p", { class: "empty" }, sentence)),
  });
  return () => {
    closeStatistics();
    closeCounters();
  };
}
