import { acceptsGzip } from "./accepts.ts"

/** A shorter answer arrives in the first packets of a connection, so compressing it would save no time. */
const LEAST_LENGTH = 14_000
/** A longer answer of random text would hold up all other clients for more than 20 ms. */
const MOST_LENGTH = 2_000_000
/** Higher levels make lists hardly smaller, and take twice as long for random text, which anyone may store. */
const LEVEL = 1

/** The headers of an answer, as far as they are changed here. */
interface Headers {
  [name: string]: string | number | undefined
}

/**
 * A JSON answer compressed, with `content-encoding` and `vary` added to its headers; undefined if it is sent as it is,
 * because it is short or very long, or the client does not accept gzip.
 */
export function compressedJson(
  json: string,
  request: Request,
  headers: Headers,
): Uint8Array<ArrayBuffer> | undefined {
  if (json.length < LEAST_LENGTH || json.length > MOST_LENGTH) return undefined
  const varies = headers["vary"]
  if (varies !== "*")
    headers["vary"] = varies === undefined ? "accept-encoding" : `${varies}, accept-encoding`
  if (!acceptsGzip(request)) return undefined
  headers["content-encoding"] = "gzip"
  return Bun.gzipSync(json, { level: LEVEL })
}
