import { printable } from "../text.ts"
import { unreadable } from "./answer-headers.ts"
import { faulty, type Finding, good, unknown } from "./finding.ts"
import { type Answer, isLimit, NO_ID, type Patient, refusalIn, saidIn, sendRequest } from "./send-request.ts"

/** An idle stream: that of an item that is never added. */
export const QUIET = `/progress/stream?ids=${NO_ID}`

/** The stream of such an item alone, which a proxy may treat in another way. */
export const OF_ONE = `/progress/stream/${NO_ID}`

/** The whole frame: of a part of it a client sees nothing. */
const LIVE = /^event: live\n(?:.+\n)*\n/m

/** The frame with which a server ends its streams when it stops. */
export const SHUTDOWN = /^event: shutdown$/m

/** What `doctor` says if a stream that was to be watched was never there, or ended because the server stopped. */
export const NOT_WATCHED = {
  unopened: "the request got no stream",
  stopped: "the server was stopped meanwhile",
} as const

/** The frame that comes instead of a stream if the server has too many of them, with its data. */
export const BUSY = /^event: busy\n(?:retry: .*\n)?data: (.*)$/m

/** The data of a whole frame. */
const DATA = /^data: .*\n/m

const isLive = (text: string): boolean => LIVE.test(text)

const opened = (
  patient: Patient,
  headers: Readonly<Record<string, string>> = {},
  path = QUIET,
): Promise<Answer> =>
  sendRequest(patient, { path, headers: { accept: "text/event-stream", ...headers }, until: isLive })

const seconds = (ms: number): string => `${Math.round(ms / 100) / 10} s`

/** Whether streams arrive as they are sent, with their headers: that of all items, and that of one. */
export async function arrivalOf(patient: Patient): Promise<readonly Finding[]> {
  const [ofAll, ofOne] = await Promise.all([opened(patient), opened(patient, {}, OF_ONE)])
  return isLive(ofAll.text) && !isLive(ofOne.text) ? arrived(ofOne, patient) : arrived(ofAll, patient)
}

function arrived(answer: Answer, patient: Patient): readonly Finding[] {
  const { text, headMs, lastMs, status } = answer
  const { error } = refusalIn(answer)
  const busy = BUSY.exec(text)?.[1]
  if (busy !== undefined)
    return [unknown("streams", printable(String(saidIn({ ...answer, text: busy })["error"])))]
  if (error !== "") return [unknown("streams", error)]
  if (headMs !== undefined && status !== 200) {
    const fault = isLimit(answer) ? "limited" : "not_ours"
    return [faulty("streams", fault, `the answer is ${status}, not a stream`)]
  }
  if (isLive(text)) return [good("streams", `begin after ${Math.ceil(lastMs)} ms`), ...headersOf(answer)]
  if (DATA.test(text)) {
    const says = "a stream is changed on its way: what comes is not what was sent"
    return [faulty("streams", "rewritten", says), ...headersOf(answer)]
  }
  const what = headMs === undefined ? "no part of a stream arrives" : "only part of a stream arrives"
  return [faulty("streams", "buffered", `${what} within ${seconds(patient.patienceMs)}: they are delayed`)]
}

/** Whether a stream has the headers that it was sent with. */
function headersOf({ headers }: Answer): readonly Finding[] {
  const stripped = Object.entries(EXPECTED).filter(
    ([name, value]) => !String(headers[name] ?? "").includes(value),
  )
  const lost = stripped.map(([name, value]) => `${name}: ${value}`)
  const missing = [...lost, ...unreadable(headers)].join(", ")
  const isDoubled = String(headers["access-control-allow-origin"] ?? "").includes(",")
  const doubled = "browsers refuse the stream: Access-Control-Allow-Origin is sent twice"
  return [
    ...(isDoubled ? [faulty("other pages", "cors_doubled", doubled)] : []),
    missing === ""
      ? good("headers", "those of streams arrive as they were sent")
      : faulty("headers", "headers_stripped", `missing from a stream: ${missing}`),
  ]
}

/** The headers that every stream of a server has. */
const EXPECTED = {
  "content-type": "text/event-stream",
  "cache-control": "no-transform",
  "x-content-type-options": "nosniff",
}

/** Whether streams are compressed for clients that allow it, as browsers do. */
export async function compressionOf(patient: Patient): Promise<Finding> {
  const { headers, headMs } = await opened(patient, { "accept-encoding": "gzip, deflate, br, zstd" })
  const encoding = headers["content-encoding"] ?? "identity"
  if (headMs === undefined) return unknown("compression", "a browser's request got no stream")
  if (encoding === "identity") return good("compression", "streams are not compressed")
  return faulty(
    "compression",
    "compressed",
    `streams are compressed (${printable(encoding)}), which delays each update`,
  )
}

/** Whether a last event ID reaches the server. No server gave this ID, so the server answers with a gap. */
export async function resumptionOf(patient: Patient): Promise<Finding> {
  const { text } = await opened(patient, { "last-event-id": "doctor" })
  if (!isLive(text)) return unknown("resuming", NOT_WATCHED.unopened)
  if (/^event: gap$/m.test(text)) return good("resuming", "the last event ID arrives")
  return faulty(
    "resuming",
    "not_resumed",
    "the last event ID does not arrive, so a viewer that reconnects misses updates",
  )
}

/**
 * When the first keepalive is certainly there, in milliseconds after the stream began, unless the server was started
 * with another time: the server waits 15 s, looks once a second, and may be busy, as may this machine.
 */
const LATEST_KEEPALIVE_MS = 20_000

/**
 * An idle stream, watched until it ends or its time is over, which is counted from its beginning: the time that a
 * busy machine takes to open it does not count. With 0 seconds, none is opened.
 */
export const idleStream = (patient: Patient): Promise<Answer> | undefined =>
  patient.idleMs === 0
    ? undefined
    : sendRequest(patient, {
        path: QUIET,
        headers: { accept: "text/event-stream" },
        mostMs: patient.idleMs,
        watchMs: patient.idleMs,
      })

/** Whether an idle stream stays open, with its keepalives. */
export async function idlenessOf({ idleMs }: Patient, idle: Promise<Answer> | undefined): Promise<Finding> {
  const about = "idle streams"
  if (idle === undefined) return unknown(about, "not checked (--idle 0)")
  const { text, end, headMs = 0, lastMs } = await idle
  if (!isLive(text)) return unknown(about, NOT_WATCHED.unopened)
  if (SHUTDOWN.test(text)) return unknown(about, NOT_WATCHED.stopped)
  if (end !== "late") return faulty(about, "cut", `an idle stream was cut after ${seconds(lastMs)}`)
  if (/^: keepalive$/m.test(text))
    return good(about, `stay open, with keepalives; watched for ${seconds(idleMs)}`)
  if (lastMs - headMs <= LATEST_KEEPALIVE_MS)
    return unknown(
      about,
      `open for ${seconds(idleMs)}, in which no keepalive may have been due: watch longer`,
    )
  return faulty(
    about,
    "keepalive_lost",
    `no keepalive came within ${seconds(idleMs)}; a server sends one every 15 s unless --keepalive-ms says otherwise`,
  )
}
