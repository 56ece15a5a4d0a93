// Switches for the faults of a unit, and their rates.

import { h, select, setText } from "./dom.js";
import { request, show, unitPath } from "./link.js";

const KINDS = [
  ["drop", "Drop", "closes the connection without a response"],
  ["silence", "Silence", "sends no response"],
  ["damage", "Damage", "sends a response with a wrong checksum or protocol id"],
  ["exception", "Exception", "responds with"],
  ["delay", "Delay", "responds after"],
];
const CODES = [
  [1, "01 illegal function"], [2, "02 illegal data address"], [3, "03 illegal data value"],
  [4, "04 server device failure"], [5, "05 acknowledge"], [6, "06 server device busy"],
  [8, "08 memory parity error"], [10, "0A gateway path unavailable"], [11, "0B gateway target failed"],
];

export function openFaults(panel, { device, unit }) {
  const path = `${unitPath(device, unit)}/faults`;
  const problem = h("p", { class: "problem", role: "alert" });
  const rows = new Map(KINDS.map(([kind, name, text]) => [kind, faultRow(kind, name, text)]));
  const code = select("Exception code", CODES, 4, (value) => put({ exception_code: Number(value) }));
  const seconds = h("input", {
    type: "number", min: "0", max: "3600", step: "0.1", "aria-label": "Delay in seconds", class: "short",
    onchange: (event) => put({ delay_seconds: event.target.valueAsNumber }),
  });
  rows.get("exception").extra.append(code);
  rows.get("delay").extra.append(seconds, " s");
  panel.append(
    h("p", { class: "muted" }, "Drawn in this order for each request; the first one drawn is injected. A delay is added to it."),
    h("div", { class: "panel faults" }, [...rows.values()].map((row) => row.element)),
    h("div", { class: "bar" }, h("button", {
      type: "button", onclick: () => put(Object.fromEntries(KINDS.map(([kind]) => [kind, 0]))),
    }, "All off")),
    problem);

  async function put(change) {
    setText(problem, "");
    await request("PUT", path, change).catch((error) => setText(problem, error.message));
  }

  function faultRow(kind, name, text) {
    let rate = 0;
    let lastRate = 1;
    const toggle = h("button", {
      type: "button", class: "switch", role: "switch", "aria-label": name, data: { fault: kind },
      onclick: () => put({ [kind]: rate > 0 ? 0 : lastRate }),
    });
    const slider = h("input", {
      type: "range", min: "0", max: "100", step: "1", "aria-label": `Rate of ${kind} in percent`,
      onchange: () => put({ [kind]: slider.valueAsNumber / 100 }),
      oninput: () => setText(percent, `${slider.value} %`),
    });
    const percent = h("output", { class: "percent" });
    const extra = h("span", { class: "extra" });
    const element = h("div", { class: "fault" }, toggle,
      h("div", { class: "fault-text" }, h("span", { class: "fault-name" }, name), h("span", { class: "muted" }, text), extra),
      slider, percent);
    return {
      element, extra,
      update(now) {
        rate = now;
        if (now > 0) lastRate = now;
        toggle.setAttribute("aria-checked", String(now > 0));
        element.classList.toggle("on", now > 0);
        if (document.activeElement !== slider || !slider.matches(":active")) slider.value = String(Math.round(now * 100));
        setText(percent, now > 0 && now < 0.01 ? `${(now * 100).toPrecision(2)} %` : `${Math.round(now * 100)} %`);
      },
    };
  }

  return show({ kind: "faults", device, unit }, {
    told(now) {
      for (const [kind, row] of rows) row.update(now[kind]);
      if (![...code.options].some((option) => option.value === String(now.exception_code))) {
        code.append(h("option", { value: now.exception_code }, String(now.exception_code)));
      }
      code.value = String(now.exception_code);
      if (document.activeElement !== seconds) seconds.value = String(now.delay_seconds);
    },
    failed: (sentence) => panel.replaceChildren(h("p", { class: "empty" }, sentence)),
  });
}
