import type { Need } from "../access/roles.ts"
import { API } from "./api.ts"
import { isAt, type Route } from "./paths.ts"

/**
 * The right that each route needs, by method and path: one table for the whole server. If a route has no row,
 * the server does not start. `GET /` also draws the board for clients that are no browsers, and checks the
 * right for that itself.
 */
export const NEEDS: Readonly<Record<string, Need>> = {
  "GET /": "nothing",
  "GET /items/:id": "nothing",
  "GET /assets/:name": "nothing",
  "GET /client.js": "nothing",
  "GET /client.d.ts": "nothing",
  "GET /docs": "nothing",
  "GET /docs/:page": "nothing",
  "GET /docs/style.css": "nothing",
  "GET /docs/address.js": "nothing",
  "GET /openapi.json": "nothing",
  "GET /health": "nothing",
  [`GET ${API}/health`]: "nothing",
  "GET /health/live": "nothing",
  "GET /health/ready": "operations",
  "GET /metrics": "operations",
  [`POST ${API}/queue`]: "add",
  [`GET ${API}/queue`]: "read",
  // Some clients send this instead of `/queue`.
  [`POST ${API}/queue/`]: "add",
  [`GET ${API}/queue/`]: "read",
  [`GET ${API}/queue/next`]: "figures",
  [`GET ${API}/queue/forecast`]: "figures",
  [`GET ${API}/queue/:id`]: "item",
  [`GET ${API}/queue/:id/updates`]: "item",
  [`GET ${API}/queue/:id/output`]: "item",
  [`GET ${API}/songs/:song_id/output`]: "item",
  [`GET ${API}/dashboard`]: "figures",
  [`GET ${API}/queue/counts`]: "figures",
  [`POST ${API}/queue/:id/move`]: "change",
  [`POST ${API}/queue/pause`]: "change",
  [`POST ${API}/queue/resume`]: "change",
  [`POST ${API}/queue/retry`]: "change",
  [`POST ${API}/queue/batch`]: "change",
  [`PUT ${API}/queue/:id`]: "files",
  [`PUT ${API}/queue/:id/flag`]: "change",
  [`DELETE ${API}/queue/:id`]: "change",
  [`POST ${API}/queue/claim`]: "claim",
  [`POST ${API}/queue/:id/progress`]: "report",
  [`POST ${API}/queue/:id/heartbeat`]: "report",
  [`POST ${API}/queue/:id/complete`]: "report",
  [`POST ${API}/queue/:id/fail`]: "report",
  [`POST ${API}/queue/:id/release`]: "report",
  [`POST ${API}/queue/:id/steps`]: "report",
  [`POST ${API}/queue/:id/steps/next`]: "report",
  [`POST ${API}/queue/:id/output`]: "report",
  [`POST ${API}/queue/:id/cancel`]: "change",
  [`POST ${API}/queue/:id/retry`]: "change",
  [`POST ${API}/queue/:id/ingest/:renderer`]: "report",
  [`GET ${API}/progress/stream`]: "read",
  [`GET ${API}/progress/stream/:id`]: "read",
  [`GET ${API}/progress/stats`]: "figures",
  [`GET ${API}/progress/ws`]: "read",
  [`GET ${API}/progress/ws/:id`]: "read",
  [`GET ${API}/webhooks/deliveries`]: "admin",
  [`POST ${API}/tickets`]: "item",
  [`GET ${API}/me`]: "item",
  [`GET ${API}/refusals/:code`]: "figures",
  [`POST ${API}/refusals/:code`]: "figures",
  [`GET ${API}/workers`]: "figures",
  [`POST ${API}/workers/:worker/drain`]: "change",
  [`DELETE ${API}/workers/:worker/drain`]: "change",
  [`GET ${API}/kinds`]: "figures",
  [`DELETE ${API}/kinds/:kind/runs`]: "change",
}

/**
 * The table by path and then by method. Joining the two texts for each request would cost more than
 * everything else here.
 */
const byPath = new Map<string, Map<string, Need>>()
for (const [route, need] of Object.entries(NEEDS)) {
  const [method = "", path = ""] = route.split(" ")
  const ofPath = byPath.get(path) ?? new Map<string, Need>()
  byPath.set(path, ofPath.set(method, need))
}

/** What a route needs; undefined if it has no row. */
export const needOf = ({ method, path }: Route): Need | undefined => byPath.get(path)?.get(method)

/** The same for a path as a client sends it, without its query. */
export function needAt(method: string, path: string): Need | undefined {
  const route = [...byPath.keys()].find(
    (pattern) => needOf({ method, path: pattern }) && isAt({ method, path: pattern }, path),
  )
  return needOf({ method, path }) ?? (route === undefined ? undefined : needOf({ method, path: route }))
}

/**
 * Checks that every route has a row in `NEEDS`. A preflight needs no row, because it does nothing.
 * @throws Error that names the routes
 */
export function checkNeeds(routes: readonly Route[]): void {
  const missing = routes.filter((route) => route.method !== "OPTIONS" && needOf(route) === undefined)
  if (missing.length === 0) return
  throw new Error(`no need is set for ${missing.map(({ method, path }) => `${method} ${path}`).join(", ")}`)
}
