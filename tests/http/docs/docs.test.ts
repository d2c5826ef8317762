import { afterAll, expect, test } from "bun:test"

import { createConfig, lintFromString } from "@redocly/openapi-core"
import type { TSchema } from "@sinclair/typebox"
import { Value } from "@sinclair/typebox/value"

import { type AppParts, createApp } from "../../../src/http/app.ts"
import { BODIES, OPEN_STREAM } from "../../../src/http/docs/examples.ts"
import { unlisted, wordsOf } from "../../../src/http/docs/words.ts"
import { needOf } from "../../../src/http/needed-rights.ts"
import { QueueItem } from "../../../src/item/item.ts"
import { formats } from "../../../src/stream/sse-ndjson-text.ts"
import {
  BatchAnswer,
  Claimed,
  Counts,
  Dashboard,
  DeliveriesPage,
  FlagUpdated,
  HistoryPage,
  IngestAnswer,
  ItemDeleted,
  ItemsRetried,
  Me,
  NextItem,
  QueuePage,
  QueuePaused,
  QueueResumed,
  StreamLine,
  WorkerAnswer,
} from "../../../src/wire/answers.ts"
import { Health, Stats } from "../../../src/wire/health-and-stats.ts"
import { ErrorAnswer } from "../../../src/wire/refusals.ts"
import { start, textOf } from "../../server.ts"
import { UNPROTECTED } from "../unprotected.ts"

const server = await start()
afterAll(() => server[Symbol.asyncDispose]())

interface Operation {
  readonly operationId: string
  readonly parameters?: readonly { readonly name: string; readonly description?: string }[]
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, unknown>> }>>
}
interface OpenApi {
  readonly openapi: string
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: { readonly Error: { properties: { code: { enum: string[] } } } } }
}

const openApi = async (): Promise<OpenApi> => (await fetch(`${server.url}/openapi.json`)).json()

/** The parts of an app of which only the routes are needed. */
const about = { host: "127.0.0.1", corsOrigins: [], allowedHosts: [], version: "0", commit: "none" }
const parts: Partial<Record<keyof AppParts, unknown>> = { ...about, ...UNPROTECTED }
const { routes } = createApp(parts as AppParts)

test("the document is OpenAPI 3.1 and passes a strict public linter", async () => {
  const source = await (await fetch(`${server.url}/openapi.json`)).text()
  const config = await createConfig({ extends: ["recommended-strict"] })
  const problems = await lintFromString({ source, config })
  expect(problems.map(({ ruleId, message, location }) => [ruleId, message, location[0]?.pointer])).toEqual([])
  expect((await openApi()).openapi).toBe("3.1.0")
})

test("the reference shows the bytes of an open stream in each of its formats", () => {
  const types = formats.map(({ contentType }) => contentType.split(";")[0] ?? "")
  expect(Object.keys(OPEN_STREAM.content ?? {})).toEqual(types)
  expect(Object.values(OPEN_STREAM.content ?? {}).every(({ wire = "" }) => wire !== "")).toBe(true)
})

