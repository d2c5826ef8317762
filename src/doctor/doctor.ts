import { arrivalAt } from "./answering-server.ts"
import { certificateOf } from "./certificate.ts"
import { isHere, type Patient } from "./exchange.ts"
import { type Finding, note } from "./finding.ts"
import { heldOf } from "./held-answers.ts"
import { accountOf, addressOf, cachesOn, foreignHost, originsOf, queriesOf, refusalsOf } from "./requests.ts"
import { socketOf } from "./sockets.ts"
import { arrivalOf, compressionOf, idlenessOf, idleStream, resumptionOf } from "./streams.ts"
import { pausesOf, uploadsOf } from "./uploads.ts"

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
  } else if (patient.token !== undefined && !isHere(patient.url)) {
    yield note("encryption", "none: anyone between here and the server can read the token; use https")
  }
  const { finding, isReached, isProxied } = await arrivalAt(patient)
  yield finding
  if (!isReached) return
  const { isIn, findings } = await accountOf(patient)
  yield* findings
  const idle = isIn ? idleStream(patient) : undefined
  const looks: Promise<Finding | readonly Finding[]>[] = [
    refusalsOf(patient),
    originsOf(patient),
    foreignHost(patient),
    addressOf(patient, isProxied),
    uploadsOf(patient),
    ...(isIn
      ? [
          cachesOn(patient),
          queriesOf(patient),
          socketOf(patient),
          arrivalOf(patient),
          compressionOf(patient),
          resumptionOf(patient),
          pausesOf(patient, idle),
          heldOf(patient),
          idlenessOf(patient, idle),
        ]
      : []),
  ]
  for (const look of looks) yield* [await look].flat()
}
