import { faulty, type Finding, good, unknown } from "./finding.ts"
import {
  type Answer,
  answerWords,
  foreignAnswerWords,
  isLimit,
  isOurs,
  NO_ID,
  type Patient,
  refusalIn,
  saidIn,
  sendRequest,
} from "./send-request.ts"
import { BUSY, NOT_WATCHED, OF_ONE, QUIET, SHUTDOWN } from "./streams.ts"

/** A renderer's output for an item that is never added: the server refuses it as soon as it begins. */
const INGEST = { method: "POST", path: `/queue/${NO_ID}/ingest/lines`, unfinished: "0 %\n" } as const

/** More bytes than any renderer prints. */
const LARGE_BYTES = 1e9

/** "Request Timeout": with it Apache refuses a body that pauses. */
const TIMEOUT = 408

/** Whether the output of a renderer, which may last for hours, reaches the server while it is sent. */
export async function uploadsOf(patient: Patient): Promise<readonly Finding[]> {
  const [endless, large] = await Promise.all([
    sendRequest(patient, INGEST),
    sendRequest(patient, { ...INGEST, headers: { "content-length": String(LARGE_BYTES) } }),
  ])
  // Of two requests a limit may let through one.
  const limited = [endless, large].find(isLimit)
  if (limited && [endless, large].some(isOurs))
    return [faulty("ingest", "limited", `a second request at once: ${answerWords(limited)}`)]
  return [await pieces(endless, patient), size(large)]
}

/** More streams of single items than begin by chance within a second. */
const WITNESSES = 7

/** The number of the streams of single items that the server has open; not a number if it does not show it. */
async function streamsOfOne(patient: Patient): Promise<number> {
  const { streams } = saidIn(await sendRequest(patient, { path: "/progress/stats" }))
  return Number(Object(streams).item)
}

/**
 * Whether the server gets a request whose body has not ended. Some proxies, such as Varnish, pass on such a body as
 * it comes, but read no answer before its end; then only the server's number of streams shows it. A proxy that passes
 * on the answers to these streams would have passed on one to a renderer's output, too.
 */
async function isSeen(patient: Patient): Promise<boolean> {
  const before = await streamsOfOne(patient)
  const witnesses = Array.from({ length: WITNESSES }, () =>
    sendRequest(patient, { ...STREAMING, path: OF_ONE, mostMs: 2000 }),
  )
  await new Promise((resolve) => setTimeout(resolve, 1000))
  const during = await streamsOfOne(patient)
  const answers = await Promise.all(witnesses)
  return during >= before + WITNESSES && answers.every(({ status }) => status === 0)
}

async function pieces(answer: Answer, patient: Patient): Promise<Finding> {
  const about = "ingest"
  const { patienceMs } = patient
  const { status, reason } = answer
  if (isOurs(answer)) return good(about, "request bodies arrive while they are sent")
  if (isLimit(answer)) return unknown(about, answerWords(answer))
  if (status === TIMEOUT)
    return faulty(about, "body_cut", `${answerWords(answer)}: a request body that pauses is cut`)
  if (status !== 0) return faulty(about, "answers_replaced", foreignAnswerWords(answer))
  if (reason !== "") return unknown(about, `the connection broke: ${reason}`)
  if (await isSeen(patient))
    return good(about, "request bodies arrive while they are sent, answers after them")
  return faulty(
    about,
    "body_buffered",
    `a request body arrives only when it is complete (nothing within ${patienceMs / 1000} s), so a render shows no progress until its end`,
  )
}

function size(answer: Answer): Finding {
  const about = "ingest, size"
  if (answer.status === 413)
    return faulty(about, "body_limited", "large request bodies are refused, so a long render would break off")
  if (answer.status === 0) return unknown(about, "a large request body got no answer")
  if (!isOurs(answer)) return unknown(about, foreignAnswerWords(answer))
  return good(
    about,
    "a request may announce a body of 1 GB; a limit that counts what comes (Caddy's request_body) is not seen",
  )
}

/** A request that the server waits for: the rest of its body never comes, so it changes nothing. */
const WAITING = {
  method: "POST",
  path: "/tickets",
  headers: { "content-type": "application/json" },
  unfinished: "{",
} as const

/** The server itself ends such a request after 60 s. */
const LONGEST_WAIT_MS = 55_000

/** A stream whose request has a body that pauses: the server does not read it, and never ends it. */
const STREAMING = {
  path: QUIET,
  headers: { accept: "text/event-stream", "transfer-encoding": "chunked" },
  unfinished: "\n",
} as const

/** If two streams are cut for the same reason, their ends are at most this far apart. */
const TOGETHER_MS = 500

/**
 * Answers that are given instead of the server to a request that is ended early: nothing, "Request Timeout",
 * "Gateway Timeout".
 */
const TIMEOUTS: readonly number[] = [0, TIMEOUT, 504]

/** Whether a proxy has ended a request early, or its stream. */
const isCut = (answer: Answer): boolean =>
  answer.end !== "late" &&
  (TIMEOUTS.includes(answer.status) || answer.status === 200) &&
  refusalIn(answer).code === ""

/**
 * Whether a body may pause, as a renderer does in a frame that takes long. Some proxies limit the pause
 * itself, others the time in which nothing is sent in either direction. `idle` is a stream whose request has
 * no body: if that one is cut, the limit is not one on bodies.
 */
export async function pausesOf(patient: Patient, idle: Promise<Answer> | undefined): Promise<Finding> {
  const about = "ingest, pauses"
  if (idle === undefined) return unknown(about, "not checked (--idle 0)")
  const { idleMs } = patient
  const [waiting, streaming, without] = await Promise.all([
    sendRequest(patient, { ...WAITING, mostMs: Math.min(idleMs, LONGEST_WAIT_MS) }),
    sendRequest(patient, { ...STREAMING, mostMs: idleMs }),
    idle,
  ])
  if (SHUTDOWN.test(streaming.text)) return unknown(about, NOT_WATCHED.stopped)
  const cut = isCut(waiting) ? waiting : streaming
  if (cut === streaming && BUSY.test(cut.text)) return unknown(about, NOT_WATCHED.unopened)
  const seconds = Math.round(cut.lastMs / 1000)
  if (cut.end === "late") return good(about, `bodies may pause; watched for ${seconds} s`)
  if (!isCut(cut)) return unknown(about, refusalIn(cut).error || `the answer is ${cut.status}`)
  if (cut === streaming && without.end !== "late" && without.lastMs < cut.lastMs + TOGETHER_MS)
    return unknown(about, "idle streams are cut, so nothing can be seen")
  return faulty(about, "body_cut", `a body that pauses is cut after ${seconds} s: a slow frame ends a render`)
}
