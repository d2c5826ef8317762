import { expect, test } from "bun:test"

import { type Answered, RequestCounts } from "../../src/http/request-counts.ts"
import { Metrics } from "../../src/metrics/metrics.ts"
import { parsed } from "../metrics/exposition.ts"

const API = "/api/v1"

/** A server's counts, and what was passed on to its log. */
function counting() {
  const metrics = new Metrics()
  const answers: Answered[] = []
  const counts = new RequestCounts(metrics, (answered) => answers.push(answered))
  const counted = async (name: string) => {
    const text = await metrics.text((error) => {
      throw error
    })
    const samples = parsed(text).get(`track_studio_http_${name}`)?.samples ?? new Map<string, number>()
    return [...samples].filter(([sample, value]) => value > 0 && !sample.includes("_bucket"))
  }
  const answered = (method: string, route: string | undefined, status: number, askedMs?: number): void =>
    counts.answered({ request: new Request("http://x/secret", { method }), route, askedMs }, status)
  return { answers, counted, answered, counts }
}

const requests = (route: string, status: number, count: number): [string, number] => [
  `track_studio_http_requests_total{route="${route}",code="${status}"}`,
  count,
]

test("answers are counted by route and status, a HEAD as its GET, and a slash at the end of a route makes no other one", async () => {
  const { answered, counted } = counting()
  for (const method of ["GET", "HEAD", "HEAD"]) answered(method, `${API}/queue`, 200)
  answered("GET", `${API}/queue/`, 200)
  answered("GET", `${API}/queue`, 422)
  answered("POST", `${API}/queue`, 201)
  answered("GET", "/", 200)
  expect((await counted("requests_total")).sort()).toEqual(
    [
      requests("GET /", 200, 1),
      requests(`GET ${API}/queue`, 200, 4),
      requests(`GET ${API}/queue`, 422, 1),
      requests(`POST ${API}/queue`, 201, 1),
    ].sort(),
  )
})

test("what a client makes up is counted together, whether it is a path, a method or nothing that a route took", async () => {
  const { answered, answers, counted } = counting()
  answered("GET", "/made/up", 404)
  answered("PATCH", `${API}/queue`, 404)
  answered("GET", undefined, 404)
  expect(await counted("requests_total")).toEqual([requests("none", 404, 3)])
  expect(new Set(answers.map(({ route }) => route))).toEqual(new Set(["none"]))
})

test("the time of an answer counts from when its caller was let in, and not at all for one that was refused", async () => {
  const { answered, answers, counted, counts } = counting()
  answered("GET", `${API}/queue`, 200, performance.now() - 4000)
  answered("GET", `${API}/queue`, 401)
  const [[, seconds = 0] = [], [, times] = []] = await counted("request_seconds")
  expect(seconds).toBeWithin(4, 64)
  expect(times).toBe(1)
  counts.answered({ request: new Request("http://x"), route: "/", askedMs: undefined }, 500, "id")
  const named = answers.map(({ requestId, route, status }) => [requestId, route, status])
  expect(named).toEqual([
    [undefined, `GET ${API}/queue`, 200],
    [undefined, `GET ${API}/queue`, 401],
    ["id", "GET /", 500],
  ])
  expect(answers[0]?.tookMs).toBeWithin(4000, 64_000)
  expect(answers.slice(1).map(({ tookMs }) => tookMs)).toEqual([undefined, undefined])
})
