import { isObject } from "../../is-object.ts"
import { shellWord } from "../../text.ts"
import type { Json } from "./describe.ts"
import { htmlPage } from "./html-page.ts"

const ESCAPES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" }
const escape = (text: unknown): string => String(text).replace(/[&<>"]/g, (one) => ESCAPES[one] ?? one)

/** Text with code in backticks, as HTML. */
const prose = (text: unknown): string => escape(text).replace(/`([^`]+)`/g, "<code>$1</code>")

const object = (value: unknown): Json => (isObject(value) ? value : {})
const list = (value: unknown): Json[] => (Array.isArray(value) ? value.filter(isObject) : [])

/** The bounds of a number as text, if they are useful to the reader. */
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
    return `<a href="schemas#schema-${escape(name)}">${escape(name)}</a>`
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

/**
 * The server of the examples: the default address. It is replaced when a page is sent to a reader who used
 * another address.
 */
const EXAMPLE_SERVER = "http://localhost:8080"
const SAMPLES: Readonly<Record<string, string>> = {
  id: "7",
  song_id: "7",
  worker: "box-1",
  kind: "song",
  renderer: "ffmpeg",
}

/** The curl command for such a request; empty if curl cannot send it. */
function curlOf(method: string, path: string, { requestBody, parameters, responses }: Json): string {
  if (object(responses)["101"] !== undefined || !path.startsWith("/")) return ""
  const [[type, content] = ["", {}]] = Object.entries(object(object(requestBody)["content"]))
  const { example } = object(content)
  const isStream = path === "/" || "text/event-stream" in object(object(object(responses)["200"])["content"])
  // A claim gets a lease; only a worker that lost one sends it there.
  const isLeased = path.includes("{id}") && list(parameters).some(({ name }) => name === "Lease")
  const url = EXAMPLE_SERVER + path.replace(/\{(\w+)\}/g, (_all, name: string) => SAMPLES[name] ?? name)
  // Unlike --data-binary, -T sends what comes at once.
  const data = type === "text/plain" ? "-T -" : ""
  return [
    `curl ${isStream ? "-N " : ""}${method === "get" ? "" : `-X ${method.toUpperCase()} `}${url}`,
    ...(isLeased ? ["-H 'Lease: TOKEN'"] : []),
    ...(example === undefined
      ? []
      : ["-H 'Content-Type: application/json'", `-d ${shellWord(JSON.stringify(example))}`]),
    ...(data === "" ? [] : [data]),
  ].join(" \\\n  ")
}

/** An example of the request, if there is one. */
function exampleOf(method: string, path: string, given: Json): string {
  const curl = curlOf(method, path, given)
  return curl === "" ? "" : `<h3>Example</h3><pre tabindex="0">${escape(curl)}</pre>`
}

function operation(method: string, path: string, given: Json): string {
  const { operationId, summary, description, requestBody, responses } = given
  const id = escape(operationId)
  const parameters = list(given["parameters"]).map((one) =>
    row(escape(one["name"]), `${escape(one["in"])}, ${type(object(one["schema"]))}`, one["description"]),
  )
  const all = Object.entries(object(responses)).filter(([status]) => status !== "default")
  const answers = (isRefusal: boolean): string =>
    all
      .filter(([status]) => status >= "400" === isRefusal)
      .map(([status, one]) => {
        const { description: about, content } = object(one)
        return `<dt>${escape(status)}</dt><dd>${prose(about)}${isRefusal ? "" : contents(content)}</dd>`
      })
      .join("")
  const refusals = all.map(([status]) => status).filter((status) => status >= "400")
  return `<article id="${id}">
<h2><span class="method ${method}">${method.toUpperCase()}</span> <code>${escape(path)}</code></h2>
<p><strong>${prose(summary)}.</strong> ${description === undefined ? "" : prose(description)}</p>
${exampleOf(method, path, given)}
${parameters.length > 0 ? `<h3>Parameters</h3><table><tbody>${parameters.join("")}</tbody></table>` : ""}
${isObject(requestBody) ? `<h3>Body</h3>${requestBody["description"] === undefined ? "" : `<p>${prose(requestBody["description"])}</p>`}${contents(requestBody["content"])}` : ""}
<h3>Answers</h3><dl>${answers(false)}</dl>
<details><summary>Refusals: ${refusals.map(escape).join(", ")}</summary><dl>${answers(true)}</dl></details>
</article>`
}

/** The requests that the server itself sends, in the form of routes. */
const ownRequests = (webhooks: unknown): Json =>
  Object.fromEntries(Object.entries(object(webhooks)).map(([, methods]) => ["your --webhook URL", methods]))

/** One operation of the document, with its method and path. */
interface Operation {
  readonly method: string
  readonly path: string
  readonly given: Json
}

/** The operations of one tag, as a page. */
interface Group {
  /** Its heading. */
  readonly name: string
  /** The last part of its address. */
  readonly page: string
  readonly about: unknown
  readonly operations: readonly Operation[]
}

function groupsOf({ tags, paths, webhooks }: Json): Group[] {
  const all = Object.entries({ ...object(paths), ...ownRequests(webhooks) }).flatMap(([path, methods]) =>
    Object.entries(object(methods)).map(([method, one]) => ({ method, path, given: object(one) })),
  )
  return list(tags).map(({ name, description: about }) => ({
    name: escape(name),
    page: escape(name).toLowerCase(),
    about,
    operations: all.filter(({ given }) => Array.isArray(given["tags"]) && given["tags"].includes(name)),
  }))
}

/** A script by which the examples of a page use the address at which the browser has found the server. */
const addressed = (top: string): string =>
  `<script src="${top}docs/address.js" data-server="${EXAMPLE_SERVER}"></script>`

/** The page that leads to all others. */
function start(document: Json, groups: readonly Group[]): string {
  const { title, version, description } = object(document["info"])
  const routes = ({ page, operations }: Group): string =>
    operations
      .map(
        ({ method, path, given }) =>
          `<li><a href="docs/${page}#${escape(given["operationId"])}">${prose(given["summary"])}</a> <code>${method.toUpperCase()} ${escape(path)}</code></li>`,
      )
      .join("")
  const sections = groups.map(
    (group) =>
      `<section><h2><a href="docs/${group.page}">${group.name}</a></h2><p>${prose(group.about)}</p><ul class="routes">${routes(group)}</ul></section>`,
  )
  const add = curlOf(
    "post",
    "/api/v1/queue",
    object(object(object(document["paths"])["/api/v1/queue"])["post"]),
  )
  const header = `<nav aria-label="Breadcrumb"><a href="./">Render queue</a></nav>
<h1>${escape(title)} <small>${escape(version)}</small></h1>
<p>${prose(description)} Machine-readable: <a href="openapi.json">openapi.json</a>. A client for browsers, Node and Bun: <a href="client.js">client.js</a>, with its types in <a href="client.d.ts">client.d.ts</a>.</p>
<p>Add a song, and watch it:</p>
<pre tabindex="0">${escape(`${add}\n\ncurl -N ${EXAMPLE_SERVER}/api/v1/progress/stream`)}</pre>`
  const all = `${sections.join("\n")}<section><h2><a href="docs/schemas">Schemas</a></h2><p>What bodies and answers are made of.</p></section>`
  return htmlPage({ title: `${escape(title)}: API`, top: "", header, main: all + addressed("") })
}

/** A page of operations, or of schemas. */
function page(
  title: string,
  groups: readonly Group[],
  own: string,
  about: string,
  articles: string,
  entries: string,
): string {
  const links = [...groups, { name: "Schemas", page: "schemas" }].map(
    ({ name, page: to }) =>
      `<li><a href="${to}"${to === own ? ' aria-current="page"' : ""}>${name}</a>${to === own ? `<ul>${entries}</ul>` : ""}</li>`,
  )
  const header = `<nav aria-label="Breadcrumb"><a href="../">Render queue</a> <a href="../docs">API reference</a></nav>
<h1>${title}</h1><p>${about}</p>`
  const nav = `<nav class="pages" aria-label="Reference"><ul>${links.join("")}</ul></nav>`
  return htmlPage({ title: `${title}: API`, top: "../", header, nav, main: articles + addressed("../") })
}

const entry = (id: string, text: string): string => `<li><a href="#${id}">${text}</a></li>`

/**
 * The reference of an OpenAPI document, one page per group: plain HTML without files from other servers and
 * without needing a script. The page with the key "" links to the others.
 */
export function reference(document: Json): ReadonlyMap<string, string> {
  const groups = groupsOf(document)
  const pages = groups.map(({ name, page: own, about, operations }): [string, string] => {
    const articles = operations.map(({ method, path, given }) => operation(method, path, given)).join("\n")
    const entries = operations.map(({ given }) =>
      entry(escape(given["operationId"]), prose(given["summary"])),
    )
    return [own, page(name, groups, own, prose(about), articles, entries.join(""))]
  })
  const schemas = Object.entries(object(object(document["components"])["schemas"]))
  const articles = schemas.map(
    ([name, schema]) =>
      `<article id="schema-${escape(name)}"><h2>${escape(name)}</h2>${shape(object(schema))}</article>`,
  )
  const entries = schemas.map(([name]) => entry(`schema-${escape(name)}`, escape(name)))
  const about = "What bodies and answers are made of."
  const last = page("Schemas", groups, "schemas", about, articles.join("\n"), entries.join(""))
  return new Map([["", start(document, groups)], ...pages, ["schemas", last]])
}

/** A page of the reference whose examples use this address of the server. */
export const pageFor = (page: string, address: string): string =>
  page.replaceAll(EXAMPLE_SERVER, escape(address))
