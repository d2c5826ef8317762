import { faulty, type Finding, good, unknown } from "./finding.ts"
import {
  answerWords,
  NO_HOST,
  NO_ID,
  type Patient,
  refusalIn,
  type Request,
  saidIn,
  sendRequest,
} from "./send-request.ts"

/** Long enough that two answers have different times. */
const APART_MS = 20

/** What differs in each answer of the server itself; undefined if nothing does. */
const markOf = (said: Readonly<Record<string, unknown>>): unknown => said["timestamp"] ?? said["request_id"]

/** What makes of a request one of a stranger: it has no token, and asks for another host. */
type Strange = Pick<Request, "isNamed" | "headers">

const STRANGE: readonly Strange[] = [
  { isNamed: false },
  // Many caches do not care for which host they have kept an answer.
  { isNamed: false, headers: { host: NO_HOST } },
]

/** How a stranger asks whom the server refuses a list; undefined if it refuses none. No cache knows these queries. */
async function refusedAs(patient: Patient): Promise<Strange | undefined> {
  for (const strange of STRANGE) {
    const path = `/queue?limit=1&q=${crypto.randomUUID()}`
    const { code } = refusalIn(await sendRequest(patient, { path, ...strange }))
    if (code === "unauthorized" || code === "misdirected") return strange
  }
  return undefined
}

/**
 * The values of Cache-Control with which a cache must ask the server before it uses a kept answer; some proxies
 * replace the server's own `no-store` by one of them.
 */
const FRESH = /no-store|no-cache|max-age=0/

/** What is wrong with the answers to one path, or why none came; undefined if they are the server's, and are not kept. */
async function staleAt(patient: Patient, path: string, strange?: Strange): Promise<Finding | undefined> {
  const ask = (request: Partial<Request> = {}) => sendRequest(patient, { path, ...request })
  const first = markOf(saidIn(await ask()))
  await new Promise((resolve) => setTimeout(resolve, APART_MS))
  const second = await ask()
  const mark = markOf(saidIn(second))
  if (mark !== undefined && mark === first)
    return faulty("caches", "cached", `an answer to ${path} came from a cache and was out of date`)
  const { error, code } = refusalIn(second)
  if (second.status !== 200 && code !== "not_found") return unknown("caches", error || answerWords(second))
  const isShown = strange !== undefined && mark === undefined && second.status === 200
  if (isShown && (await ask(strange)).status === 200)
    return faulty(
      "caches",
      "cached",
      `a cache gives the answer to ${path} to strangers, whom the server refuses`,
    )
  const isJson = String(second.headers["content-type"]).startsWith("application/json")
  if (isJson && second.status === 200 && !FRESH.test(String(second.headers["cache-control"])))
    return faulty(
      "caches",
      "headers_stripped",
      `browsers may keep ${path}: Cache-Control: no-store is missing`,
    )
  return undefined
}

/** The path of an item that exists, so that its answer may have been kept; of none if there is none. */
async function itemPath(patient: Patient): Promise<string> {
  const { queue } = saidIn(await sendRequest(patient, { path: "/queue?limit=1" }))
  const id: unknown = Array.isArray(queue) ? queue[0]?.id : undefined
  return `/queue/${typeof id === "number" ? id : NO_ID}`
}

/** Whether a cache on the way answers instead of the server, or may do so. */
export async function cachesOn(patient: Patient): Promise<Finding> {
  const strange = await refusedAs(patient)
  for (const path of ["/progress/stats", "/queue?limit=1", await itemPath(patient)]) {
    const stale = await staleAt(patient, path, strange)
    if (stale) return stale
  }
  return good("caches", "every answer is up to date")
}
