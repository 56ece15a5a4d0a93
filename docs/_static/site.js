// Names and roles for screen readers and keyboards that the theme's pages lack.
"use strict";

// Regions that scroll sideways can be reached by the keyboard.
function nameScrollingRegions() {
  for (const region of document.querySelectorAll(".table-wrapper, div.highlight pre")) {
    if (region.scrollWidth > region.clientWidth) {
      region.tabIndex = 0;
      region.setAttribute("role", "group");
      region.setAttribute("aria-label", region.tagName === "PRE" ? "Code" : "Table");
    }
  }
}

function nameParts() {
  document.querySelector(".sidebar-drawer")?.setAttribute("aria-label", "Site");
  document.querySelector(".toc-drawer")?.setAttribute("aria-label", "On this page");
  const results = document.querySelector("#search-results");
  if (results && !document.querySelector("h1")) {
    const heading = document.createElement("h1");
    heading.textContent = "Search";
    results.before(heading);
  }
  // The arguments of a long signature are a list, one on each line, not terms with definitions.
  for (const arguments_ of document.querySelectorAll("dt.sig > dl")) {
    const list = document.createElement("ul");
    list.className = "arguments";
    for (const each of [...arguments_.children]) {
      const item = document.createElement("li");
      item.append(...each.childNodes);
      list.append(item);
    }
    arguments_.replaceWith(list);
  }
}

document.addEventListener("DOMContentLoaded", () => {
  nameParts();
  nameScrollingRegions();
});
window.addEventListener("resize", nameScrollingRegions);
