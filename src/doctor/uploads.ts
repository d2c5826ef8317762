import { type Answer, exchange, type Patient } from "./exchange.ts"
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
