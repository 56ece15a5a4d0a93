// Editing in place: an input appears over a cell, which keeps its size, so that nothing moves.
// Enter saves, Esc cancels, an error appears below.

import { h } from "./dom.js";

// `save(text)` may throw or reject with an error to show. `done(isSaved)` restores the content of
// the cell.
export function edit(cell, { text, label, save, done }) {
  if (cell.classList.contains("editing")) return;
  let isOver = false;
  const problem = h("span", { class: "edit-problem", role: "alert" });
  const input = h("input", {
    class: "edit", type: "text", value: text, "aria-label": label, spellcheck: "false", autocomplete: "off",
  });
  // Towards the side on which there is room.
  const isRight = cell.offsetLeft > (cell.offsetParent?.clientWidth ?? 0) / 2;
  const editor = h("div", { class: "editor", data: { side: isRight ? "right" : "left" } }, input, problem);
  const finish = (isSaved) => {
    if (isOver) return;
    isOver = true;
    const hadFocus = cell.contains(document.activeElement);
    cell.classList.remove("editing");
    cell.replaceChildren();
    done(isSaved);
    if (hadFocus) (cell.tabIndex >= 0 || cell.hasAttribute("tabindex") ? cell : cell.querySelector("button"))?.focus();
  };
  input.addEventListener("keydown", async (event) => {
    event.stopPropagation();
    if (event.key === "Escape") finish(false);
    if (event.key !== "Enter") return;
    event.preventDefault();
    try {
      input.readOnly = true;
      await save(input.value);
      finish(true);
    } catch (error) {
      problem.textContent = error.message;
      input.setAttribute("aria-invalid", "true");
      input.readOnly = false;
      input.select();
    }
  });
  input.addEventListener("input", () => {
    problem.textContent = "";
    input.removeAttribute("aria-invalid");
  });
  input.addEventListener("click", (event) => event.stopPropagation());
  // Without Enter, nothing is written.
  input.addEventListener("blur", () => setTimeout(() => {
    if (!input.readOnly && document.activeElement !== input) finish(false);
  }, 0));
  cell.classList.add("editing");
  cell.append(editor);
  input.focus();
  input.select();
}
