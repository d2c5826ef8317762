import { ASKED_REFUSALS, type AskedRefusal, REFUSALS } from "../errors.ts"
import { type Answer, answerWords, exchange, isLimit, type Patient, refusalIn } from "./exchange.ts"
import { faulty, type Finding, good, unknown } from "./finding.ts"
import { isWholeRefusal } from "./requests.ts"

/** What each of these refusals has beside its text. Clients come back later, or stop, because of it. */
const HEADERS = { "retry-after": "1", "access-control-expose-headers": "retry-after" }

/** What is missing from a refusal that has arrived. */
function missingFrom({ headers }: Answer, code: AskedRefusal): readonly string[] {
  const expected = { ...HEADERS, ...(code === "unauthorized" && { "www-authenticate": "Bearer" }) }
  return Object.entries(expected)
    .filter(([name, value]) => !String(headers[name] ?? "").includes(value))
    .map(([name]) => name)
}

/** What is wrong with a refusal that was asked for, or why none came; undefined if it arrived as it was sent. */
function changeOf(answer: Answer, code: AskedRefusal): Finding | undefined {
  const { status } = REFUSALS[code]
  const about = "refusals"
  const came = refusalIn(answer)
  if (answer.status === 0) return unknown(about, answerWords(answer))
  // A server of an older version does not know the route.
  if (isWholeRefusal(answer) && came.code !== code) return unknown(about, came.error)
  if (!isWholeRefusal(answer)) {
    const fault = isLimit(answer) && answer.status !== status ? "limited" : "answers_replaced"
    return faulty(about, fault, `one with ${status}: ${answerWords(answer)}, not from the server`)
  }
  const missing = missingFrom(answer, code).join(", ")
  return missing === ""
    ? undefined
    : faulty(about, "headers_stripped", `missing from one with ${status}: ${missing}`)
}

/**
 * Whether refusals arrive whole that no request of the doctor is certain to get: workers stop because of them, or
 * come back later. None of them has a status of 500 or more: a proxy that gets one may send the server no requests
 * for some time.
 */
export async function askedRefusalsOf(patient: Patient): Promise<Finding> {
  for (const code of ASKED_REFUSALS) {
    const answer = await exchange(patient, { path: `/refusals/${code}` })
    const change = changeOf(answer, code)
    if (change) return change
  }
  return good("refusals", "arrive as they were sent, with their headers")
}