test("every route of the API is described, and nothing else is", async () => {
  const { paths } = await openApi()
  const described = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ":$1")}`),
  )
  const ours = routes
    .filter(({ method, path, hooks }) => {
      const isListed = method !== "OPTIONS" && hooks.detail !== unlisted.detail
      return isListed && path.startsWith("/api/")
    })
    .map(({ method, path }) => `${method} ${path}`)
  expect(described.filter((route) => route.includes(" /api/")).sort()).toEqual(ours.sort())
  expect(described).toContain("GET /health")
})

test("every route describes an answer that is no refusal", async () => {
  const operations = Object.values((await openApi()).paths).flatMap((path) => Object.values(path))
  const refusing = operations.filter(
    ({ responses }) => !Object.keys(responses).some((status) => status < "400"),
  )
  // What is at an address that does not exist.
  expect(refusing.map(({ operationId }) => operationId)).toEqual(["getRefusal", "postForRefusal"])
})

test("every parameter says what it means", async () => {
  const operations = Object.values((await openApi()).paths).flatMap((path) => Object.values(path))
  const silent = operations.flatMap(({ operationId, parameters = [] }) =>
    parameters
      .filter(({ description = "" }) => description === "")
      .map(({ name }) => `${operationId} ${name}`),
  )
  expect(silent).toEqual([])
})

test("every route says in its own words what it does and answers, or that it is no part of the API", () => {
  const silent = routes.filter(({ method, hooks: { detail } }) => {
    const own = wordsOf(detail)
    const isSaid =
      own && /^[A-Z].*[^.]$/.test(own.summary) && [...own.successes, ...(own.refusals ?? [])].length > 0
    return method !== "OPTIONS" && !isSaid && detail !== unlisted.detail
  })
  expect(silent.map(({ method, path }) => `${method} ${path}`)).toEqual([])
  const names = routes.flatMap(({ hooks: { detail } }) => wordsOf(detail)?.id ?? [])
  expect(new Set(names).size).toBe(names.length)
})

test("a query or a body refuses each name that its route does not know", () => {
  const open = routes.filter(({ hooks: { query, body } }: { hooks: Record<string, TSchema | undefined> }) =>
    [query, body].some(
      (schema) => schema && !(schema["properties"] && schema["additionalProperties"] === false),
    ),
  )
  expect(open.map(({ method, path }) => `${method} ${path}`)).toEqual([])
})

test("each route whose path has a part that the client chooses checks it", () => {
  const unchecked = routes.filter(
    ({ method, path, hooks }) => method !== "OPTIONS" && /^\/api\/.*:/.test(path) && !hooks.params,
  )
  expect(unchecked.map(({ method, path }) => `${method} ${path}`)).toEqual([])
})

test("each route of a worker says that its lease may be lost, and that its item may be gone", () => {
  const reports = routes.filter((route) => needOf(route) === "report")
  expect(reports.length).toBeGreaterThan(8)
  for (const { path, hooks } of reports)
    expect([path, wordsOf(hooks.detail)?.refusals]).toEqual([
      path,
      expect.arrayContaining(["lease_lost", "gone"]),
    ])
})

test("the answers are as described, down to the last key", async () => {
  const id = await server.add({ song_id: 1, tags: ["docs"] })
  const claim = await server.api("POST", "/queue/claim", { worker: "w", tags: ["docs"] })
  const claimed: { lease: { token: string } } = await claim.json()
  expect(Value.Check(closed(Claimed), claimed)).toBe(true)
  const { token } = claimed.lease
  const lease = { lease: token }
  const ingested = await server.add({ song_id: 2 })
  const calls: [TSchema, string, string, unknown?, Record<string, string>?][] = [
    [QueuePage, "GET", "/queue?limit=1"],
    [NextItem, "GET", "/queue/next"],
    [QueueItem, "GET", `/queue/${id}`],
    [HistoryPage, "GET", `/queue/${id}/updates?limit=1`],
    [Stats, "GET", "/progress/stats"],
    [Counts, "GET", "/queue/counts"],
    [Dashboard, "GET", "/dashboard"],
    [QueuePaused, "POST", "/queue/pause"],
    [QueueResumed, "POST", "/queue/resume"],
    [ItemsRetried, "POST", "/queue/retry", { status: "failed" }],
    [BatchAnswer, "POST", "/queue/batch", { act: "retry", ids: [4_000_000] }],
    [Me, "GET", "/me"],
    [DeliveriesPage, "GET", "/webhooks/deliveries"],
    [WorkerAnswer, "POST", `/queue/${id}/progress`, { progress: 3 }, lease],
    [WorkerAnswer, "POST", `/queue/${id}/heartbeat`, undefined, lease],
    [WorkerAnswer, "POST", `/queue/${id}/complete`, {}, lease],
    [FlagUpdated, "PUT", `/queue/${id}/flag`, { flag: "image_issue" }],
    [QueueItem, "PUT", `/queue/${id}`, { title: "A song" }],
    [QueueItem, "POST", `/queue/${id}/retry`],
    [QueueItem, "POST", `/queue/${id}/cancel`],
    [ItemDeleted, "DELETE", `/queue/${id}`],
    [ErrorAnswer, "GET", `/queue/${id}`],
    [ErrorAnswer, "POST", `/queue/${id}/progress`, { progress: 4 }, lease],
  ]
  for (const [schema, method, path, body, headers] of calls) {
    const answer: unknown = await (await server.api(method, path, body, headers)).json()
    expect([path, [...Value.Errors(closed(schema), answer)]]).toEqual([path, []])
  }
  const ingest = await fetch(`${server.url}/api/v1/queue/${ingested}/ingest/ffmpeg?total=1`, {
    method: "POST",
    body: "out_time_us=500000\nprogress=continue\n",
  })
  expect([...Value.Errors(closed(IngestAnswer), await ingest.json())]).toEqual([])
  expect(Value.Check(closed(Health), await (await fetch(`${server.url}/health`)).json())).toBe(true)
})

/** The same schema, in which it and all objects inside allow only the keys that they name. */
function closed(schema: TSchema): TSchema {
  const { type, properties, items, anyOf } = schema
  if (items !== undefined) return { ...schema, items: closed(items) }
  if (Array.isArray(anyOf)) return { ...schema, anyOf: anyOf.map(closed) }
  if (type !== "object" || properties === undefined) return schema
  const named = Object.entries<TSchema>(properties).map(([name, one]) => [name, closed(one)])
  return { ...schema, properties: Object.fromEntries(named), additionalProperties: false }
}

test("each line of a stream as NDJSON is one of those that are described", async () => {
  const id = await server.add({ song_id: 3 })
  await server.put(id, { status: "processing" })
  await server.put(id, { status: "failed", error_message: "x" })
  const path = `/progress/stream/${id}?until=finished&format=ndjson`
  const lines: string[] = []
  for (const from of ["0", "999999"]) {
    const answer = await server.api("GET", `${path}&last_event_id=${from}`)
    lines.push(...(await answer.text()).split("\n").filter((line) => line !== ""))
  }
  const events = lines.map((line): string => JSON.parse(line).event ?? "update")
  expect(new Set(events)).toEqual(new Set(["update", "live", "end", "gap"]))
  for (const line of lines) expect([line, Value.Check(StreamLine, JSON.parse(line))]).toEqual([line, true])
})

test("a refusal has a status that its route describes, and a code of the closed set", async () => {
  const { paths, components } = await openApi()
  const id = await server.add({ song_id: 4 })
  const deleted = await server.add({ song_id: 4 })
  await server.api("DELETE", `/queue/${deleted}`)
  const refusals: [string, string, string, unknown?][] = [
    ["post", "/queue", "/queue", { song_id: 0 }],
    ["get", "/queue", "/queue?limit=x"],
    ["get", "/queue/{id}", "/queue/999999"],
    ["get", "/queue/{id}", "/queue/x"],
    ["put", "/queue/{id}", `/queue/${id}`, { status: "completed" }],
    ["post", "/queue/{id}/retry", `/queue/${id}/retry`],
    ["post", "/queue/{id}/complete", `/queue/${id}/complete`, {}],
    ["post", "/queue/claim", "/queue/claim", { worker: "w", id: deleted }],
    ["get", "/progress/stream/{id}", "/progress/stream/999999?until=finished"],
    ["get", "/progress/ws", "/progress/ws"],
    ["get", "/progress/ws/{id}", "/progress/ws/x"],
  ]
  for (const [method, described, path, body] of refusals) {
    const answer = await server.api(method.toUpperCase(), path, body)
    const { code }: { code: string } = await answer.json()
    const { responses } = paths[`/api/v1${described}`]?.[method] ?? { responses: {} }
    expect([path, Object.keys(responses)]).toEqual([
      path,
      expect.arrayContaining([String(answer.status), "500"]),
    ])
    expect(components.schemas.Error.properties.code.enum).toContain(code)
  }
})

test("the streams are described as what they are", async () => {
  const { paths } = await openApi()
  const content = paths["/api/v1/progress/stream"]?.["get"]?.responses["200"]?.content
  expect(Object.keys(content ?? {})).toEqual(
    formats.map(({ contentType }) => contentType.split(";")[0] ?? ""),
  )
  expect(content?.["text/event-stream"]).toMatchObject({
    schema: { $ref: "#/components/schemas/EventData" },
    example: { queue_id: 7 },
  })
  expect(Object.keys(paths["/api/v1/progress/ws"]?.["get"]?.responses ?? {})).toContain("101")
})

test("a large answer is a schema with a name, of which the reference says what each key means", async () => {
  const { paths } = await openApi()
  for (const [path, name] of [
    ["/queue/{id}", "ReadItem"],
    ["/queue/counts", "Counts"],
    ["/dashboard", "Dashboard"],
    ["/queue/forecast", "QueueForecast"],
    ["/progress/stats", "Stats"],
    ["/me", "Me"],
  ]) {
    const content = paths[`/api/v1${path}`]?.["get"]?.responses["200"]?.content
    expect(content?.["application/json"]).toMatchObject({ schema: { $ref: `#/components/schemas/${name}` } })
  }
})

