import { type Answer, exchange, type Patient, refusalIn } from "./exchange.ts"
import { faulty, type Finding, good, unknown } from "./finding.ts"

/** A renderer's output for an item that is never added: the server refuses it as soon as it begins. */
const INGEST = { method: "POST", path: "/queue/9007199254740991/ingest/lines", unfinished: "0 %\n" } as const

/** More bytes than any renderer prints. */
const LARGE_BYTES = 1e9

const hasBegun = (): boolean => true

/** Whether the output of a renderer, which may last for hours, reaches the server while it is sent. */
export async function uploadsOf(patient: Patient): Promise<readonly Finding[]> {
  const [endless, large] = await Promise.all([
    exchange(patient, { ...INGEST, until: hasBegun }),
    exchange(patient, { ...INGEST, until: hasBegun, headers: { "content-length": String(LARGE_BYTES) } }),
  ])
  return [pieces(endless, patient), size(large)]
}

function pieces({ status, reason }: Answer, { patienceMs }: Patient): Finding {
  const about = "ingest"
  if (status !== 0) return good(about, "request bodies arrive while they are sent")
  if (reason !== "") return unknown(about, `the connection broke: ${reason}`)
  return faulty(
    about,
    "body_buffered",
    `a request body arrives only when it is complete (nothing within ${patienceMs / 1000} s), so a render shows no progress until its end`,
  )
}

function size({ status }: Answer): Finding {
  const about = "ingest, size"
  if (status === 413)
    return faulty(about, "body_limited", "large request bodies are refused, so a long render would break off")
  if (status === 0) return unknown(about, "a large request body got no answer")
  return good(about, "request bodies may have any size")
}

/** A request that the server waits for: the rest of its body never comes, so it changes nothing. */
const PAUSING = {
  method: "POST",
  path: "/tickets",
  headers: { "content-type": "application/json" },
  unfinished: "{",
} as const

/** The server itself ends such a request after 60 s. */
const LONGEST_PAUSE_MS = 50_000

/** Whether a body may pause, as a renderer does in a frame that takes long. */
export async function pausesOf(patient: Patient, isProxied: boolean): Promise<Finding> {
  const about = "ingest, pauses"
  const pauseMs = Math.min(patient.idleMs, LONGEST_PAUSE_MS)
  if (pauseMs === 0) return unknown(about, "not checked (--idle 0)")
  const answer = await exchange(patient, { ...PAUSING, mostMs: pauseMs })
  const seconds = Math.round(answer.lastMs / 1000)
  const { error } = refusalIn(answer)
  // Without an answer, or with "Request Timeout", somebody on the way has lost patience.
  if (answer.status !== 0 && answer.status !== 408)
    return unknown(about, error || `the answer is ${answer.status}`)
  const longer = isProxied ? "; client_body_timeout of nginx, 60 s by default, ends longer ones" : ""
  if (answer.end === "late") return good(about, `bodies may pause; watched for ${seconds} s${longer}`)
  return faulty(about, "body_cut", `a body that pauses is cut after ${seconds} s: a slow frame ends a render`)
}
