// The list of devices. The server searches it and sends it in pages, since there may be thousands.

import { count, h, setText, shortCount } from "./dom.js";
import { show } from "./link.js";

const PAGE = 100;

export const deviceLink = (device) => `#/device/${device.index}/unit/${device.units[0]?.id ?? 0}`;

export function stateOf(device) {
  if (device.problem) return ["failed", "not served"];
  return device.running ? ["running", "running"] : ["stopped", "stopped"];
}

// `goHome` is called with the link of the first device, if the address names none.
export function openDevices(side, goHome) {
  let given = { kind: "devices", start: 0, count: PAGE, search: "" };
  let close = () => {};
  let shown = { total: 0, start: 0, devices: [] };
  let marked = null;
  let wantsHome = false;
  const rows = new Map();
  const list = h("ul", { class: "device-list" });
  const total = h("span", { class: "muted" });
  const search = h("input", { type: "search", placeholder: "Search devices", "aria-label": "Search devices", spellcheck: "false" });
  const previous = h("button", { type: "button", "aria-label": "Previous devices", onclick: () => turn(-PAGE) }, "\u2039");
  const next = h("button", { type: "button", "aria-label": "Next devices", onclick: () => turn(PAGE) }, "\u203a");
  const heading = h("h2", { class: "hidden-text" }, "Devices");
  side.append(
    heading,
    h("div", { class: "side-head" }, search),
    list,
    h("div", { class: "side-foot" }, total, h("span", { class: "pager" }, previous, next)),
  );

  let waiting;
  search.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => look({ ...given, start: 0, search: search.value.trim() }), 150);
  });

  function turn(by) {
    look({ ...given, start: Math.max(0, given.start + by) });
    list.scrollTop = 0;
  }

  function look(wanted) {
    given = wanted;
    close();
    close = show(given, { told, failed: (sentence) => setText(total, sentence) });
  }

  function told(now) {
    shown = now;
    const { total: all, start, devices } = now;
    const indexes = devices.map((device) => device.index);
    if (indexes.join() !== [...rows.keys()].join()) {
      rows.clear();
      for (const device of devices) rows.set(device.index, row(device));
      list.replaceChildren(...[...rows.values()].map((each) => each.element));
      showMark();
    }
    for (const device of devices) rows.get(device.index).update(device);
    const last = start + devices.length;
    setText(total, all === 0
      ? (given.search ? "none is found" : "no devices")
      : all > devices.length ? `${count(start + 1)}\u2013${count(last)} of ${count(all)}` : `${count(all)} device${all === 1 ? "" : "s"}`);
    previous.disabled = start === 0;
    next.disabled = last >= all;
    previous.parentElement.hidden = all <= PAGE;
    if (wantsHome && devices.length > 0) {
      wantsHome = false;
      goHome(deviceLink(devices[0]));
    }
  }

  function showMark() {
    for (const [index, { link }] of rows) {
      if (index === marked) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  }

  look(given);
  return {
    // Where only the list is shown, it is the main part of the page.
    lead(isAlone) {
      side.setAttribute("role", isAlone ? "main" : "complementary");
      heading.setAttribute("aria-level", isAlone ? "1" : "2");
    },
    mark(index) {
      marked = index;
      showMark();
    },
    home() {
      if (shown.devices.length > 0) goHome(deviceLink(shown.devices[0]));
      else wantsHome = true;
    },
  };
}

function row(device) {
  const dot = h("span", { class: "dot" });
  const name = h("span", { class: "device-name" });
  const index = h("span", { class: "device-index" }, `#${device.index}`);
  const state = h("span", { class: "hidden-text" });
  const place = h("span", { class: "device-place" });
  const requests = h("span", { class: "device-requests" });
  const link = h("a", { href: deviceLink(device) }, dot,
    h("span", { class: "device-line" }, name, state, requests), h("span", { class: "device-line" }, place, index));
  return {
    link,
    element: h("li", {}, link),
    update(now) {
      const [kind, text] = stateOf(now);
      dot.dataset.state = kind;
      setText(state, `, ${text}`);
      setText(name, now.name);
      setText(place, now.problem || (now.endpoints[0] ?? "") + (now.endpoints.length > 1 ? ` +${now.endpoints.length - 1}` : ""));
      setText(requests, `${shortCount(now.requests)} request${now.requests === 1 ? "" : "s"}`);
      link.title = now.problem || now.endpoints.join("\n");
    },
  };
}
