import { checkServerIdentity, connect, type TLSSocket } from "node:tls"

import { codeOf } from "../errors.ts"
import { counted, printable } from "../text.ts"
import { faulty, type Finding, good } from "./finding.ts"
import { hostOf, type Patient, portOf, SILENCES } from "./send-request.ts"

const DAY_MS = 86_400_000

/** A certificate that ends within this many days was not renewed in time. */
const RENEWAL_DAYS = 14

/** The meaning of a failure to connect by TLS. */
function withoutTls(error: Error): Finding {
  const isPlain = error.message.includes("WRONG_VERSION_NUMBER")
  const reason = SILENCES[codeOf(error)] ?? error.message
  const why = isPlain ? "what listens there speaks plain http" : reason
  return faulty("certificate", isPlain ? "scheme_wrong" : "unreachable", `no TLS connection: ${why}`)
}

/** The TLS connection, or the reason why there is none. */
function secured({ url, patienceMs }: Patient): Promise<TLSSocket | Error> {
  const host = hostOf(url)
  return new Promise((resolve) => {
    const servername = /^[\d.]+$|:/.test(host) ? {} : { servername: host }
    const socket = connect({ host, port: portOf(url), rejectUnauthorized: false, ...servername })
    socket.setTimeout(patienceMs, () => socket.destroy(new Error("no answer in time")))
    socket.once("secureConnect", () => resolve(socket))
    socket.once("error", resolve)
  })
}

/** Whether what listens at the address speaks TLS. */
export async function speaksTls(patient: Patient): Promise<boolean> {
  const socket = await secured(patient)
  if (socket instanceof Error) return false
  socket.destroy()
  return true
}

/** Whether the certificate of the address is one that clients accept, and for how long. */
export async function certificateOf(patient: Patient): Promise<Finding> {
  const about = "certificate"
  const socket = await secured(patient)
  if (socket instanceof Error) return withoutTls(socket)
  const certificate = socket.getPeerCertificate()
  const refused = socket.authorizationError ?? checkServerIdentity(patient.url.hostname, certificate)
  socket.destroy()
  const end = new Date(certificate.valid_to)
  const days = Math.floor((end.getTime() - patient.now()) / DAY_MS)
  const until = `until ${end.toISOString().slice(0, 10)}`
  if (days < 0) return faulty(about, "certificate_bad", `expired: it was valid ${until}`)
  if (refused) {
    const { subjectaltname } = certificate
    const names = subjectaltname ? ` (${printable(subjectaltname)})` : ""
    return faulty(about, "certificate_bad", `clients refuse it: ${refusalWords(refused)}${names}`)
  }
  if (days < RENEWAL_DAYS)
    return faulty(about, "certificate_ends", `valid ${until}, for ${counted(days, "more day")}`)
  return good(about, `valid ${until}`)
}

const REASONS: Readonly<Record<string, string>> = {
  CERT_NOT_YET_VALID: "it is not valid yet, or this machine's clock is behind",
  ERR_TLS_CERT_ALTNAME_INVALID: "it is for other names",
  DEPTH_ZERO_SELF_SIGNED_CERT: "it is signed by itself",
  SELF_SIGNED_CERT_IN_CHAIN: "its signer is unknown here",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "its signer is unknown here, or its chain is not sent",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its signer is unknown here, or its chain is not sent",
}

const refusalWords = (refused: Error | string): string => {
  const code = typeof refused === "string" ? refused : codeOf(refused)
  return REASONS[code] ?? (typeof refused === "string" ? refused : refused.message)
}
