// The link to the simulator: REST requests, and a WebSocket that tells what has changed.

// The answer to a request; throws an Error whose message is the sentence of the server.
export async function request(method, path, body) {
  let response;
  try {
    response = await fetch(path, {
      method,
      headers: body === undefined ? {} : { "content-type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Error("the simulator does not answer");
  }
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  if (response.status === 401) location.reload();
  throw new Error(answer.error || `the simulator answered ${response.status}`);
}

export const unitPath = (device, unit) => `/api/devices/${device}/units/${unit}`;

const FIRST_PAUSE = 400; // milliseconds before the link is tried again; doubled up to the longest
const LONGEST_PAUSE = 4000;
const LONGEST_SILENCE = 40000; // milliseconds; the simulator tells something every 15 seconds

const parts = new Map();
const watchers = new Set();
let socket = null;
let pause = FIRST_PAUSE;
let isSending = false;
let nextKey = 1;
let state = "connecting";
let heard = 0; // when something came last

// Calls back with "connecting", "live" or "lost", now and whenever it changes.
export function watchLink(callback) {
  watchers.add(callback);
  callback(state);
}

function setState(now) {
  if (now === state) return;
  state = now;
  for (const callback of watchers) callback(now);
}

// Shows a part until the function that is given back is called. `told` gets what it is by now:
// for lists, and which of their items changed (null: all). `added` gets what was added, for trends
// and traffic, after `reset` when the link is new. `failed` gets a sentence.
export function show(given, { told, added, reset, failed }) {
  const key = String(nextKey++);
  parts.set(key, { given, told, added, reset, failed, now: undefined });
  send();
  return () => {
    if (parts.delete(key)) send();
  };
}

// All that changes in one go is sent once.
function send() {
  if (isSending) return;
  isSending = true;
  queueMicrotask(() => {
    isSending = false;
    if (socket?.readyState !== WebSocket.OPEN) return;
    const wanted = Object.fromEntries([...parts].map(([key, part]) => [key, part.given]));
    socket.send(JSON.stringify({ show: wanted }));
  });
}

function hear(message) {
  const { push, changes } = JSON.parse(message.data);
  try {
    for (const [key, change] of Object.entries(changes)) {
      const part = parts.get(key);
      if (part !== undefined) apply(part, change);
    }
  } finally {
    socket.send(JSON.stringify({ seen: push }));
  }
}

function apply(part, change) {
  if ("error" in change) part.failed?.(change.error);
  else if ("add" in change) part.added(change.add);
  else if ("all" in change) {
    part.now = change.all;
    part.told(part.now, null);
  } else {
    const indexes = Object.keys(change.set).map(Number);
    for (const index of indexes) part.now[index] = change.set[index];
    part.told(part.now, indexes);
  }
}

export function connect() {
  const opened = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/live`);
  socket = opened;
  heard = performance.now();
  opened.onopen = () => {
    pause = FIRST_PAUSE;
    setState("live");
    for (const part of parts.values()) part.reset?.();
    send();
  };
  opened.onmessage = (message) => {
    heard = performance.now();
    hear(message);
  };
  opened.onclose = () => {
    setState("lost");
    setTimeout(reconnect, pause);
    pause = Math.min(pause * 2, LONGEST_PAUSE);
  };
}

// A link that is dead without being closed, as after a sleep, is opened anew.
setInterval(() => {
  if (socket?.readyState === WebSocket.OPEN && performance.now() > heard + LONGEST_SILENCE) socket.close();
}, 5000);

// A simulator that was started anew may want a token: the page that asks for it is loaded then.
async function reconnect() {
  const found = await fetch("/api", { method: "GET" }).catch(() => null);
  if (found?.status === 401) location.reload();
  else connect();
}
