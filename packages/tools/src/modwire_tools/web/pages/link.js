// The link to the server: REST requests, and a WebSocket for changes.

// The page may be below any path of another site.
const base = new URL("..", import.meta.url);

// The address of "/api" and the like.
export const address = (path) => base.pathname + path.slice(1);

// What the server has beyond what all have, such as "points"; filled before a view is opened.
export const features = new Set();

// Returns the answer to a request; throws an Error with the sentence of the server.
export async function request(method, path, body) {
  let response;
  try {
    response = await fetch(address(path), {
      method,
      headers: body === undefined ? {} : { "content-type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Error("the server does not answer");
  }
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  if (response.status === 401) location.reload();
  throw new Error(answer.error || `the server answered ${response.status}`);
}

export const unitPath = (device, unit) => `/api/devices/${device}/units/${unit}`;

const FIRST_PAUSE = 400; // milliseconds before the first reconnect; doubled up to the longest
const LONGEST_PAUSE = 4000;
const LONGEST_SILENCE = 40000; // milliseconds; the server sends something every 15 seconds

const parts = new Map();
const watchers = new Set();
let socket = null;
let pause = FIRST_PAUSE;
let isSending = false;
let nextKey = 1;
let state = "connecting";
let received = 0; // time of the latest message

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

// Shows a part, until the returned function is called. `told` gets its current state, and for lists
// the indexes of the changed items (null: all). For trends and traffic, `added` gets the new items,
// after `reset` if the link is new. `failed` gets a sentence.
export function show(given, { told, added, reset, failed }) {
  const key = String(nextKey++);
  parts.set(key, { given, told, added, reset, failed, now: undefined });
  send();
  return () => {
    if (parts.delete(key)) send();
  };
}

// All changes of one turn of the event loop are sent together.
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
  const opened = new WebSocket(`${base.protocol === "https:" ? "wss" : "ws"}://${base.host}${address("/live")}`);
  socket = opened;
  received = performance.now();
  opened.onopen = () => {
    pause = FIRST_PAUSE;
    setState("live");
    for (const part of parts.values()) part.reset?.();
    send();
  };
  opened.onmessage = (message) => {
    received = performance.now();
    hear(message);
  };
  opened.onclose = () => {
    setState("lost");
    setTimeout(reconnect, pause);
    pause = Math.min(pause * 2, LONGEST_PAUSE);
  };
}

// Reconnect if the link is dead but not closed, for example after standby.
setInterval(() => {
  if (socket?.readyState === WebSocket.OPEN && performance.now() > received + LONGEST_SILENCE) socket.close();
}, 5000);

// A restarted server may need another token: reload, for the page that asks for it.
async function reconnect() {
  const found = await fetch(address("/api"), { method: "GET" }).catch(() => null);
  if (found?.status === 401) location.reload();
  else connect();
}
