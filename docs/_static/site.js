// Regions that scroll sideways can be reached by the keyboard, and have a name for screen readers.
"use strict";

function nameScrollingRegions() {
  for (const region of document.querySelectorAll(".table-wrapper, div.highlight pre")) {
    if (region.scrollWidth > region.clientWidth) {
      region.tabIndex = 0;
      region.setAttribute("role", "group");
      region.setAttribute("aria-label", region.tagName === "PRE" ? "Code" : "Table");
    }
  }
}

document.addEventListener("DOMContentLoaded", nameScrollingRegions);
window.addEventListener("resize", nameScrollingRegions);
