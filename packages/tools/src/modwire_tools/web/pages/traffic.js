// The traffic: messages, filtered by the server, each expandable to its fields and bytes.

import { clock, count, h, labelled, select, setText } from "./dom.js";
import { request, show } from "./link.js";

const MOST = 300; // rows in the page
const FUNCTIONS = [
  ["", "all"], ["1", "01 read coils"], ["2", "02 read discrete inputs"], ["3", "03 read holding registers"],
  ["4", "04 read input registers"], ["5", "05 write single coil"], ["6", "06 write single register"],
  ["7", "07 read exception status"], ["8", "08 diagnostics"], ["11", "11 get comm event counter"],
  ["12", "12 get comm event log"], ["15", "15 write multiple coils"], ["16", "16 write multiple registers"],
  ["17", "17 report server id"], ["20", "20 read file record"], ["21", "21 write file record"],
  ["22", "22 mask write register"], ["23", "23 read/write registers"], ["24", "24 read FIFO queue"],
  ["43", "43 encapsulated interface"], ["1,2,3,4", "all reads"], ["5,6,15,16,22,23", "all writes"],
];

export function openTraffic(main, query) {
  const given = { kind: "traffic" };
  for (const key of ["device", "unit", "peer", "functions", "outcome", "text"]) if (query.get(key)) given[key] = query.get(key);
  let close = () => {};
  let last = 0;
  let total = 0;
  let isPaused = false;
  const list = h("ol", { class: "messages" });
  const empty = h("p", { class: "empty" }, "No message yet. Recording began when this view was opened.");
  const problem = h("p", { class: "problem", role: "alert" });
  const shown = h("span", { class: "muted" });
  const pause = h("button", { type: "button", "aria-pressed": "false", onclick: turnPause }, "Pause");
  const clear = h("button", { type: "button", onclick: () => { list.replaceChildren(); total = 0; tell(); } }, "Clear");
  const number = (key, most) => h("input", {
    type: "number", min: "0", max: String(most), placeholder: "all", value: given[key] ?? "", class: "short", onchange: (event) => want(key, event.target.value),
  });
  const text = (key, placeholder) => {
    let waiting;
    return h("input", {
      type: "search", placeholder, value: given[key] ?? "", spellcheck: "false",
      oninput: (event) => {
        clearTimeout(waiting);
        waiting = setTimeout(() => want(key, event.target.value.trim()), 200);
      },
    });
  };
  main.append(
    h("div", { class: "head" }, h("h1", {}, "Traffic"), shown, h("span", { class: "buttons push" }, pause, clear)),
    h("form", { class: "filters", role: "search", "aria-label": "Filters", onsubmit: (event) => event.preventDefault() },
      labelled("Device", number("device", 1000000)), labelled("Unit", number("unit", 255)),
      labelled("Function", select("Function", FUNCTIONS, given.functions ?? "", (value) => want("functions", value))),
      labelled("Outcome", select("Outcome", [["", "all"], ["ok", "ok"], ["exception", "exception"], ["silence", "silence"], ["mistake", "mistake"]], given.outcome ?? "", (value) => want("outcome", value))),
      labelled("Client", text("peer", "any")), labelled("Words", text("text", "any"))),
    problem,
    // Each message has a name that says all of this.
    h("div", { class: "messages-head", "aria-hidden": "true" }, ["#", "time", "ms", "device", "unit", "client", "request", "answer"].map((name) => h("span", {}, name))),
    list, empty);

  function want(key, value) {
    if (value === "") delete given[key];
    else given[key] = value;
    const shared = new URLSearchParams(Object.entries(given).filter(([name]) => name !== "kind"));
    history.replaceState(null, "", `#/traffic${String(shared) ? `?${shared}` : ""}`);
    list.replaceChildren();
    total = 0;
    listen();
  }

  function listen() {
    close();
    setText(problem, "");
    last = 0;
    tell();
    close = show({ ...given }, {
      reset() {
        last = 0;
        total = 0;
        list.replaceChildren();
      },
      added(messages) {
        const fresh = messages.filter((message) => message.number > last);
        if (fresh.length === 0) return;
        last = fresh.at(-1).number;
        total += fresh.length;
        list.prepend(...fresh.map(row).reverse());
        while (list.children.length > MOST) list.lastElementChild.remove();
        tell();
      },
      failed: (sentence) => setText(problem, sentence),
    });
  }

  function turnPause() {
    isPaused = !isPaused;
    pause.setAttribute("aria-pressed", String(isPaused));
    setText(pause, isPaused ? "Continue" : "Pause");
    if (isPaused) close();
    else {
      list.replaceChildren();
      total = 0;
      listen();
    }
  }

  function tell() {
    empty.hidden = list.children.length > 0;
    const kept = list.children.length;
    setText(shown, total === 0 ? "" : kept < total ? `the last ${kept} of ${count(total)}` : `${count(total)} message${total === 1 ? "" : "s"}`);
  }

  listen();
  return () => close();
}

