// One unit of a device: the head with start and stop, and the tabs of the unit.

import { count, h, select, setText } from "./dom.js";
import { features, request, show } from "./link.js";
import { stateOf } from "./devices.js";
import { openAbout } from "./about.js";
import { openCounters } from "./counters.js";
import { openEvents } from "./events.js";
import { openFaults } from "./faults.js";
import { openPoints } from "./points.js";
import { openRegisters } from "./registers.js";
import { openTrends } from "./trends.js";

// The text of each tab, its function, and the feature of the server that it needs.
const TABS = {
  points: ["Points", openPoints, "points"],
  registers: ["Registers", openRegisters],
  trends: ["Trends", openTrends, "points"],
  counters: ["Counters", openCounters],
  events: ["Events", openEvents],
  device: ["Device", openAbout],
  faults: ["Faults", openFaults, "faults"],
};

// Returns a function that closes the view; its `turnTo` changes the tab.
export function openDevice(main, device, unit, parts, wanted) {
  // What is not known yet has a name already, for readers of the screen.
  const name = h("h1", {}, `Device ${device}`);
  const state = h("span", { class: "pill" });
  const places = h("p", { class: "places" });
  const numbers = h("p", { class: "muted numbers" });
  const problem = h("p", { class: "problem", role: "alert" });
  const power = h("button", { type: "button", class: "power", disabled: true, onclick: turn }, "Start");
  const known = Object.fromEntries(Object.entries(TABS).filter(([, [, , feature]]) => feature === undefined || features.has(feature)));
  const units = h("div", { class: "units" });
  const tabs = h("div", { class: "tabs", role: "tablist", "aria-label": "Views of the unit", onkeydown: moveTab });
  const panel = h("section", { class: "tab-panel", id: "panel", role: "tabpanel" });
  main.append(
    h("a", { class: "back", href: "#/devices" }, "\u2039 Devices"),
    h("div", { class: "head" },
      h("div", { class: "head-text" }, h("div", { class: "head-name" }, name, state), places, numbers),
      features.has("power") ? power : null),
    problem, units, tabs, panel);
  let running = false;
  let unitList = "";
  let openTab = "";
  let closeTab = () => {};

  const closeHead = show({ kind: "device", device }, {
    told(now) {
      running = now.running;
      const [kind, text] = stateOf(now);
      setText(name, now.name);
      setText(state, text);
      state.dataset.state = kind;
      setText(places, now.endpoints.join("   "));
      setText(numbers, `${count(now.requests)} request${now.requests === 1 ? "" : "s"}, ${count(now.connections)} connection${now.connections === 1 ? "" : "s"}`);
      setText(problem, now.problem);
      power.disabled = false;
      setText(power, now.running && !now.problem ? "Stop" : "Start");
      showUnits(now.units);
    },
    failed: (sentence) => main.replaceChildren(h("h1", {}, `Device ${device}`), h("p", { class: "empty" }, sentence)),
  });

  async function turn() {
    power.disabled = true;
    try {
      await request("POST", `/api/devices/${device}/${power.textContent === "Stop" ? "stop" : "start"}`, {});
    } catch (error) {
      setText(problem, error.message);
    }
    power.disabled = false;
  }

  function showUnits(all) {
    const key = JSON.stringify(all);
    if (key === unitList) return;
    unitList = key;
    const go = (id) => { location.hash = `#/device/${device}/unit/${id}/${openTab.split("?")[0]}`; };
    const text = ({ id, name: called }) => (called ? `${id} \u00b7 ${called}` : String(id));
    const chooser = all.length === 1 ? h("span", {}, text(all[0])) : all.length > 6
      ? select("Unit", all.map((each) => [each.id, text(each)]), unit, go)
      : h("div", { class: "choices", role: "group", "aria-label": "Unit" }, all.map((each) => h("button", {
        type: "button", "aria-pressed": String(each.id === unit), onclick: () => go(each.id),
      }, text(each))));
    units.replaceChildren(h("span", { class: "muted" }, "Unit"), chooser);
  }

  function turnTo([tab, ...rest], query) {
    const chosen = tab in known ? tab : Object.keys(known)[0];
    openTab = [chosen, ...rest].join("/");
    closeTab();
    panel.replaceChildren();
    tabs.replaceChildren(...Object.entries(known).map(([key, [text]]) => h("a", {
      role: "tab", id: `tab-${key}`, href: `#/device/${device}/unit/${unit}/${key}`, "aria-controls": "panel",
      "aria-selected": String(key === chosen), tabindex: key === chosen ? "0" : "-1",
    }, text)));
    tabs.querySelector('[aria-selected="true"]').scrollIntoView({ block: "nearest", inline: "nearest" });
    panel.setAttribute("aria-labelledby", `tab-${chosen}`);
    closeTab = known[chosen][1](panel, { device, unit }, rest, query);
  }

  function moveTab(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step === undefined) return;
    const all = [...tabs.children];
    const at = all.indexOf(document.activeElement);
    const next = all[(at + step + all.length) % all.length];
    location.hash = next.hash;
    requestAnimationFrame(() => tabs.querySelector('[aria-selected="true"]')?.focus());
    event.preventDefault();
  }

  turnTo(parts, wanted);
  const close = () => {
    closeTab();
    closeHead();
  };
  close.turnTo = turnTo;
  return close;
}