const PAGES = ["", "/queue", "/workers", "/streams", "/webhooks", "/access", "/server", "/schemas"]

/** A page of the reference: its links, and the IDs that links can lead to. */
async function pageAt(url: string) {
  const answer = await fetch(url)
  const html = await answer.text()
  const ids = new Set([...html.matchAll(/ id="([^"]+)"/g)].map(([, id = ""]) => id))
  const links = [...html.matchAll(/(?:href|src)="([^"]+)"/g)].map(([, link = ""]) => new URL(link, url).href)
  return { answer, html, ids, links }
}

test("the reference names every operation on short pages, links to nothing that is missing, and needs nothing from elsewhere", async () => {
  const pages = await Promise.all(PAGES.map((page) => pageAt(`${server.url}/docs${page}`)))
  const idsAt = new Map<string, Set<string>>()
  for (const { answer, html, ids, links } of pages) {
    expect(answer.headers.get("content-security-policy")).toStartWith(
      "default-src 'none'; style-src 'self'; script-src 'self'; base-uri",
    )
    const script = /<script src="[./]*docs\/address\.js" data-server="[^"]+"><\/script>/
    expect(html).toMatch(script)
    expect(html.replace(script, "")).not.toMatch(/<script|<style|style=| on[a-z]+=/)
    expect(html.length).toBeLessThan(120_000)
    idsAt.set(answer.url, ids)
    // A way back to the queue.
    expect(links).toContain(`${server.url}/`)
  }
  for (const link of new Set(pages.flatMap(({ links }) => links))) {
    const [page = "", id] = link.split("#")
    expect(link).toStartWith(server.url)
    if (id !== undefined) expect([link, idsAt.get(page)?.has(id)]).toEqual([link, true])
    else expect([link, (await fetch(page)).status]).toEqual([link, 200])
  }
  const all = new Set(pages.flatMap(({ ids }) => [...ids]))
  const { paths } = await openApi()
  for (const methods of Object.values(paths)) {
    for (const { operationId } of Object.values(methods)) expect(all).toContain(operationId)
  }
  expect((await fetch(`${server.url}/docs/nothing`)).status).toBe(404)
})

