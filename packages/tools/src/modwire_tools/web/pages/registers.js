// The tables of a unit: a grid of values in the chosen format, edited in place.

import { choices, h, mark, select, setText } from "./dom.js";
import { edit } from "./edit.js";
import { describe, FORMATS, reference, TABLES } from "./formats.js";
import { features, request, show, unitPath } from "./link.js";

const ROWS = 20;
const remembered = { format: "decimal" };
const isNarrow = matchMedia("(max-width: 40rem)");

export function openRegisters(panel, { device, unit }, [wantedTable], query) {
  let tables = [];
  let table = null;
  let from = null;
  let values = [];
  let closeValues = () => {};
  let names = new Map();
  let selected = null;
  let hasFailed = false;
  const bar = h("div", { class: "bar" });
  const body = h("div", { class: "grid-frame", tabindex: "-1" });
  const details = h("div", { class: "details", "aria-live": "off" });
  const problem = h("p", { class: "problem", role: "alert" });
  panel.append(bar, body, problem, details);
  if (query.has("from")) from = Number(query.get("from"));

  const closeTables = show({ kind: "tables", device, unit }, {
    told(now) {
      const isSame = JSON.stringify(now) === JSON.stringify(tables);
      tables = now.map((each) => ({ ...each }));
      if (isSame) return;
      if (tables.length === 0) {
        body.replaceChildren(h("p", { class: "empty" }, "This unit has no tables."));
        return;
      }
      table = tables.find((each) => each.table === wantedTable)
        ?? tables.find((each) => each.table === "holding_registers") ?? tables[0];
      draw();
    },
    failed: (sentence) => body.replaceChildren(h("p", { class: "empty" }, sentence)),
  });
  // The names of the registers that are points.
  if (features.has("points")) request("GET", `${unitPath(device, unit)}/points`).then((points) => {
    names = new Map(points.flatMap((point) => Array.from(
      { length: point.size }, (_, index) => [`${point.table} ${point.address + index}`, point.name])));
    if (selected !== null) describeSelected();
    for (const cell of body.querySelectorAll("td[data-address]")) fillCell(cell);
  }).catch(() => {});

  const isBits = () => TABLES[table.table].isBits;
  const format = () => (isBits() ? { words: 1, show: ([bit]) => String(bit) } : FORMATS[remembered.format]);
  function columns() {
    if (isBits()) return isNarrow.matches ? 4 : 10;
    if (format().isWide) return isNarrow.matches ? 1 : 4;
    return isNarrow.matches ? 4 : 10;
  }
  const holds = (first, count) => table.ranges.some(([start, size]) => start < first + count && first < start + size);

  // The rows from `from` on that have addresses, over at most 1000 addresses.
  function rowStarts() {
    const starts = [];
    for (let start = from; start < 65536 && starts.length < ROWS && start + columns() - from <= 1000;) {
      if (holds(start, columns())) starts.push(start);
      else {
        // A gap: continue at the row with the next address.
        const next = table.ranges.map(([first]) => first).filter((first) => first >= start + columns());
        if (next.length === 0) break;
        start += Math.floor((Math.min(...next) - start) / columns()) * columns();
        continue;
      }
      start += columns();
    }
    return starts;
  }

  function draw() {
    closeValues();
    selected = null;
    details.replaceChildren();
    const firsts = table.ranges.map(([first]) => first);
    if (from === null || Number.isNaN(from)) from = firsts[0] ?? 0;
    from = Math.min(Math.max(0, Math.trunc(from)), 65535);
    const starts = rowStarts();
    drawBar(starts);
    if (starts.length === 0) {
      body.replaceChildren(h("p", { class: "empty" }, `There is no address from ${from} on.`));
      return;
    }
    const last = Math.min(starts.at(-1) + columns(), 65536);
    const cells = drawGrid(starts);
    values = [];
    closeValues = show({ kind: "values", device, unit, table: table.table, address: from, count: last - from }, {
      told(now, changed) {
        const isFirst = values.length === 0;
        if (hasFailed) setText(problem, "");
        hasFailed = false;
        const before = values;
        values = [...now];
        const offsets = changed ?? now.map((_, offset) => offset).filter((offset) => now[offset] !== before[offset]);
        const touched = new Set(offsets.map((offset) => cells.get(from + offset)));
        for (const cell of touched) {
          if (cell === undefined) continue;
          fillCell(cell);
          if (!isFirst) mark(cell);
        }
        if (selected !== null) describeSelected();
      },
      failed(sentence) {
        setText(problem, sentence);
        hasFailed = true;
      },
    });
  }

  function drawBar(starts) {
    const turn = (to) => { from = to; draw(); };
    const end = starts.length === 0 ? from : starts.at(-1) + columns();
    const later = table.ranges.some(([first, size]) => first + size > end);
    const earlier = table.ranges.some(([first]) => first < from);
    const input = h("input", {
      type: "text", inputmode: "numeric", class: "address", value: String(from), spellcheck: "false",
      onkeydown: (event) => {
        if (event.key !== "Enter") return;
        const given = event.target.value.trim();
        const to = /^(0x[0-9a-f]+|\d+)$/i.test(given) ? Number(given) : NaN;
        setText(problem, to <= 65535 ? "" : `an address must be 0..65535, got ${given || "nothing"}`);
        if (to <= 65535) turn(to);
      },
    });
    const parts = [
      choices("Table", tables.map((each) => [each.table, TABLES[each.table].name]), table.table, (key) => {
        table = tables.find((each) => each.table === key);
        from = null;
        history.replaceState(null, "", `#/device/${device}/unit/${unit}/registers/${key}`);
        draw();
      }),
      h("label", { class: "inline" }, "from", input),
      table.ranges.length > 1 ? select("Range", [["", "ranges"], ...table.ranges.map(([first, size]) => [first, `${first}\u2013${first + size - 1}`])], "", (first) => turn(Number(first))) : null,
      h("span", { class: "pager" },
        h("button", { type: "button", "aria-label": "Previous addresses", disabled: !earlier, onclick: () => turn(back()) }, "\u2039"),
        h("button", { type: "button", "aria-label": "Next addresses", disabled: !later, onclick: () => turn(forth(end)) }, "\u203a")),
      isBits() ? null : h("label", { class: "inline push" }, "as", select("Format", Object.entries(FORMATS).map(([key, { name }]) => [key, name]), remembered.format, (key) => {
        remembered.format = key;
        draw();
      })),
      table.writable ? null : h("span", { class: "muted", title: "You may write here; Modbus clients may not." }, "read-only for clients"),
    ];
    bar.replaceChildren(...parts.filter((part) => part !== null));
  }

  // The first address of the previous screen, or of the nearest range if that is empty.
  function back() {
    const to = Math.max(0, from - ROWS * columns());
    if (holds(to, from - to)) return to;
    const [first, size] = table.ranges.filter(([start]) => start < from).at(-1);
    return Math.max(first, first + size - ROWS * columns());
  }

  function forth(end) {
    if (holds(end, columns())) return end;
    return table.ranges.find(([first]) => first >= end)?.[0] ?? end;
  }

  function drawGrid(starts) {
    const { words } = format();
    const cells = new Map();
    const heads = Array.from({ length: columns() / words || 1 }, (_, index) => h("th", { scope: "col" }, `+${index * words}`));
    const rows = starts.map((start) => h("tr", {}, h("th", { scope: "row" }, String(start)),
      Array.from({ length: columns() / words || 1 }, (_, index) => {
        const address = start + index * words;
        const cell = h("td", { role: "gridcell", data: { address } });
        for (let word = 0; word < words; word += 1) cells.set(address + word, cell);
        fillCell(cell);
        return cell;
      })));
    const grid = h("table", {
      class: `grid ${isBits() ? "bits" : remembered.format}`, role: "grid", "aria-label": TABLES[table.table].name,
      onclick: (event) => choose(event, event.target.closest("td")),
      ondblclick: (event) => change(event.target.closest("td")),
      onfocusin: (event) => select_(event.target.closest("td")),
      onkeydown: press,
    }, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "address"), heads)), h("tbody", {}, rows));
    body.replaceChildren(grid);
    return cells;
  }

  function registersOf(cell) {
    const address = Number(cell.dataset.address);
    return Array.from({ length: format().words }, (_, word) => values[address - from + word] ?? null);
  }

  function fillCell(cell) {
    if (cell.classList.contains("editing")) return;
    const registers = registersOf(cell);
    const isThere = !registers.includes(null);
    cell.classList.toggle("absent", !isThere);
    if (isThere) {
      if (!cell.hasAttribute("tabindex")) {
        const isFirst = body.querySelector('td[tabindex="0"]') === null;
        cell.setAttribute("tabindex", isFirst ? "0" : "-1");
      }
      const text = format().show(registers);
      setText(cell, text);
      cell.setAttribute("aria-label", nameOf(Number(cell.dataset.address), text));
      if (isBits()) cell.dataset.bit = String(registers[0]);
    } else {
      cell.removeAttribute("tabindex");
      cell.setAttribute("aria-label", values.length === 0 ? "not read yet" : "no address");
      setText(cell, values.length === 0 ? "" : "\u00b7");
    }
  }

  function nameOf(address, text) {
    const name = names.get(`${table.table} ${address}`);
    return `${TABLES[table.table].one} ${address}${name ? `, ${name}` : ""}: ${text}`;
  }

  function choose(event, cell) {
    if (cell === null || !cell.hasAttribute("tabindex") || cell.classList.contains("editing")) return;
    if (isBits()) change(cell);
    else if (document.activeElement !== cell) cell.focus();
  }

  function select_(cell) {
    if (cell === null || cell === selected) return;
    selected?.setAttribute("tabindex", "-1");
    for (const other of body.querySelectorAll('td[tabindex="0"]')) other.setAttribute("tabindex", "-1");
    cell.setAttribute("tabindex", "0");
    selected = cell;
    describeSelected();
  }

  function describeSelected() {
    const address = Number(selected.dataset.address);
    const value = values[address - from];
    if (value === null || value === undefined) return;
    const name = names.get(`${table.table} ${address}`);
    const facts = isBits() ? [["value", String(value)]] : describe(value, values[address - from + 1]);
    details.replaceChildren(
      h("span", { class: "details-name" }, `${TABLES[table.table].one} ${address}`),
      h("span", { class: "muted" }, `0x${address.toString(16).toUpperCase().padStart(4, "0")} \u00b7 ${reference(table.table, address)}`),
      name ? h("span", { class: "point-name" }, name) : "",
      h("dl", {}, facts.map(([key, text]) => h("div", {}, h("dt", {}, key), h("dd", {}, text)))),
      h("span", { class: "muted hint" }, isBits() ? "Enter or a click switches it" : "Enter or a double click edits it"));
  }

  async function write(address, written) {
    await request("PUT", `${unitPath(device, unit)}/tables/${table.table}`, { address, values: written });
  }

  async function change(cell, text) {
    if (cell === null || !cell.hasAttribute("tabindex")) return;
    const address = Number(cell.dataset.address);
    setText(problem, "");
    if (isBits()) {
      cell.focus();
      await write(address, [values[address - from] ? 0 : 1]).catch((error) => setText(problem, error.message));
      return;
    }
    edit(cell, {
      text: text ?? format().show(registersOf(cell)),
      label: `${TABLES[table.table].one} ${address}`,
      save: (given) => write(address, format().read(given)),
      done: () => fillCell(cell),
    });
  }

  function press(event) {
    const cell = event.target.closest("td");
    if (cell === null || cell.classList.contains("editing") || event.ctrlKey || event.metaKey || event.altKey) return;
    const row = cell.parentElement;
    const at = [...row.children].indexOf(cell);
    const moves = {
      ArrowLeft: () => sideways(cell, "previousElementSibling"), ArrowRight: () => sideways(cell, "nextElementSibling"),
      ArrowUp: () => vertically(row, at, "previousElementSibling"), ArrowDown: () => vertically(row, at, "nextElementSibling"),
      Home: () => row.querySelector("td[tabindex]"), End: () => [...row.querySelectorAll("td[tabindex]")].at(-1),
    };
    if (event.key in moves) {
      moves[event.key]()?.focus();
      event.preventDefault();
    } else if (event.key === "Enter" || event.key === "F2" || (event.key === " " && isBits())) {
      change(cell);
      event.preventDefault();
    } else if (!isBits() && /^[0-9a-fA-F.-]$/.test(event.key)) {
      // A typed character begins an edit.
      change(cell, "");
    }
  }

  function sideways(cell, direction) {
    let next = cell[direction];
    while (next !== null && !next.hasAttribute("tabindex")) next = next[direction];
    return next?.tagName === "TD" ? next : null;
  }

  function vertically(row, at, direction) {
    let next = row[direction];
    while (next !== null && !next.children[at]?.hasAttribute("tabindex")) next = next[direction];
    return next?.children[at] ?? null;
  }

  const redraw = () => { if (table !== null) draw(); };
  isNarrow.addEventListener("change", redraw);
  return () => {
    isNarrow.removeEventListener("change", redraw);
    closeTables();
    closeValues();
  };
}
