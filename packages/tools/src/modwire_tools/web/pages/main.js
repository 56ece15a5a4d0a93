// The page: the view that the address names, the list of devices, and the state of the link.

import { setText } from "./dom.js";
import { connect, features, show, watchLink } from "./link.js";
import { openClients } from "./clients.js";
import { openDevice } from "./device.js";
import { openDevices } from "./devices.js";
import { openTraffic } from "./traffic.js";

const main = document.getElementById("main");
let close = () => {};
let openKey = "";
const isNarrow = matchMedia("(max-width: 60rem)");

const devices = openDevices(document.getElementById("side"), (first) => {
  // A wide screen shows the list anyway, and the first device beside it.
  if (location.hash === "#/devices" && !isNarrow.matches) location.replace(first);
});

function decoded(parts) {
  try {
    return parts.map(decodeURIComponent);
  } catch {
    return []; // a % that begins no escape
  }
}

function route() {
  const [path, query] = location.hash.replace(/^#/, "").split("?");
  const parts = decoded(path.split("/").filter((part) => part !== ""));
  const [view] = parts;
  const known = ["devices", "device", ...(features.has("clients") ? ["traffic", "clients"] : [])];
  if (!known.includes(view) || (view !== "device" && parts.length > 1)) {
    location.replace("#/devices");
    return;
  }
  document.body.dataset.view = view;
  for (const link of document.querySelectorAll("#views a")) {
    const isHere = link.dataset.view === view || (view === "device" && link.dataset.view === "devices");
    if (isHere) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const wanted = new URLSearchParams(query);
  // Another tab of the same device: the head of the view stays.
  const key = view === "device" ? parts.slice(0, 4).join("/") : location.hash;
  if (view === "device" && key === openKey) {
    close.turnTo(parts.slice(4), wanted);
    devices.mark(Number(parts[1]));
    return;
  }
  openKey = key;
  close();
  main.replaceChildren();
  window.scrollTo(0, 0);
  if (view === "traffic") close = openTraffic(main, wanted);
  else if (view === "clients") close = openClients(main);
  else if (view === "device") close = openDevice(main, Number(parts[1]), Number(parts[3]), parts.slice(4), wanted);
  else {
    close = () => {};
    devices.home();
  }
  devices.mark(view === "device" ? Number(parts[1]) : null);
  lead();
}

const isListAlone = () => document.body.dataset.view === "devices" && isNarrow.matches;
const lead = () => devices.lead(isListAlone());

watchLink((state) => {
  const element = document.getElementById("link-state");
  setText(element, state);
  element.dataset.state = state;
  document.getElementById("lost").hidden = state !== "lost";
  document.body.classList.toggle("is-lost", state === "lost");
});

let isStarted = false;

show({ kind: "overview" }, {
  told: ({ title, problems, features: now }) => {
    if (isStarted && now.join() !== [...features].join()) location.reload(); // another server
    for (const feature of now) features.add(feature);
    for (const link of document.querySelectorAll("[data-feature]")) link.hidden = !features.has(link.dataset.feature);
    const pill = document.getElementById("problems");
    setText(pill, problems > 0 ? `${problems} not served` : "");
    setText(document.getElementById("title"), title);
    document.title = `${title} \u2013 modwire`;
    if (!isStarted) {
      isStarted = true;
      route();
    }
  },
});

document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault(); // its #main is no view
  (isListAlone() ? document.getElementById("side") : main).focus();
});
window.addEventListener("hashchange", () => { if (isStarted) route(); });
isNarrow.addEventListener("change", () => {
  lead();
  if (location.hash === "#/devices") devices.home();
});
connect();
