import { faulty, type Finding, good, unknown } from "./finding.ts"
import { answerWords, isOurs, type Patient, refusalIn, sendRequest } from "./send-request.ts"

/** An item without a song: the server refuses it, and says so only if the body has arrived. */
const WHOLE = {
  method: "POST",
  path: "/queue",
  headers: { "content-type": "application/json" },
  body: "{}",
} as const

/** A proxy that lets a request through to nobody refuses it at once; one that waits for something needs seconds. */
const AT_ONCE_MS = 1000

/**
 * Whether a request with a whole body, as commands and workers send it, arrives with its body. Some proxies first ask
 * the server whether it wants the body, and wait for a "100 Continue" that it never sends.
 */
export async function wholeBodiesOf(patient: Patient): Promise<Finding> {
  const about = "request bodies"
  const mostMs = 2 * patient.patienceMs
  const answer = await sendRequest(patient, { ...WHOLE, mostMs })
  if (refusalIn(answer).code === "malformed_json")
    return faulty(about, "body_lost", "requests arrive without their bodies, so nothing can be changed")
  if (isOurs(answer)) return good(about, "requests with a body are answered by the server")
  if (answer.end === "broken" || (answer.headMs ?? mostMs) < AT_ONCE_MS)
    return unknown(about, answerWords(answer))
  const says = answer.status === 0 ? `there is no answer within ${mostMs / 1000} s` : answerWords(answer)
  return faulty(about, "body_lost", `a request with a body does not reach the server: ${says}`)
}
