import type { Caller } from "../access/authorize.ts"
import { nodeCrypto } from "../lazy-node.ts"
import type { ClientLimits } from "./client-limits.ts"
import { compressedJson } from "./compressed-json.ts"
import { isReadMethod } from "./host-and-origin.ts"
import { bodyOf, unread } from "./streamed-answer.ts"

/** The kernel takes a shorter answer whole, even if its client does not read it. */
const LARGE_BYTES = 128 * 1024
const PIECE_BYTES = 64 * 1024

/** The bytes piece by piece, as fast as the client reads them. At their end `held` is disposed of. */
async function* inPieces(
  bytes: Uint8Array<ArrayBuffer> | Promise<Uint8Array<ArrayBuffer>>,
  held: Disposable | undefined,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  using _held = held
  const all = await bytes
  for (let at = 0; at < all.length; at += PIECE_BYTES) yield all.subarray(at, at + PIECE_BYTES)
}

/** Whether a client asks for the digest of the answer's content (RFC 9530); a preference of 0 stands for one it does not want. */
const wantsDigest = (request: Request): boolean =>
  /\bsha-256\b(?!\s*=\s*0)/.test(request.headers.get("want-content-digest") ?? "")

/** The header with the digest of a text, by which its reader sees whether it arrived as it was sent. */
const digestOf = (text: string): string =>
  `sha-256=:${nodeCrypto().createHash("sha256").update(text).digest("base64")}:`

/** What an answer depends on, beside its text. */
interface Answering {
  readonly request: Request
  readonly caller: Caller
  /** The headers of the answer; some may be added. */
  readonly headers: Parameters<typeof compressedJson>[2]
  readonly limits: ClientLimits
}

/**
 * The body of a JSON answer, which is charged to the caller. It is compressed if that saves time. A large one counts as
 * unread until it was sent, because the server keeps it until then; it counts with its length before compression.
 * The answer to a write does not count. A short one that is not compressed has its digest if the client asked for it.
 * @throws AppError `too_many_requests` if the caller does not read its answers
 */
export function jsonAnswer(json: string, { request, caller, headers, limits }: Answering) {
  limits.charge(caller, json.length)
  // What a write did is done, and only its answer says so, such as the lease of a claim.
  const isCounted = json.length >= LARGE_BYTES && isReadMethod(request.method)
  // A caller that is refused costs no compression.
  const held = isCounted ? limits.holdUnread(caller, json.length, unread(request)) : undefined
  const body = compressedJson(json, request, headers) ?? json
  if (!(body instanceof Promise) && body.length < LARGE_BYTES) {
    held?.[Symbol.dispose]()
    if (body === json && wantsDigest(request)) headers["content-digest"] = digestOf(json)
    return body
  }
  // A client that leaves before its answer begins never waits for it.
  if (body instanceof Promise) body.catch(() => undefined)
  return bodyOf(inPieces(typeof body === "string" ? Buffer.from(body) : body, held))
}