test("every operation has an example for curl, whose body is one that the route takes", async () => {
  const { paths } = await openApi()
  for (const [path, methods] of Object.entries(paths)) {
    for (const [method, { operationId }] of Object.entries(methods)) {
      const route = routes.find((one) => wordsOf(one.hooks.detail)?.id === operationId)
      const body: unknown = route?.hooks.body
      if (typeof body !== "object" || wordsOf(route?.hooks.detail)?.body) continue
      const schema = body as TSchema
      const problems = [...Value.Errors(schema, BODIES[operationId])].map(
        ({ path: at, message }) => at + message,
      )
      expect([method, path, problems]).toEqual([method, path, []])
    }
  }
  const { html } = await pageAt(`${server.url}/docs/queue`)
  const example = `curl -X POST ${server.url}/api/v1/queue \\\n  -H 'Content-Type`
  expect(html.includes(example)).toBe(true)
  const { html: workers } = await pageAt(`${server.url}/docs/workers`)
  const api = `${server.url}/api/v1/queue`
  // A first claim has no lease; and what a renderer prints is sent as it comes.
  expect(workers).toContain(`curl -X POST ${api}/claim \\\n  -H 'Content-Type`)
  expect(workers).toContain(`curl -X POST ${api}/7/ingest/ffmpeg \\\n  -H 'Lease: TOKEN' \\\n  -T -</pre>`)
})

