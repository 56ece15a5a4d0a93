// The clients, and the device to which each is connected.

import { clock, count, duration, h, setText } from "./dom.js";
import { show } from "./link.js";

const COLUMNS = ["Client", "Device", "Served at", "Since", "Last request", "Requests", ""];

export function openClients(main) {
  const body = h("tbody");
  const table = h("table", { class: "list clients" },
    h("thead", {}, h("tr", {}, COLUMNS.map((text) => h("th", { scope: "col" }, text || h("span", { class: "hidden-text" }, "Traffic"))))), body);
  const empty = h("p", { class: "empty" }, "No client is connected.");
  const total = h("span", { class: "muted" });
  main.append(h("div", { class: "head" }, h("h1", {}, "Clients"), total), h("div", { class: "list-frame" }, table), empty);
  const rows = new Map();
  let known = [];

  function draw() {
    const now = Date.now() / 1000;
    const kept = new Set();
    for (const each of known) {
      const key = `${each.device} ${each.endpoint} ${each.peer} ${each.since}`;
      kept.add(key);
      if (!rows.has(key)) {
        const cells = COLUMNS.map((_, index) => h(index === 0 ? "th" : "td", index === 0 ? { scope: "row" } : { class: index > 2 ? "number" : "", data: COLUMNS[index] ? { label: COLUMNS[index].toLowerCase() } : {} }));
        cells[6].append(h("a", { href: `#/traffic?peer=${encodeURIComponent(each.peer)}`, "aria-label": `Traffic of ${each.peer}` }, "traffic"));
        rows.set(key, { element: h("tr", {}, cells), cells });
      }
      const { cells } = rows.get(key);
      const texts = [each.peer, `#${each.device}`, each.endpoint, clock(each.since), `${duration(now - each.heard)} ago`, count(each.requests)];
      texts.forEach((text, index) => setText(cells[index], text));
    }
    for (const key of [...rows.keys()]) if (!kept.has(key)) rows.delete(key);
    const wanted = [...rows.values()].map((each) => each.element);
    if (wanted.length !== body.children.length || wanted.some((element, index) => body.children[index] !== element)) body.replaceChildren(...wanted);
    table.hidden = known.length === 0;
    empty.hidden = known.length > 0;
    setText(total, known.length === 0 ? "" : `${count(known.length)} connected`);
  }

  const close = show({ kind: "connections" }, { told(now) { known = now; draw(); }, failed: (sentence) => setText(empty, sentence) });
  const timer = setInterval(draw, 1000);
  return () => {
    clearInterval(timer);
    close();
  };
}
