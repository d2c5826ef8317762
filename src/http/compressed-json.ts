import { zlib } from "../lazy-node.ts"
import { acceptsGzip } from "./accepts.ts"

/** A shorter answer arrives in the first packets of a connection, so compressing it would save no time. */
const LEAST_LENGTH = 14_000
/** A longer answer of random text would hold up all other clients for more than 20 ms, so another thread compresses it. */
const LONGEST_AT_ONCE = 2_000_000
/** Higher levels make lists hardly smaller, and take twice as long for random text, which anyone may store. */
const LEVEL = 1
/** Each answer that is compressed in another thread takes several times its length of memory meanwhile. */
const MOST_BESIDE = 2

/** The headers of an answer, as far as they are changed here. */
interface Headers {
  [name: string]: string | number | undefined
}

/** How many answers are being compressed in another thread. */
let compressing = 0

/** The bytes of a long answer, compressed in another thread. */
function compressedBeside(json: string): Promise<Uint8Array<ArrayBuffer>> {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array<ArrayBuffer>>()
  zlib().gzip(json, { level: LEVEL }, (error, bytes) => {
    compressing -= 1
    if (error) reject(error)
    else resolve(bytes)
  })
  compressing += 1
  return promise
}

/**
 * A JSON answer compressed, with `content-encoding` and `vary` added to its headers; undefined if it is sent as it is,
 * because it is short, or long while others are compressed, or the client does not accept gzip.
 */
export function compressedJson(
  json: string,
  request: Request,
  headers: Headers,
): Uint8Array<ArrayBuffer> | Promise<Uint8Array<ArrayBuffer>> | undefined {
  if (json.length < LEAST_LENGTH) return undefined
  const varies = headers["vary"]
  if (varies !== "*")
    headers["vary"] = varies === undefined ? "accept-encoding" : `${varies}, accept-encoding`
  const isLong = json.length > LONGEST_AT_ONCE
  if (!acceptsGzip(request) || (isLong && compressing >= MOST_BESIDE)) return undefined
  headers["content-encoding"] = "gzip"
  return isLong ? compressedBeside(json) : Bun.gzipSync(json, { level: LEVEL })
}
