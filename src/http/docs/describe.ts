import type { TSchema } from "@sinclair/typebox"

import { rolesFor } from "../../access/roles.ts"
import { type ErrorCode, REFUSALS } from "../../errors.ts"
import {
  Flag,
  ItemChange,
  MAX_TEXT_BYTES,
  NewItem,
  ProgressUpdate,
  QueueItem,
  Report,
} from "../../item/item.ts"
import { eitherOf } from "../../text.ts"
import {
  Claimed,
  Counts,
  Dashboard,
  EventData,
  FinishedSince,
  Me,
  StreamLine,
  Update,
  WebhookBody,
  WorkerAnswer,
  WorkerSeen,
} from "../../wire/answers.ts"
import { QueueForecastAnswer, ReadItem } from "../../wire/forecast.ts"
import { Health, Stats, StreamSeen } from "../../wire/health-and-stats.ts"
import { ErrorAnswer } from "../../wire/refusals.ts"
import { ClaimRequest } from "../../wire/requests.ts"
import { needOf } from "../needed-rights.ts"
import type { Route } from "../paths.ts"
import { ID, WHOLE_NUMBERS } from "../request-parameters.ts"
import { BODIES } from "./examples.ts"
import { ROUTE_TAGS, type RouteWords, type Success, wordsOf } from "./words.ts"

/** A JSON Schema, or any other part of the document. */
export type Json = Record<string, unknown>

/** A route as Elysia lists it. */
export interface RouteOfApp extends Route {
  /** What was given to the route beside its handler. */
  readonly hooks: {
    /** The schema of the body; absent for none. */
    readonly body?: unknown
    /** The schema of the query; absent for none. */
    readonly query?: unknown
    /** The schema of the parameters in the path; absent for none. */
    readonly params?: unknown
    /** The route's description of itself (`words`); absent for a route of the framework. */
    readonly detail?: unknown
  }
}

/** The schemas that have a name of their own in the document. */
const NAMED: Readonly<Record<string, TSchema>> = {
  QueueItem,
  ReadItem,
  NewItem,
  ItemChange,
  Report,
  ProgressUpdate,
  Update,
  ClaimRequest,
  Claimed,
  WorkerAnswer,
  WorkerSeen,
  Flag,
  Counts,
  FinishedSince,
  Dashboard,
  QueueForecast: QueueForecastAnswer,
  Health,
  Stats,
  StreamSeen,
  Me,
  Error: ErrorAnswer,
  EventData,
  StreamLine,
  WebhookBody,
}
// A schema is found by its shape, because an optional property is a copy of its schema.
const names = new Map(Object.entries(NAMED).map(([name, schema]) => [JSON.stringify(schema), name]))
const ref = (name: string): Json => ({ $ref: `#/components/schemas/${name}` })
const isSchema = (value: unknown): value is TSchema => typeof value === "object" && value !== null

const FORMATS: Readonly<Record<string, Json>> = {
  text: { maxLength: MAX_TEXT_BYTES },
  tag: { minLength: 1, maxLength: 64 },
}
const INTEGERS: Readonly<Record<string, number>> = {
  [WHOLE_NUMBERS[0]]: 0,
  [WHOLE_NUMBERS[1]]: 1,
  [ID]: 1,
}

/**
 * A schema as it stands in the document: a schema with a name becomes a reference, and one of our own formats
 * becomes the pattern that it allows.
 */
function schemaOf(schema: TSchema, isTop = false): Json {
  const name = names.get(JSON.stringify(schema))
  if (name !== undefined && !isTop) return ref(name)
  const union: TSchema[] | undefined = schema["anyOf"]
  const { description } = schema
  if (union?.every((one) => one["const"] !== undefined)) {
    return {
      type: "string",
      enum: union.map((one): unknown => one["const"]),
      ...(description && { description }),
    }
  }
  const least = INTEGERS[String(schema["pattern"])]
  if (least !== undefined) return { type: "integer", minimum: least, ...(description && { description }) }
  const { format, anyOf: _union, items, properties, ...rest } = schema
  const known = FORMATS[String(format)]
  return {
    ...rest,
    ...(known ?? (format !== undefined && { format })),
    ...(union && { anyOf: union.map((one) => schemaOf(one)) }),
    ...(isSchema(items) && { items: schemaOf(items) }),
    ...(properties !== undefined && { properties: mapped(properties) }),
  }
}

const mapped = (properties: Readonly<Record<string, TSchema>>): Json =>
  Object.fromEntries(Object.entries(properties).map(([key, schema]) => [key, schemaOf(schema)]))

function parametersOf({ hooks, path }: RouteOfApp, { headers = {} }: RouteWords): Json[] {
  const from = (where: "path" | "query", schema: unknown): Json[] =>
    Object.entries<TSchema>(isSchema(schema) ? (schema["properties"] ?? {}) : {}).map(([name, one]) => ({
      name,
      in: where,
      required: where === "path",
      ...(one["description"] !== undefined && { description: String(one["description"]) }),
      schema: schemaOf(one),
    }))
  const named = Object.entries(headers).map(([name, description]) => ({
    name,
    in: "header",
    required: false,
    description,
    schema: { type: "string" },
  }))
  return [...(path.includes(":") ? from("path", hooks.params) : []), ...from("query", hooks.query), ...named]
}

function successOf({ status, about, content }: Success): [string, Json] {
  const types = Object.entries(content ?? {}).map(([type, { schema, example, wire }]) => [
    type,
    {
      schema: schemaOf(schema),
      ...(example !== undefined && { example }),
      ...(wire !== undefined && { "x-wire": wire }),
    },
  ])
  return [String(status), { description: about, ...(content && { content: Object.fromEntries(types) }) }]
}

