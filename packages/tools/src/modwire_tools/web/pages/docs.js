// Shows the OpenAPI description of the server; its operations can be tried.

import { h, setText } from "./dom.js";
import { address } from "./link.js";

const main = document.getElementById("main");

// A schema as a sketch in JSON, with the descriptions.
function sketch(schema, all, depth = 0) {
  const pad = "  ".repeat(depth);
  if (schema.$ref) return sketch(all[schema.$ref.split("/").at(-1)], all, depth);
  if (schema.anyOf) return schema.anyOf.map((each) => sketch(each, all, depth)).join(" or ");
  const note = [schema.description, schema.enum && schema.enum.join(" | "),
    schema.minimum !== undefined && `${schema.minimum}..${schema.maximum ?? ""}`].filter(Boolean).join(", ");
  if (schema.type === "array") {
    const items = schema.prefixItems
      ? schema.prefixItems.map((each) => sketch(each, all, depth)).join(", ")
      : `${sketch(schema.items ?? {}, all, depth)}, \u2026`;
    return `[${items}]${note ? `   ${note}` : ""}`;
  }
  if (schema.type === "object" && schema.properties) {
    const lines = Object.entries(schema.properties).map(([key, each]) => `${pad}  ${key}: ${sketch(each, all, depth + 1)}`);
    return `{\n${lines.join("\n")}\n${pad}}`;
  }
  const type = schema.type ?? (schema.enum ? "string" : "any");
  return note ? `${type}   ${note}` : type;
}

function operation(path, method, described, shared, all) {
  const parameters = [...shared, ...described.parameters];
  const inputs = new Map(parameters.map((parameter) => {
    const { schema } = parameter;
    const id = `${described.operationId}-${parameter.name}`;
    const input = schema.enum
      ? h("select", { id }, [...(parameter.required ? [] : [""]), ...schema.enum].map((value) => h("option", { value }, value)))
      : h("input", { id, type: "text", spellcheck: "false", placeholder: String(schema.default ?? ""), value: parameter.required && schema.type === "integer" ? String(parameter.name === "unit" ? 1 : schema.minimum ?? 0) : "" });
    return [parameter, input];
  }));
  const content = described.requestBody?.content["application/json"];
  const body = content ? h("textarea", { "aria-label": "Body", spellcheck: "false", value: JSON.stringify(content.example, null, 2) }) : null;
  const answer = h("div", { class: "answer", "aria-live": "polite" });
  const result = described.responses["200"].content["application/json"].schema;

  async function send(event) {
    event.preventDefault();
    let filled = path;
    const query = new URLSearchParams();
    for (const [parameter, input] of inputs) {
      const value = input.value.trim();
      if (parameter.in === "path") filled = filled.replace(`{${parameter.name}}`, value.split("/").map(encodeURIComponent).join("/"));
      else if (value !== "") query.set(parameter.name, value);
    }
    const url = address(filled) + (String(query) ? `?${query}` : "");
    const status = h("p", { class: "status" });
    const text = h("pre", { tabindex: "0", "aria-label": "Body of the answer" });
    answer.replaceChildren(h("p", { class: "mono muted" }, `${method.toUpperCase()} ${url}`), status, text);
    try {
      const response = await fetch(url, {
        method: method.toUpperCase(),
        headers: body ? { "content-type": "application/json" } : {},
        body: body ? body.value : undefined,
      });
      status.dataset.ok = String(response.ok);
      setText(status, String(response.status));
      const given = await response.text();
      let shown = given;
      try {
        shown = JSON.stringify(JSON.parse(given), null, 2);
      } catch {
        // Not JSON: shown as it is.
      }
      setText(text, shown);
    } catch {
      status.dataset.ok = "false";
      setText(status, "the server does not answer");
      text.remove();
    }
  }

  return h("details", { class: "panel operation", id: described.operationId },
    h("summary", {}, h("span", { class: "method", data: { method } }, method.toUpperCase()), h("span", { class: "path" }, path), h("span", { class: "muted" }, described.summary)),
    h("form", { onsubmit: send },
      h("div"),
      [...inputs].map(([parameter, input]) => h("div", { class: "parameter" }, h("label", { for: input.id }, parameter.name), input, h("span", { class: "muted" }, parameter.schema.description ?? ""))),
      body,
      content ? h("details", { class: "shapes" }, h("summary", {}, "Body"), h("pre", { class: "shape", tabindex: "0" }, sketch(content.schema, all))) : null,
      h("details", { class: "shapes" }, h("summary", {}, "Answer"), h("pre", { class: "shape", tabindex: "0" }, sketch(result, all))),
      h("div", {}, h("button", { type: "submit", class: "main" }, "Send")), answer));
}

async function open() {
  const response = await fetch(address("/api/openapi.json"));
  if (response.status === 401) {
    location.reload();
    return;
  }
  const described = await response.json();
  setText(document.getElementById("title"), `${described.info.title} ${described.info.version}`);
  for (const link of document.querySelectorAll("[data-feature]")) link.hidden = !("/api/traffic" in described.paths);
  const all = described.components.schemas;
  const groups = new Map();
  for (const [path, methods] of Object.entries(described.paths)) {
    const { parameters = [], ...operations } = methods;
    for (const [method, each] of Object.entries(operations)) {
      const [tag] = each.tags;
      if (!groups.has(tag)) groups.set(tag, []);
      groups.get(tag).push(operation(path, method, each, parameters, all));
    }
  }
  main.append(h("h1", {}, "REST interface"),
    h("p", { class: "muted" }, `${described.info.description} `, h("a", { href: address("/api/openapi.json") }, "OpenAPI 3.1 document")),
    ...[...groups].flatMap(([tag, operations]) => [h("h2", {}, tag), ...operations]));
}

open().catch(() => main.append(h("p", { class: "empty" }, "The server does not answer.")));
