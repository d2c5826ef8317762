import { isLoopback } from "../loopback.ts"
import { answerHeadersOf } from "./answer-headers.ts"
import { arrivalAt } from "./answering-server.ts"
import { cachesOn } from "./caches.ts"
import { certificateOf } from "./certificate.ts"
import { type Finding, note } from "./finding.ts"
import { heldOf } from "./held-answers.ts"
import { pageFinding } from "./page.ts"
import { replacedRefusalsOf, unavailableOf } from "./replaced-refusals.ts"
import { requestHeadersOf } from "./request-headers.ts"
import { accountOf, addressOf, foreignHost, originsOf, queriesOf, refusalsOf } from "./requests.ts"
import { rewritingOf } from "./rewriting.ts"
import type { Patient } from "./send-request.ts"
import { arrivalOf, compressionOf, idlenessOf, idleStream, resumptionOf } from "./streams.ts"
import { pausesOf, uploadsOf } from "./uploads.ts"
import { socketOf } from "./websockets.ts"
import { wholeBodiesOf } from "./whole-bodies.ts"

/** What a check has found. */
type Findings = Promise<Finding | readonly Finding[]>

/** The checks that wait for something to come or to be cut. They begin at once, and together. */
function begun(patient: Patient, isIn: boolean): readonly Findings[] {
  if (!isIn) return [uploadsOf(patient)]
  const idle = idleStream(patient)
  return [
    uploadsOf(patient),
    socketOf(patient),
    arrivalOf(patient),
    compressionOf(patient),
    resumptionOf(patient),
    pausesOf(patient, idle),
    heldOf(patient),
    idlenessOf(patient, idle),
  ]
}

/**
 * The checks that take a moment each. Together they would reach the limits of proxies and delay the checks that
 * measure times, so each begins when the one before it has ended.
 */
const quick = (isIn: boolean, isProxied: boolean): readonly ((patient: Patient) => Findings)[] => [
  refusalsOf,
  wholeBodiesOf,
  originsOf,
  foreignHost,
  (patient) => addressOf(patient, isProxied),
  pageFinding,
  answerHeadersOf,
  ...(isIn ? [cachesOn, queriesOf, requestHeadersOf, rewritingOf, replacedRefusalsOf] : []),
]

/**
 * Examines a server through its public address, as browsers, commands and renderers reach it. The findings
 * come in the order in which they are read. Nothing is changed: each request that would change something is
 * for an item that does not exist.
 */
export async function* examined(patient: Patient): AsyncGenerator<Finding, void, undefined> {
  if (patient.url.protocol === "https:") {
    const certificate = await certificateOf(patient)
    yield certificate
    // The token must not be sent to a program that cannot prove that it is the server.
    if (certificate.verdict === "fault" && certificate.fault !== "certificate_ends") return
  } else if (patient.token !== undefined && !isLoopback(patient.url.hostname)) {
    yield note("encryption", "none: anyone between here and the server can read the token; use https")
  }
  const { finding, isReached, isProxied } = await arrivalAt(patient)
  yield finding
  if (!isReached) return
  const { isIn, findings } = await accountOf(patient)
  yield* findings
  const waiting = begun(patient, isIn)
  for (const check of quick(isIn, isProxied)) yield* [await check(patient)].flat()
  for (const finding of waiting) yield* [await finding].flat()
  // Last, as a proxy may then send the server nothing for some time.
  if (isIn) yield await unavailableOf(patient)
}