/** The reasons for which a request of this shape can be refused. */
function refusalsOf({ hooks, path, method }: RouteOfApp, { refusals = [], body }: RouteWords): ErrorCode[] {
  const codes = new Set<ErrorCode>(refusals)
  if (path.includes(":id")) codes.add("not_found")
  if (isSchema(hooks.params) || isSchema(hooks.query) || isSchema(hooks.body)) codes.add("invalid")
  if (isSchema(hooks.body) && body === undefined) {
    for (const code of ["malformed_json", "too_large", "unsupported_media_type"] as const) codes.add(code)
  }
  if (method !== "GET" || path.includes("/progress/")) codes.add("unavailable")
  if (needOf({ method, path }) !== "nothing") {
    for (const code of ["unauthorized", "forbidden", "too_many_requests"] as const) codes.add(code)
  }
  // The checks before routing run before every route.
  for (const code of ["malformed_request", "misdirected"] as const) codes.add(code)
  return [...codes, "internal"]
}

function refusalAnswers(codes: readonly ErrorCode[]): Json {
  const byStatus = Map.groupBy(codes, (code) => String(REFUSALS[code].status))
  return Object.fromEntries(
    [...byStatus].sort().map(([status, all]) => [
      status,
      {
        description: all.map((code) => `\`${code}\`: ${REFUSALS[code].reason}`).join("; "),
        content: { "application/json": { schema: ref("Error") } },
      },
    ]),
  )
}

function requestBodyOf({ hooks }: RouteOfApp, { body, id }: RouteWords): Json | undefined {
  if (body) return { description: body.about, content: { [body.type]: { schema: { type: "string" } } } }
  if (!isSchema(hooks.body)) return undefined
  const required: unknown = hooks.body["required"]
  return {
    required: Array.isArray(required),
    content: {
      "application/json": { schema: schemaOf(hooks.body), ...(BODIES[id] && { example: BODIES[id] }) },
    },
  }
}

/** Who may use a route on a server with tokens, as a sentence. */
function rightsSentence(route: RouteOfApp): string {
  const need = needOf(route) ?? "admin"
  if (need === "nothing") return "It needs no token."
  const roles = rolesFor(need).map((role) => `\`${role}\``)
  const lease = need === "report" ? ", or the item's lease" : ""
  return `On a server with tokens it needs the role ${eitherOf(roles)}${lease}.`
}

function operationOf(route: RouteOfApp, described: RouteWords): Json {
  const requestBody = requestBodyOf(route, described)
  const parameters = parametersOf(route, described)
  return {
    operationId: described.id,
    tags: [described.tag],
    summary: described.summary,
    description: [described.about, rightsSentence(route)].filter(Boolean).join(" "),
    ...(needOf(route) !== "nothing" && { security: [{}, { token: [] }] }),
    ...(parameters.length > 0 && { parameters }),
    ...(requestBody && { requestBody }),
    responses: {
      ...Object.fromEntries(described.successes.map(successOf)),
      ...refusalAnswers(refusalsOf(route, described)),
      // OpenAPI requires an HTTP answer that is no refusal, and 101 is none.
      ...(described.successes.every(({ status }) => status === 101) && {
        default: refusalAnswers(["internal"])["500"],
      }),
    },
  }
}

/** The request that the server sends to webhooks. */
const webhook = (): Json => ({
  operationId: "tellWebhook",
  tags: ["Webhooks"],
  summary: "The request to a webhook",
  description:
    "Signed with `--webhook-secret` after the Standard Webhooks specification: `v1,` and the base64 of HMAC-SHA256 over `{webhook-id}.{webhook-timestamp}.{body}`.",
  parameters: ["webhook-id", "webhook-timestamp", "webhook-signature"].map((name) => ({
    name,
    in: "header",
    required: name !== "webhook-signature",
    schema: { type: "string" },
  })),
  requestBody: { required: true, content: { "application/json": { schema: ref("WebhookBody") } } },
  responses: {
    "2XX": { description: "accepted: the delivery is complete" },
    "410": { description: "refused for good: this delivery is given up" },
    default: { description: "tried again later; `Retry-After` is obeyed" },
  },
})

/**
 * The OpenAPI document. It consists of what the routes say about themselves and the schemas that check their
 * requests.
 */
export function describe(routes: readonly RouteOfApp[], version: string): Json {
  const paths: Record<string, Json> = {}
  for (const route of routes) {
    const described = wordsOf(route.hooks.detail)
    if (!described) continue
    const path = route.path.replace(/:([a-z_]+)/g, "{$1}")
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operationOf(route, described) }
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Track Studio Orchestrator",
      version,
      summary: "A render queue that shows its progress live.",
      description:
        "JSON in snake_case, times in RFC 3339 UTC. JSON answers from 14 kB on are compressed for clients that accept gzip, but of those above 2 MB no more than two at the same time; streams never are. Every error has the same envelope: a sentence, a code out of a closed set, and the id of the request.",
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{ url: "/", description: "this server" }],
    security: [],
    tags: Object.entries(ROUTE_TAGS).map(([name, description]) => ({ name, description })),
    paths,
    webhooks: { item: { post: webhook() } },
    components: {
      securitySchemes: {
        token: { type: "http", scheme: "bearer", description: "a token of `track-studio token create`" },
      },
      schemas: Object.fromEntries(
        Object.entries(NAMED).map(([name, schema]) => [name, schemaOf(schema, true)]),
      ),
    },
  }
}