function nameOf(message) {
  const unit = message.unit === null ? "" : `, unit ${message.unit}`;
  return `Message ${message.number} at ${clock(message.time)}, device ${message.device}${unit}, client ${message.peer || "unknown"}: `
    + `${message.request_text}; ${message.outcome}: ${answerOf(message)}${message.fault ? `; fault: ${message.fault}` : ""}`;
}

const answerOf = (message) => message.response_text || "no answer";

function row(message) {
  const isMistake = message.outcome === "mistake";
  const button = h("button", { type: "button", class: "message", "aria-expanded": "false", "aria-label": nameOf(message), data: { outcome: message.outcome } },
    h("span", { class: "m-number" }, String(message.number)),
    h("span", { class: "m-time" }, clock(message.time, true)),
    h("span", { class: "m-ms" }, isMistake ? "" : message.milliseconds.toFixed(1)),
    h("span", { class: "m-device" }, `#${message.device}`),
    h("span", { class: "m-unit" }, message.unit === null ? "\u2013" : String(message.unit)),
    h("span", { class: "m-peer" }, message.peer || "unknown"),
    h("span", { class: "m-request" }, message.request_text),
    h("span", { class: "m-answer" }, answerOf(message), message.fault ? h("span", { class: "tag" }, message.fault) : ""));
  const item = h("li", { data: { number: message.number } }, button);
  let fields = null;
  button.addEventListener("click", async () => {
    const isOpen = button.getAttribute("aria-expanded") === "true";
    button.setAttribute("aria-expanded", String(!isOpen));
    if (isOpen) {
      fields.hidden = true;
      return;
    }
    if (fields === null) {
      fields = h("div", { class: "fields" });
      item.append(fields);
      await unfold(message, fields);
    }
    fields.hidden = false;
  });
  return item;
}

async function unfold(message, fields) {
  if (message.outcome === "mistake") {
    const unit = message.unit === null ? "" : `, unit ${message.unit}`;
    fields.append(
      h("p", { class: "muted" }, `${message.peer || "unknown"} to ${message.endpoint}${unit}: ${answerOf(message)}`),
      h("p", {}, message.request_text), bytesOf(message.data));
    return;
  }
  try {
    const query = new URLSearchParams({ request: message.request, response: message.response });
    const found = await request("GET", `/api/explain?${query}`);
    fields.append(
      h("p", { class: "muted" }, `${message.peer} to ${message.endpoint}, unit ${message.unit}, ${message.milliseconds.toFixed(3)} ms${message.fault ? `, fault: ${message.fault}` : ""}`),
      h("div", { class: "pdus" },
        pdu("Request", found.request, message.request_text),
        pdu("Answer", found.response, answerOf(message))));
  } catch (error) {
    fields.append(h("p", { class: "problem" }, error.message));
  }
}

// The bytes in rows of 16, each as hexadecimal digits and as text.
function bytesOf(digits) {
  const bytes = digits.match(/../g) ?? [];
  const rows = Array.from({ length: Math.ceil(bytes.length / 16) }, (_, index) => bytes.slice(index * 16, index * 16 + 16));
  const text = (row) => row.map((each) => parseInt(each, 16)).map((code) => (code >= 0x20 && code < 0x7f ? String.fromCharCode(code) : "\u00b7")).join("");
  return h("table", { class: "fields-table raw", "aria-label": "Bytes that came" },
    h("thead", { class: "hidden-text" }, h("tr", {}, ["byte", "bytes", "as text"].map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, rows.map((row, index) => h("tr", {},
      h("td", { class: "number muted" }, String(index * 16)), h("td", {}, h("code", {}, row.join(" "))), h("td", {}, h("code", {}, text(row)))))));
}

function pdu(title, fields, text) {
  return h("section", {}, h("h2", {}, title),
    fields.length === 0 ? h("p", { class: "muted" }, text) : h("table", { class: "fields-table" },
      h("thead", { class: "hidden-text" }, h("tr", {}, ["byte", "bytes", "field", "meaning"].map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, fields.map((field) => h("tr", {},
        h("td", { class: "number muted" }, String(field.start)),
        h("td", {}, h("code", {}, field.data)),
        h("td", {}, field.name), h("td", {}, field.meaning))))));
}
