import { type AskedRefusal, REFUSALS, REFUSALS_ON_DEMAND } from "../errors.ts"
import { faulty, type Finding, good, unknown } from "./finding.ts"
import { isWholeRefusal } from "./requests.ts"
import {
  type Answer,
  answerWords,
  foreignAnswerWords,
  isLimit,
  type Patient,
  refusalIn,
  saidIn,
  sendRequest,
} from "./send-request.ts"

/** What each of these refusals has beside its text. Clients come back later, or stop, because of it. */
const HEADERS = { "retry-after": "1", "access-control-expose-headers": "retry-after" }

const ABOUT = "refusals"

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
  const came = refusalIn(answer)
  if (answer.status === 0) return unknown(ABOUT, answerWords(answer))
  // A server of an older version does not know the route.
  if (isWholeRefusal(answer) && came.code !== code) return unknown(ABOUT, came.error)
  if (!isWholeRefusal(answer)) {
    const fault = isLimit(answer) && answer.status !== status ? "limited" : "answers_replaced"
    return faulty(ABOUT, fault, `one with ${status}: ${foreignAnswerWords(answer)}`)
  }
  const missing = missingFrom(answer, code).join(", ")
  return missing === ""
    ? undefined
    : faulty(ABOUT, "headers_stripped", `missing from one with ${status}: ${missing}`)
}

/**
 * Whether refusals arrive whole that no request of the doctor is certain to get: workers stop because of them, or
 * come back later. None of them has a status of 500 or more.
 */
export async function replacedRefusalsOf(patient: Patient): Promise<Finding> {
  for (const code of REFUSALS_ON_DEMAND) {
    if (code === "unavailable") continue
    const answer = await sendRequest(patient, { path: `/refusals/${code}` })
    const change = changeOf(answer, code)
    if (change) return change
  }
  return good(ABOUT, "arrive as they were sent, with their headers")
}

/**
 * Whether the refusal arrives with which the server says that it can do something later: workers and viewers wait as
 * long as it says. After any such answer, some proxies believe that the server is gone, and then keep everybody away for some
 * time; nginx does not do so for a POST.
 */
export async function unavailableOf(patient: Patient): Promise<Finding> {
  const about = "refusals for now"
  const { status } = REFUSALS.unavailable
  const health = () => sendRequest(patient, { path: "/health", isNamed: false })
  // A limit of a proxy answers with the same status.
  const before = await health()
  if (isLimit(before)) return unknown(about, answerWords(before))
  const answer = await sendRequest(patient, { method: "POST", path: "/refusals/unavailable" })
  const change = changeOf(answer, "unavailable")
  if (change) return { ...change, about }
  const next = await health()
  if (next.status === 0) return unknown(about, `after one answer of ${status}, ${answerWords(next)}`)
  if (saidIn(next)["service"] === undefined)
    return faulty(
      about,
      "taken_out",
      `after one answer of ${status} a proxy stops passing requests to the server: ${answerWords(next)}`,
    )
  return good(about, "arrive as they were sent, and the server goes on to get requests")
}
