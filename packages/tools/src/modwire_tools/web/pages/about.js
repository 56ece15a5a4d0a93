// The identity and the settings of a unit, and those of its device: modes, delimiter, networks.

import { confirmed, facts, h, labelled, select, setText } from "./dom.js";
import { features, request, show, unitPath } from "./link.js";

const MODES = [["tcp", "MBAP (Modbus TCP)"], ["rtu", "RTU"], ["ascii", "ASCII"], ["binary", "Binary"]];
const CHARACTERS = { 0: "NUL", 9: "tab", 10: "line feed", 13: "carriage return", 27: "escape", 32: "space", 127: "DEL" };

export function openAbout(panel, { device, unit }) {
  const own = unitPath(device, unit);
  const shared = `/api/devices/${device}`;
  const problem = h("p", { class: "problem", role: "alert" });
  const ask = (method, path, body) => {
    setText(problem, "");
    return request(method, path, body).catch((error) => setText(problem, error.message));
  };
  const sections = [identity(), settings(), modes(), ...(features.has("networks") ? [networks()] : [])];
  panel.append(problem, h("div", { class: "cards" }, sections.map(({ element }) => element)));
  return () => sections.forEach(({ close }) => close());

  function card(title, ...children) {
    return h("section", { class: "panel card" }, h("h2", {}, title), ...children);
  }

  function watch(kind, told) {
    return show({ kind, device, ...(kind === "networks" || kind === "modes" ? {} : { unit }) }, { told, failed: (sentence) => setText(problem, sentence) });
  }

  function identity() {
    const objects = facts();
    const empty = h("p", { class: "muted", hidden: true }, "This unit has no device identification.");
    return {
      element: card("Identity", objects.list, empty),
      close: watch("identity", (now) => {
        objects.update(now.map(({ id, name, value }) => [name || `object ${id}`, value]));
        empty.hidden = now.length > 0;
      }),
    };
  }

  // An input that is sent at Enter, or when it is left.
  function field(id, label, send) {
    const input = h("input", { type: "text", id, class: "short", spellcheck: "false", autocomplete: "off", onchange: () => send(input.value.trim()) });
    return { input, element: labelled(label, input), update(text) { if (document.activeElement !== input) input.value = text; } };
  }

  function settings() {
    const listen = h("button", {
      type: "button", class: "switch", role: "switch", id: "listen-only", "aria-label": "Listen only",
      onclick: () => ask("PUT", own, { listen_only: listen.getAttribute("aria-checked") !== "true" }),
    });
    const register = field("diagnostic-register", "Diagnostic register", (text) => ask("PUT", own, { diagnostic_register: text }));
    const status = field("exception-status", "Exception status", (text) => ask("PUT", own, { exception_status: text }));
    const delimiter = field("delimiter", "ASCII delimiter", (text) => ask("PUT", `${shared}/delimiter`, { delimiter: text }));
    const character = h("span", { class: "muted" });
    const ids = h("p", { class: "muted" });
    const values = confirmed("reset-values", "Reset values", "Reset all values of this unit?", () => ask("POST", `${own}/reset`, { diagnostics: false, values: true }));
    return {
      element: card("Settings", ids, h("div", { class: "inline" }, listen, "listen only"),
        register.element, status.element, h("div", { class: "bar" }, delimiter.element, character), values),
      close: watch("state", (now) => {
        setText(ids, now.ids.length === 256 ? "It responds to every unit id." : `It responds to unit id ${ranges(now.ids)}.`);
        listen.setAttribute("aria-checked", String(now.listen_only));
        register.update(`0x${now.diagnostic_register.toString(16).toUpperCase().padStart(4, "0")}`);
        status.update(`0x${now.exception_status.toString(16).toUpperCase().padStart(2, "0")}`);
        delimiter.update(String(now.delimiter));
        setText(character, CHARACTERS[now.delimiter] ?? (now.delimiter > 32 ? String.fromCharCode(now.delimiter) : ""));
      }),
    };
  }

  function modes() {
    const list = h("div", { class: "rows" });
    const empty = h("p", { class: "muted", hidden: true }, "Nothing is known of its endpoints.");
    return {
      element: card("Mode", list, empty),
      close: watch("modes", (now) => {
        empty.hidden = now.length > 0;
        list.replaceChildren(...now.map(({ endpoint, mode }) => {
          const isSerial = /^(rtu|ascii|binary):/.test(endpoint);
          const choose = (value) => ask("PUT", `${shared}/modes`, { mode: value, endpoint });
          return h("div", { class: "row" }, h("span", { class: "mono" }, endpoint), features.has("mode")
            ? select(`Mode of ${endpoint}`, MODES.filter(([key]) => key !== "tcp" || !isSerial), mode, choose)
            : h("span", {}, MODES.find(([key]) => key === mode)[1]));
        }));
      }),
    };
  }

  function networks() {
    let known = null;
    const list = h("div", { class: "rows" });
    const text = h("p", { class: "muted" });
    const input = h("input", { type: "text", id: "network", placeholder: "192.168.0.0/16", spellcheck: "false", autocomplete: "off" });
    const path = `${shared}/networks`;
    const all = confirmed("allow-all", "Allow all", "Allow everybody?", () => ask("DELETE", path));
    const add = async (event) => {
      event.preventDefault();
      const network = input.value.trim();
      const isDone = await (known === null ? ask("PUT", path, { networks: [network] }) : ask("POST", path, { network }));
      if (isDone) input.value = "";
    };
    return {
      element: card("Who may connect", text, list,
        h("form", { class: "bar", onsubmit: add }, labelled("Network of clients", input), h("button", { type: "submit" }, "Allow"), all)),
      close: watch("networks", ({ networks: now }) => {
        known = now;
        setText(text, now === null ? "Modbus clients of all networks. The first network that is allowed here shuts out all others." : "Modbus clients of these networks. For users of this page it changes nothing.");
        all.hidden = now === null;
        list.replaceChildren(...(now ?? []).map((network) => h("div", { class: "row" }, h("span", { class: "mono" }, network),
          h("button", { type: "button", "aria-label": `Remove ${network}`, onclick: () => ask("DELETE", `${path}/${network}`) }, "Remove"))));
      }),
    };
  }
}

// 1, 3, 7..9
function ranges(numbers) {
  const found = [];
  for (const number of numbers) {
    if (found.at(-1)?.[1] === number - 1) found.at(-1)[1] = number;
    else found.push([number, number]);
  }
  return found.map(([first, last]) => (first === last ? String(first) : `${first}..${last}`)).join(", ");
}
