import { checkServerIdentity, connect, type TLSSocket } from "node:tls"

import { counted, printable } from "../text.ts"
import { type Answer, exchange, type Patient, refusalIn, saidIn } from "./exchange.ts"
import { faulty, type Finding, good } from "./finding.ts"

const DAY_MS = 86_400_000

/** A certificate that ends sooner than this was not renewed in time. */
const RENEWAL_DAYS = 14

const SILENCES: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there",
  ENOTFOUND: "there is no such name",
  EHOSTUNREACH: "there is no route to it",
  ENETUNREACH: "there is no route to it",
  ECONNRESET: "the connection was cut",
}

/** Why there is no TLS connection, in words. */
function plainly(error: Error): string {
  if (error.message.includes("WRONG_VERSION_NUMBER")) return "what listens there speaks plain http"
  return SILENCES["code" in error ? String(error.code) : ""] ?? error.message
}

/** The TLS connection, or why there is none. */
function secured({ url, patienceMs }: Patient): Promise<TLSSocket | Error> {
  const host = url.hostname.replace(/^\[|\]$/g, "")
  return new Promise((resolve) => {
    const servername = /^[\d.]+$|:/.test(host) ? {} : { servername: host }
    const socket = connect({ host, port: Number(url.port || 443), rejectUnauthorized: false, ...servername })
    socket.setTimeout(patienceMs, () => resolve(new Error("no answer in time")))
    socket.once("secureConnect", () => resolve(socket))
    socket.once("error", resolve)
  })
}

/** Whether the certificate of the address is one that clients accept, and for how long. */
export async function certificateOf(patient: Patient): Promise<Finding> {
  const about = "certificate"
  const socket = await secured(patient)
  if (socket instanceof Error) return faulty(about, "unreachable", `no TLS connection: ${plainly(socket)}`)
  const certificate = socket.getPeerCertificate()
  const refused = socket.authorizationError ?? checkServerIdentity(patient.url.hostname, certificate)
  socket.destroy()
  const end = new Date(certificate.valid_to)
  const days = Math.floor((end.getTime() - patient.now()) / DAY_MS)
  const until = `until ${end.toISOString().slice(0, 10)}`
  if (days < 0) return faulty(about, "certificate_bad", `expired: it was valid ${until}`)
  if (refused) return faulty(about, "certificate_bad", `clients refuse it: ${reasonOf(refused)}`)
  if (days < RENEWAL_DAYS)
    return faulty(about, "certificate_ends", `valid ${until}, for ${counted(days, "more day")}`)
  return good(about, `valid ${until}`)
}

const REASONS: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: "it is signed by itself",
  SELF_SIGNED_CERT_IN_CHAIN: "its signer is unknown here",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "its signer is unknown here, or its chain is not sent",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its signer is unknown here, or its chain is not sent",
}

const reasonOf = (refused: Error | string): string => {
  const code = typeof refused === "string" ? refused : "code" in refused ? String(refused.code) : ""
  return REASONS[code] ?? (typeof refused === "string" ? refused : refused.message)
}

/** Why there is no answer, in words. */
const silenceOf = ({ end, reason }: Answer, { url, patienceMs }: Patient): string => {
  const why = end === "late" ? `nothing came within ${patienceMs / 1000} s` : (SILENCES[reason] ?? reason)
  return `no answer from ${url.host}: ${why || "the connection was cut"}`
}

/** The name that a server gives itself; no proxy uses it. */
const SERVICE = "track-studio-orchestrator"

/** Which program answered in the server's place. */
const answeredBy = ({ status, headers }: Answer): string =>
  printable(`${status}${headers.server === undefined ? "" : ` from ${headers.server}`}`)

/** What another answer than that of the health check means. */
function strangerOf(answer: Answer, { url }: Patient): Finding {
  const [about, { status }] = ["server", answer]
  const { error, code } = refusalIn(answer)
  if (code === "not_found") {
    const says = `it is reached, and does not know ${printable(url.pathname)}: the proxy must take that path away`
    return faulty(about, "path_kept", says)
  }
  if (code !== "") return faulty(about, "not_let_in", error)
  const by = answeredBy(answer)
  if (status === 401 || status === 403)
    return faulty(about, "kept_out", `${by}: a proxy lets nobody through without its own login`)
  if (status === 502 || status === 503 || status === 504)
    return faulty(about, "not_ours", `${by}: a proxy answers, and does not reach the server`)
  return faulty(about, "not_ours", `${by} answers, not a Track Studio server`)
}

/** What was found on the way to the server, and what the server says of itself. */
export interface Arrival {
  /** How the server was reached, or why it was not. */
  readonly finding: Finding
  /** Whether a Track Studio server answered. */
  readonly isReached: boolean
  /** Whether it is known that a proxy stands before it. */
  readonly isProxied: boolean
}

/** Whether a Track Studio server answers at the address. */
export async function arrivalAt(patient: Patient): Promise<Arrival> {
  const [about, { url }] = ["server", patient]
  const answer = await exchange(patient, { path: "/health", isNamed: false })
  const lost = (finding: Finding): Arrival => ({ finding, isReached: false, isProxied: false })
  const { status, headers, headMs = 0 } = answer
  if (status === 0) return lost(faulty(about, "unreachable", silenceOf(answer, patient)))
  if (headers.location !== undefined) {
    const to = new URL(headers.location, url).href.replace(/\/api\/v1\/health$/, "/")
    return lost(faulty(about, "redirected", `${status}: it redirects to ${printable(to)}`))
  }
  const { error, code } = refusalIn(answer)
  if (code === "misdirected") return lost(faulty(about, "host_refused", error))
  const { service, version, commit } = saidIn(answer)
  if (service !== SERVICE) return lost(strangerOf(answer, patient))
  const by = headers.server === undefined ? "" : ` through ${headers.server}`
  const says = printable(`track-studio ${version} (${commit})${by}, answered in ${Math.ceil(headMs)} ms`)
  const isProxied = headers.server !== undefined || headers.via !== undefined
  return { finding: good(about, says), isReached: true, isProxied }
}
