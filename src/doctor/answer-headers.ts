import type { IncomingHttpHeaders } from "node:http"

import { faulty, type Finding, good, unknown } from "./finding.ts"
import {
  answerWords,
  foreignAnswerWords,
  isBusy,
  isOurs,
  type Patient,
  saidIn,
  sendRequest,
} from "./send-request.ts"

const ABOUT = "answer headers"

const valueOf = (headers: IncomingHttpHeaders, name: string): string =>
  String(headers[name] ?? "").toLowerCase()

/**
 * The names of the headers that browsers need to give an answer to the pages that may read it, as far as they are
 * missing. With `Vary: *` the server lets all pages read, otherwise only some, which cannot be known here.
 */
export function unreadable(headers: IncomingHttpHeaders): readonly string[] {
  const varies = valueOf(headers, "vary")
  if (!/\*|\borigin\b/.test(varies)) return ["vary"]
  const isForAll = varies.includes("*")
  return isForAll && headers["access-control-allow-origin"] === undefined
    ? ["access-control-allow-origin"]
    : []
}

const stripped = (what: string, missing: readonly string[]): Finding =>
  faulty(ABOUT, "headers_stripped", `missing from ${what}: ${missing.join(", ")}`)

/** What the answer to a browser's question, whether a page may send a request, has to allow. */
const ALLOWED = {
  "access-control-allow-methods": ["put", "delete"],
  "access-control-allow-headers": ["authorization", "content-type", "lease"],
} as const

/** What is wrong with the answer to such a question; undefined if it came as it was sent. */
async function preflight(patient: Patient): Promise<Finding | undefined> {
  const answer = await sendRequest(patient, {
    method: "OPTIONS",
    path: "/queue",
    isNamed: false,
    headers: {
      origin: patient.url.origin,
      "access-control-request-method": "PUT",
      "access-control-request-headers": Object.values(ALLOWED).at(1)?.join(", ") ?? "",
    },
  })
  const { status, headers } = answer
  if (status === 0 || isBusy(answer)) return unknown(ABOUT, answerWords(answer))
  if (status >= 300 && !isOurs(answer))
    return faulty(ABOUT, "answers_replaced", `OPTIONS /queue: ${foreignAnswerWords(answer)}`)
  const missing = Object.entries(ALLOWED).flatMap(([name, values]) =>
    values.every((value) => valueOf(headers, name).includes(value)) ? [] : [name],
  )
  const all = [...missing, ...unreadable(headers)]
  return all.length === 0
    ? undefined
    : stripped("an answer to OPTIONS, by which browsers ask for other pages", all)
}

/** Whether answers arrive with the headers by which browsers decide who may read them, and with `Allow`. */
export async function answerHeadersOf(patient: Patient): Promise<Finding> {
  const refusal = await sendRequest(patient, { method: "POST", path: "/health" })
  if (refusal.status !== 405 || !isOurs(refusal)) return unknown(ABOUT, answerWords(refusal))
  const read = await sendRequest(patient, { path: "/health", isNamed: false })
  if (saidIn(read)["service"] === undefined) return unknown(ABOUT, answerWords(read))
  const missing = [
    ...unreadable(read.headers),
    ...(valueOf(refusal.headers, "allow").includes("get") ? [] : ["allow"]),
  ]
  if (missing.length > 0) return stripped("answers", missing)
  return (await preflight(patient)) ?? good(ABOUT, "arrive as they were sent")
}