test("the examples ask the server at the address by which the reader came", async () => {
  const port = new URL(server.url).port
  for (const [headers, address] of [
    [{ host: `localhost:${port}` }, `http://localhost:${port}`],
    [{ host: "render-box", "x-forwarded-proto": "https" }, "https://render-box"],
  ] as const) {
    for (const path of ["/docs", "/docs/streams"]) {
      const html = await (await fetch(server.url + path, { headers })).text()
      const asked = [...html.matchAll(/https?:\/\/[^/ ]+(?=\/api\/v1)/g)].map(([one]) => one)
      expect([...new Set(asked)]).toEqual([address])
    }
  }
})

test("a browser at a wrong path gets a page with a way back, and everybody else the error", async () => {
  for (const path of ["/nothing", "/deep/down/here", "/docs/nothing"]) {
    const { answer, links } = await pageAt(`${server.url}${path}`)
    expect(answer.headers.get("content-type")).toBe("application/json")
    expect(links).toEqual([])
    const page = await fetch(`${server.url}${path}`, { headers: { accept: "text/html,*/*;q=0.8" } })
    expect([page.status, page.headers.get("content-type")]).toEqual([404, "text/html; charset=utf-8"])
    const html = await page.text()
    const back = [...html.matchAll(/href="([^"]+)"/g)].map(
      ([, link = ""]) => new URL(link, page.url).pathname,
    )
    expect(back).toEqual(["/docs/style.css", "/", "/", "/docs"])
  }
  const api = await fetch(`${server.url}/api/v1/nothing`, { headers: { accept: "text/html" } })
  expect(api.headers.get("content-type")).toBe("application/json")
})

const chromium = Bun.which("chromium")
test.skipIf(chromium === null)(
  "a browser shows the reference under its own policy, with the path that a proxy serves it under in its examples",
  async () => {
    using proxy = Bun.serve({
      port: 0,
      fetch: ({ url }) => fetch(new URL(new URL(url).pathname.replace("/studio", ""), server.url)),
    })
    const child = Bun.spawn(
      [
        chromium ?? "",
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-component-update",
        "--disable-sync",
        "--enable-logging=stderr",
        "--virtual-time-budget=2000",
        "--dump-dom",
        `${proxy.url}studio/docs/streams`,
      ],
      { stdin: "ignore", stdout: "pipe", stderr: "pipe" },
    )
    const [dom, log] = await Promise.all([textOf(child.stdout), textOf(child.stderr)])
    expect(dom).toContain('<article id="streamAll">')
    expect(dom).toContain(`curl -N ${proxy.url}studio/api/v1/progress/stream`)
    expect(log).not.toContain("CONSOLE")
  },
  180_000,
)
