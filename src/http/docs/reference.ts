import type { Json } from "./describe.ts"

const ESCAPES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" }
const escape = (text: unknown): string => String(text).replace(/[&<>"]/g, (one) => ESCAPES[one] ?? one)

/** Text with code in backticks, as HTML. */
const prose = (text: unknown): string => escape(text).replace(/`([^`]+)`/g, "<code>$1</code>")

const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null
const object = (value: unknown): Json => (isObject(value) ? value : {})
const list = (value: unknown): Json[] => (Array.isArray(value) ? value.filter(isObject) : [])

/** The bounds of a number, if they are worth showing. */
function bounds({ minimum, maximum }: Json): string {
  const [from, to] = [minimum, maximum].map((one) => (one === undefined ? undefined : escape(one)))
  if (to !== undefined && Number(maximum) < Number.MAX_SAFE_INTEGER) return ` ${from ?? "up"} to ${to}`
  return from === undefined ? "" : ` from ${from}`
}

/** A schema as one line of HTML. */
function type(schema: Json): string {
  const { $ref, anyOf, const: only, enum: some, items, properties } = schema
  if (typeof $ref === "string") {
    const name = $ref.split("/").at(-1)
    return `<a href="#schema-${escape(name)}">${escape(name)}</a>`
  }
  if (only !== undefined) return escape(JSON.stringify(only))
  if (Array.isArray(some)) return some.map((one) => escape(JSON.stringify(one))).join(" | ")
  if (Array.isArray(anyOf)) return list(anyOf).map(type).join(" | ")
  if (isObject(items)) return `${type(items)}[]`
  if (isObject(properties)) {
    const required = Array.isArray(schema["required"]) ? schema["required"] : []
    const all = Object.entries(properties).map(
      ([name, one]) => `${escape(name)}${required.includes(name) ? "" : "?"}: ${type(object(one))}`,
    )
    return `{ ${all.join(", ")} }`
  }
  return `${escape(schema["type"] ?? "anything")}${bounds(schema)}`
}

const row = (name: string, what: string, about: unknown): string =>
  `<tr><th scope="row"><code>${name}</code></th><td><code>${what}</code></td><td>${about === undefined ? "" : prose(about)}</td></tr>`

/** A schema as a table of its properties, or as its one line. */
function shape(schema: Json): string {
  const { properties, anyOf } = schema
  if (Array.isArray(anyOf)) {
    const all = list(anyOf).map(
      (one) => `<li>${one["title"] ? `${prose(one["title"])}: ` : ""}<code>${type(one)}</code></li>`,
    )
    return `<ul>${all.join("")}</ul>`
  }
  if (!isObject(properties)) return `<p><code>${type(schema)}</code></p>`
  const required = Array.isArray(schema["required"]) ? schema["required"] : []
  const rows = Object.entries(properties).map(([name, one]) =>
    row(escape(name) + (required.includes(name) ? "" : "?"), type(object(one)), object(one)["description"]),
  )
  return `<table><tbody>${rows.join("")}</tbody></table>`
}

/** The schemas of a body, by content type. */
function contents(content: unknown): string {
  return Object.entries(object(content))
    .map(([name, one]) => {
      const { schema, "x-wire": wire } = object(one)
      const shown = wire === undefined ? "" : `<pre tabindex="0">${escape(wire)}</pre>`
      return `<p><code>${escape(name)}</code>: <code>${type(object(schema))}</code></p>${shown}`
    })
    .join("")
}

function operation(method: string, path: string, given: Json): string {
  const { operationId, summary, description, requestBody, responses } = given
  const id = escape(operationId)
  const parameters = list(given["parameters"]).map((one) =>
    row(escape(one["name"]), `${escape(one["in"])}, ${type(object(one["schema"]))}`, one["description"]),
  )
  const answers = Object.entries(object(responses)).flatMap(([status, one]) => {
    if (status === "default") return []
    const { description: about, content } = object(one)
    return `<dt>${escape(status)}</dt><dd>${prose(about)}${status < "300" ? contents(content) : ""}</dd>`
  })
  return `<article id="${id}">
<h3><span class="method ${method}">${method.toUpperCase()}</span> <code>${escape(path)}</code></h3>
<p><strong>${prose(summary)}.</strong> ${description === undefined ? "" : prose(description)}</p>
${parameters.length > 0 ? `<h4>Parameters</h4><table><tbody>${parameters.join("")}</tbody></table>` : ""}
${isObject(requestBody) ? `<h4>Body</h4>${requestBody["description"] === undefined ? "" : `<p>${prose(requestBody["description"])}</p>`}${contents(requestBody["content"])}` : ""}
<h4>Answers</h4><dl>${answers.join("")}</dl>
</article>`
}

/** The requests that the server sends, shown like routes. */
const sent = (webhooks: unknown): Json =>
  Object.fromEntries(Object.entries(object(webhooks)).map(([, methods]) => ["your --webhook URL", methods]))

/** One operation of the document, with its place. */
interface Operation {
  readonly method: string
  readonly path: string
  readonly given: Json
}

/** The operations of one tag, as a section of the page. */
interface Group {
  readonly name: string
  readonly about: unknown
  readonly operations: readonly Operation[]
}

function groupsOf({ tags, paths, webhooks }: Json): Group[] {
  const all = Object.entries({ ...object(paths), ...sent(webhooks) }).flatMap(([path, methods]) =>
    Object.entries(object(methods)).map(([method, one]) => ({ method, path, given: object(one) })),
  )
  return list(tags).map(({ name, description: about }) => ({
    name: escape(name),
    about,
    operations: all.filter(({ given }) => Array.isArray(given["tags"]) && given["tags"].includes(name)),
  }))
}

function indexEntry({ name, operations }: Group): string {
  const links = operations.map(
    ({ given }) => `<li><a href="#${escape(given["operationId"])}">${prose(given["summary"])}</a></li>`,
  )
  return `<li><a href="#${name}">${name}</a><ul>${links.join("")}</ul></li>`
}

function section({ name, about, operations }: Group): string {
  const articles = operations.map(({ method, path, given }) => operation(method, path, given))
  return `<section id="${name}"><h2>${name}</h2><p>${prose(about)}</p>${articles.join("\n")}</section>`
}

const schemaArticle = ([name, schema]: [string, unknown]): string =>
  `<article id="schema-${escape(name)}"><h3>${escape(name)}</h3>${shape(object(schema))}</article>`

/**
 * The reference page of an OpenAPI document: plain HTML without scripts and without files from other servers.
 */
export function reference(document: Json): string {
  const { title, version, description } = object(document["info"])
  const groups = groupsOf(document)
  const schemas = Object.entries(object(object(document["components"])["schemas"]))
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)}: API</title>
<link rel="stylesheet" href="docs/style.css">
</head>
<body>
<header><h1>${escape(title)} <small>${escape(version)}</small></h1>
<p>${prose(description)} Machine-readable: <a href="openapi.json">openapi.json</a>.</p></header>
<nav aria-label="Routes"><ul>${groups.map(indexEntry).join("")}<li><a href="#schemas">Schemas</a></li></ul></nav>
<main>
${groups.map(section).join("\n")}
<section id="schemas"><h2>Schemas</h2>
${schemas.map(schemaArticle).join("\n")}
</section>
</main>
</body>
</html>
`
}
