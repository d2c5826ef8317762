import { isLoopback } from "../loopback.ts"

/** The system's code for why a connection failed; empty in browsers, which hide it. Node has it in the cause. */
function codeOf(error: unknown): string {
  const { code, cause }: { readonly code?: unknown; readonly cause?: unknown } = Object(error)
  if (typeof code === "string") return code
  return cause === undefined ? "" : codeOf(cause)
}

/** The codes of Bun and Node for an answer that is no HTTP. */
const NO_HTTP = /^(Malformed_HTTP|Unrequested|InvalidContentLength|HPE_)/

/** Why a request to the server at `origin` got no answer, and the way out, by the error of `fetch`. */
export function unanswered(origin: string, error: unknown): string {
  const code = codeOf(error)
  const { hostname, host } = new URL(origin)
  if (code === "ENOTFOUND" || code === "EAI_AGAIN")
    return `no server answers at ${origin}: the host name ${hostname} is not known here; check the name and the network`
  if (/^CERT_|^ERR_TLS_CERT|^UNABLE_TO_|SELF_SIGNED/.test(code))
    return `the certificate of ${origin} is not accepted (${code}); see "track-studio doctor ${origin}"`
  if (code === "EPROTO") return `no TLS connection to ${origin}; is it http://${host}?`
  if (code === "ECONNRESET" || code === "UND_ERR_SOCKET")
    return `no server answers at ${origin}: the connection was closed`
  if (NO_HTTP.test(code))
    return `the program at ${origin} is not a Track Studio server: it does not speak HTTP`
  return isLoopback(hostname)
    ? `no server answers at ${origin}; start one with "track-studio serve"`
    : `no server answers at ${origin}; does it run, and may this machine reach it?`
}
