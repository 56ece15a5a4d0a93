// Makes elements, and formats times and numbers.

// h("td", {class: "value", onclick: f}, "text", child); false and null are left out.
export function h(name, properties = {}, ...children) {
  return fill(document.createElement(name), properties, children);
}

// The same for SVG elements.
export function svg(name, properties = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), properties, children);
}

function fill(element, properties, children) {
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "data") Object.assign(element.dataset, value);
    else if (key === "value") element.value = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  for (const child of children.flat()) {
    if (child !== null && child !== undefined && child !== false) element.append(child);
  }
  return element;
}

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const marked = new Map();

// Marks an element for a second, because its value has changed.
export function mark(element) {
  element.classList.add("changed");
  clearTimeout(marked.get(element));
  marked.set(element, setTimeout(() => {
    element.classList.remove("changed");
    marked.delete(element);
  }, 1000));
}

// A row of buttons, one of which is pressed.
export function choices(label, options, chosen, choose) {
  return h("div", { class: "choices", role: "group", "aria-label": label },
    options.map(([key, text]) => h("button", {
      type: "button", "aria-pressed": String(key === chosen), data: { choice: key },
      onclick: () => choose(key),
    }, text)));
}

export function select(label, options, chosen, choose, properties = {}) {
  const element = h("select", { "aria-label": label, onchange: () => choose(element.value), ...properties },
    options.map(([key, text]) => h("option", { value: key, selected: String(key) === String(chosen) }, text)));
  element.value = chosen;
  return element;
}

// A button that acts when it is pressed a second time, within some seconds.
export function confirmed(id, text, question, act) {
  let timer = null;
  const calm = () => {
    clearTimeout(timer);
    timer = null;
    setText(button, text);
    button.classList.remove("asks");
  };
  const button = h("button", {
    type: "button", id,
    onclick: () => {
      if (timer !== null) {
        calm();
        act();
        return;
      }
      setText(button, question);
      button.classList.add("asks");
      timer = setTimeout(calm, 5000);
    },
    onblur: calm,
  }, text);
  return button;
}

// Facts with their names: a list that is drawn anew only when its names change.
export function facts(properties = {}) {
  const list = h("dl", { class: "facts", ...properties });
  const values = new Map();
  return {
    list,
    update(now) {
      if (now.map(([name]) => name).join("\n") !== [...values.keys()].join("\n")) {
        values.clear();
        list.replaceChildren(...now.map(([name]) => {
          values.set(name, h("dd"));
          return h("div", {}, h("dt", {}, name), values.get(name));
        }));
      }
      for (const [name, text] of now) setText(values.get(name), text);
    },
  };
}

// A control with a small label above it.
export function labelled(label, control) {
  return h("label", { class: "labelled" }, h("span", {}, label), control);
}

const pad = (number, digits = 2) => String(number).padStart(digits, "0");

// 14:03:59, or 14:03:59.123 with milliseconds.
export function clock(seconds, milliseconds = false) {
  const date = new Date(seconds * 1000);
  const text = `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
  return milliseconds ? `${text}.${pad(date.getMilliseconds(), 3)}` : text;
}

// 12 s, 3 min 20 s, 5 h 12 min.
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor(whole / 60) % 60} min`;
}

export const count = (number) => Number(number).toLocaleString("en").replaceAll(",", "\u202f");

// The same in at most seven characters: 1.2M.
export const shortCount = (number) => (number < 1e6 ? count(number) : Number(number).toLocaleString("en", { notation: "compact", maximumFractionDigits: 1 }));

// A number with at most `digits` significant digits.
export function brief(value, digits = 7) {
  if (typeof value !== "number") return value === null || value === undefined ? "" : String(value);
  if (Number.isInteger(value)) return String(value);
  return String(Number(value.toPrecision(digits)));
}
