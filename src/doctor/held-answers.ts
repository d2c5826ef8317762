import { faulty, type Finding, good, unknown } from "./finding.ts"
import { answerWords, type Patient, refusalIn, saidIn, sendRequest } from "./send-request.ts"

/** The longest that the server holds an answer, in seconds. */
const LONGEST_S = 3600

/**
 * An item that is not finished; undefined if there is none, or if this caller may not see any. A text says why
 * the list did not come.
 */
async function unfinished(patient: Patient): Promise<number | undefined | string> {
  const answer = await sendRequest(patient, { path: "/queue?limit=1" })
  const { queue } = saidIn(answer)
  if (!Array.isArray(queue)) return refusalIn(answer).error || `no list of items came: ${answerWords(answer)}`
  const [item] = queue
  // Those that are not finished come first in the list.
  return item === undefined || item.completed_at !== null ? undefined : item.id
}

/**
 * Whether the server may hold an answer for long, as it does for clients that wait until an item is finished.
 */
export async function heldOf(patient: Patient): Promise<Finding> {
  const about = "held answers"
  const { idleMs } = patient
  if (idleMs === 0) return unknown(about, "not checked (--idle 0)")
  const id = await unfinished(patient)
  if (typeof id === "string") return unknown(about, id)
  if (id === undefined) {
    return unknown(
      about,
      "not checked, as no item is unfinished; nginx cuts them after 60 s, unless it has proxy_read_timeout 1h;",
    )
  }
  const answer = await sendRequest(patient, {
    path: `/queue/${id}?wait=finished&timeout=${LONGEST_S}`,
    mostMs: idleMs,
  })
  const { status, end, lastMs } = answer
  const seconds = Math.round(lastMs / 1000)
  const { error } = refusalIn(answer)
  if (error !== "") return unknown(about, error)
  const item = saidIn(answer)
  if (end === "late" || (item["id"] === id && item["completed_at"] !== null))
    return good(about, `may take long; watched for ${seconds} s`)
  // The server will stop soon, or the request to wait did not reach it.
  if (item["id"] === id)
    return unknown(about, `an item was answered after ${seconds} s, before it was finished`)
  const how = status === 0 ? "cut" : `answered with ${status}`
  return faulty(about, "answer_cut", `a request that waits is ${how} after ${seconds} s, not by the server`)
}
