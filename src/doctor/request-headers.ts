import { faulty, type Finding, good, unknown } from "./finding.ts"
import { type Patient, saidIn, sendRequest } from "./send-request.ts"

/**
 * The headers of requests without which the server cannot do what is asked, and what goes wrong without them.
 * Those of tokens, pages and streams have checks of their own.
 */
const NEEDED: Readonly<Record<string, string>> = {
  Accept: "browsers get no page, and programs not the format that they ask for",
  "Content-Type": "every change that has a body is refused",
  "Idempotency-Key": "an item whose answer was lost is added twice",
  Lease: "workers cannot report",
}

/** Whether the headers of a request arrive. The server names those that it got. */
export async function requestHeadersOf(patient: Patient): Promise<Finding> {
  const about = "request headers"
  const names = Object.keys(NEEDED)
  const headers = Object.fromEntries(
    names.map((name) => [name, ["Accept", "Content-Type"].includes(name) ? "application/json" : "doctor"]),
  )
  const { client_headers: arrived } = saidIn(
    await sendRequest(patient, { path: "/progress/stats?headers=true", headers }),
  )
  if (!Array.isArray(arrived)) return unknown(about, "the server does not show them")
  const lost = names.filter((name) => !arrived.includes(name.toLowerCase()))
  if (lost.length === 0) return good(about, "arrive as they were sent")
  const so = lost.map((name) => NEEDED[name]).join(", and ")
  return faulty(about, "headers_lost", `taken out on the way: ${lost.join(", ")}: ${so}`)
}
