// The formats of registers: for each, a function to show registers and one to read text.

const buffer = new DataView(new ArrayBuffer(4));

function whole(text, least, most) {
  const given = text.trim().replaceAll("_", "").replaceAll("\u202f", "");
  const isNegative = given.startsWith("-");
  const digits = isNegative ? given.slice(1) : given;
  const value = /^(0x[0-9a-f]+|0b[01]+|\d+)$/i.test(digits) ? Number(digits) : NaN;
  const signed = isNegative ? -value : value;
  if (!(signed >= least && signed <= most)) {
    throw new Error(`a value here must be ${least}..${most}, got ${text.trim() || "nothing"}`);
  }
  return signed;
}

function prefixed(prefix, digits, text, most) {
  const given = text.trim().replaceAll(" ", "").replaceAll("_", "");
  return whole(new RegExp(`^${digits}+$`, "i").test(given) ? prefix + given : given, 0, most);
}

function float(text) {
  const given = text.trim();
  const value = /^[+-]?(infinity|inf)$/i.test(given)
    ? (given.startsWith("-") ? -Infinity : Infinity)
    : /^nan$/i.test(given) ? NaN : Number(given === "" ? "x" : given);
  if (Number.isNaN(value) && !/^nan$/i.test(given)) {
    throw new Error(`a value here must be a number such as 1.5, got ${given || "nothing"}`);
  }
  return value;
}

const pair = (high, low) => high * 0x10000 + low;
const unpair = (value) => [Math.floor(value / 0x10000) % 0x10000, value % 0x10000];

export function toFloat(high, low) {
  buffer.setUint32(0, pair(high, low));
  return buffer.getFloat32(0);
}

function fromFloat(value) {
  buffer.setFloat32(0, value);
  return unpair(buffer.getUint32(0));
}

function showFloat(value) {
  if (!Number.isFinite(value)) return String(value).replace("Infinity", "\u221e");
  if (value === 0) return Object.is(value, -0) ? "-0" : "0";
  const short = Number(value.toPrecision(7));
  const isPlain = Math.abs(short) >= 1e-4 && Math.abs(short) < 1e9;
  return isPlain ? String(short) : short.toExponential(4).replace("e+", "e");
}

const signed16 = (value) => (value > 0x7fff ? value - 0x10000 : value);
const signed32 = (value) => (value > 0x7fffffff ? value - 0x100000000 : value);
const hex = (value) => value.toString(16).toUpperCase().padStart(4, "0");
const binary = (value) => value.toString(2).padStart(16, "0").replace(/(.{4})(?=.)/g, "$1 ");

// `words` registers make one value: `show(registers)` is its text, `read(text)` the registers.
export const FORMATS = {
  decimal: { name: "decimal", words: 1, show: ([value]) => String(value), read: (text) => [whole(text, 0, 65535)] },
  signed: {
    name: "signed", words: 1, show: ([value]) => String(signed16(value)),
    read: (text) => [(whole(text, -32768, 32767) + 0x10000) % 0x10000],
  },
  hex: { name: "hex", words: 1, show: ([value]) => hex(value), read: (text) => [prefixed("0x", "[0-9a-f]", text, 65535)] },
  binary: {
    name: "binary", words: 1, isWide: true, show: ([value]) => binary(value),
    read: (text) => [prefixed("0b", "[01]", text, 65535)],
  },
  float32: {
    name: "float32", words: 2, show: ([high, low]) => showFloat(toFloat(high, low)),
    read: (text) => fromFloat(float(text)),
  },
  float32_swapped: {
    name: "float32, low word first", words: 2, show: ([low, high]) => showFloat(toFloat(high, low)),
    read: (text) => fromFloat(float(text)).reverse(),
  },
  uint32: {
    name: "uint32", words: 2, show: ([high, low]) => String(pair(high, low)),
    read: (text) => unpair(whole(text, 0, 0xffffffff)),
  },
  int32: {
    name: "int32", words: 2, show: ([high, low]) => String(signed32(pair(high, low))),
    read: (text) => unpair((whole(text, -0x80000000, 0x7fffffff) + 0x100000000) % 0x100000000),
  },
};

// One register in all formats, and as a float with the next one.
export function describe(value, next) {
  const characters = [value >> 8, value & 0xff]
    .map((code) => (code >= 0x20 && code < 0x7f ? String.fromCharCode(code) : "\u00b7")).join("");
  const found = [
    ["decimal", String(value)], ["signed", String(signed16(value))],
    ["hex", hex(value)], ["binary", binary(value)], ["text", characters],
  ];
  if (next !== null && next !== undefined) found.push(["float32", FORMATS.float32.show([value, next])]);
  return found;
}

export const TABLES = {
  coils: { name: "Coils", one: "coil", isBits: true, reference: 1 },
  discrete_inputs: { name: "Discrete inputs", one: "discrete input", isBits: true, reference: 10001 },
  input_registers: { name: "Input registers", one: "input register", isBits: false, reference: 30001 },
  holding_registers: { name: "Holding registers", one: "holding register", isBits: false, reference: 40001 },
};

// The notation of manuals: 40001 for holding register 0; six digits if five are too few.
export function reference(table, address) {
  const first = TABLES[table].reference;
  if (address < 9999) return String(first + address).padStart(5, "0");
  return `${Math.floor(first / 10000)}${String(address + 1).padStart(5, "0")}`;
}
