import { printable } from "../text.ts"
import { speaksTls } from "./certificate.ts"
import { faulty, type Finding, good } from "./finding.ts"
import { type Answer, type Patient, refusalIn, saidIn, sendRequest, SILENCES } from "./send-request.ts"

/** Why there is no answer, in words. */
const silenceOf = ({ end, reason }: Answer, { url, patienceMs }: Patient): string => {
  const why = end === "late" ? `nothing came within ${patienceMs / 1000} s` : (SILENCES[reason] ?? reason)
  return `no answer from ${url.host}: ${why || "the connection was cut"}`
}

/** The name that a server gives itself; no proxy uses it. */
const SERVICE = "track-studio-orchestrator"

/** Which program answered instead of the server. */
const answeredBy = ({ status, headers }: Answer): string =>
  printable(`${status}${headers.server === undefined ? "" : ` from ${headers.server}`}`)

/** The meaning of an answer that is not that of the health check. */
function strangerOf(answer: Answer, { url }: Patient): Finding {
  const [about, { status }] = ["server", answer]
  const { error, code } = refusalIn(answer)
  if (code === "not_found") {
    const says = `the server was reached, but does not know ${printable(url.pathname)}: the proxy must remove that path`
    return faulty(about, "path_kept", says)
  }
  if (code !== "") return faulty(about, "not_let_in", error)
  const by = answeredBy(answer)
  if (status === 401 || status === 403)
    return faulty(about, "kept_out", `${by}: a proxy asks for its own login first`)
  if (status === 502 || status === 503 || status === 504)
    return faulty(about, "not_ours", `${by}: a proxy answers, and does not reach the server`)
  return faulty(about, "not_ours", `${by} answers, not a Track Studio server`)
}

/** The meaning of an answer that leads to another address. */
function redirectOf({ status, headers: { location = "" } }: Answer, { url }: Patient): Finding {
  const about = "server"
  const to = URL.parse(location, url)
  if (to?.pathname.endsWith("/api/v1/health")) {
    const there = to.href.replace(/\/api\/v1\/health$/, "/")
    return faulty(about, "redirected", `${status}: it redirects to ${printable(there)}`)
  }
  const there = to ? `${to.origin}${to.pathname}` : location
  return faulty(
    about,
    "led_away",
    `${status}: it leads to ${printable(there)}, where no Track Studio server answers`,
  )
}

/** Whether a plain request was sent to what speaks TLS: that cuts the connection, or answers 400. */
const isForTls = async (answer: Answer, patient: Patient): Promise<boolean> =>
  patient.url.protocol === "http:" &&
  (answer.status === 400 ||
    (answer.end === "broken" && SILENCES[answer.reason] === undefined) ||
    answer.reason === "ECONNRESET") &&
  refusalIn(answer).code === "" &&
  (await speaksTls(patient))

/** The host name in the refusal of a server that does not answer to it. */
const REFUSED_HOST = /host name "([^"]+)"/

/** The meaning of an answer that refuses a host name: a proxy may have sent another one than was asked for. */
function hostFault(error: string, { url }: Patient): Finding {
  const about = "server"
  const seen = REFUSED_HOST.exec(error)?.[1]
  if (seen === undefined || seen === url.hostname.replace(/\.$/, ""))
    return faulty(about, "host_refused", error)
  const says = `the server was asked for ${printable(seen)}, and not for ${url.hostname}: the proxy must pass the host unchanged`
  return faulty(about, "host_changed", says)
}

/** What was found on the way to the server, and what the server says about itself. */
export interface Arrival {
  /** How the server was reached, or why it was not. */
  readonly finding: Finding
  /** Whether a Track Studio server answered. */
  readonly isReached: boolean
  /** Whether it is certain that a proxy stands before it. */
  readonly isProxied: boolean
}

/** Whether a Track Studio server answers at the address. */
export async function arrivalAt(patient: Patient): Promise<Arrival> {
  const about = "server"
  const answer = await sendRequest(patient, { path: "/health", isNamed: false })
  const lost = (finding: Finding): Arrival => ({ finding, isReached: false, isProxied: false })
  const { status, headers, headMs = 0 } = answer
  if (await isForTls(answer, patient))
    return lost(faulty(about, "scheme_wrong", "what listens there speaks https"))
  if (status === 0) return lost(faulty(about, "unreachable", silenceOf(answer, patient)))
  if (headers.location !== undefined) return lost(redirectOf(answer, patient))
  const { error, code } = refusalIn(answer)
  if (code === "misdirected") return lost(hostFault(error, patient))
  const { service, version, commit } = saidIn(answer)
  if (service !== SERVICE) return lost(strangerOf(answer, patient))
  const by = headers.server === undefined ? "" : ` through ${headers.server}`
  const says = printable(`track-studio ${version} (${commit})${by}, answered in ${Math.ceil(headMs)} ms`)
  const isProxied = headers.server !== undefined || headers.via !== undefined
  return { finding: good(about, says), isReached: true, isProxied }
}
