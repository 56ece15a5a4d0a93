// The event log of a unit, the newest event first.

import { h, setText } from "./dom.js";
import { request, show, unitPath } from "./link.js";

const TEXTS = {
  RemoteReceiveEvent: "message received",
  RemoteSendEvent: "message processed",
  EnteredListenModeEvent: "entered listen-only mode",
  CommunicationRestartEvent: "communication restarted",
  CommEvent: "not defined by the specification",
};

export function openEvents(panel, { device, unit }) {
  const problem = h("p", { class: "problem", role: "alert" });
  const total = h("span", { class: "muted" });
  const clear = h("button", {
    type: "button", disabled: true,
    onclick() {
      setText(problem, "");
      request("DELETE", `${unitPath(device, unit)}/events`).catch((error) => setText(problem, error.message));
    },
  }, "Clear events");
  const body = h("tbody");
  const table = h("table", { class: "list events" },
    h("thead", {}, h("tr", {}, ["Byte", "Event", "Meaning", "Bits"].map((text) => h("th", { scope: "col" }, text)))), body);
  const empty = h("p", { class: "empty", hidden: true }, "No event is in the log.");
  panel.append(h("div", { class: "bar" }, clear, total), problem, h("div", { class: "list-frame" }, table), empty);

  return show({ kind: "events", device, unit }, {
    told(now) {
      body.replaceChildren(...now.map(({ code, type, flags }) => h("tr", {},
        h("th", { scope: "row" }, code.toString(16).toUpperCase().padStart(2, "0")),
        h("td", {}, type), h("td", {}, TEXTS[type] ?? ""),
        h("td", {}, flags.map((flag) => flag.replaceAll("_", " ")).join(", ")))));
      table.hidden = now.length === 0;
      empty.hidden = now.length > 0;
      clear.disabled = now.length === 0;
      setText(total, now.length === 0 ? "" : `${now.length} of at most 64, the newest first`);
    },
    failed: (sentence) => panel.replaceChildren(h("p", { class: "empty" }, sentence)),
  });
}
