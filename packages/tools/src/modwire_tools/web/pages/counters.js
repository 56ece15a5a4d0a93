// The diagnostic counters of a unit.

import { count, h, mark, setText } from "./dom.js";
import { show } from "./link.js";

export function openCounters(panel, place) {
  const list = h("dl", { class: "counters" });
  panel.append(list);
  const values = new Map();
  return show({ kind: "counters", ...place }, {
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
}
