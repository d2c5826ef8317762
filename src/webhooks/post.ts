import { retryAfterMs } from "../backoff.ts"
import { reasonOf } from "../errors.ts"
import { nodeCrypto } from "../lazy-node.ts"
import type { Delivery } from "../store/contract/deliveries.ts"

const REPLY_MS = 10_000

/** The part of a delivery that is posted, and where to. */
type Posted = Pick<Delivery, "url" | "data" | "notice" | "update_id">

/** How a delivery is posted. */
export interface PostOptions {
  /** The key for the signature: a text, or base64 after `whsec_`. Undefined for no signature. */
  readonly secret: string | undefined
  /** What the program calls itself, for the header User-Agent. */
  readonly userAgent: string
  /** The name of the history that the update belongs to. */
  readonly historyId: string
  /** The machine's time, in epoch milliseconds. */
  readonly now: () => number
  /** Breaks the request off when it aborts. */
  readonly signal: AbortSignal
}

/** What a webhook replied. */
export interface Reply {
  /** The HTTP status; null if no reply came. */
  readonly status: number | null
  /** Why the delivery failed; empty if it succeeded. */
  readonly error: string
  /** Milliseconds that the webhook asks us to wait (Retry-After); 0 if it does not ask. */
  readonly waitMs: number
}

/** The first hexadecimal digits of the SHA-256 of a text. */
const hashOf = (text: string, digits: number): string =>
  nodeCrypto().createHash("sha256").update(text).digest("hex").slice(0, digits)

/** Eight digits that stand for a URL, because the path of the URL may be a secret. */
export const urlId = (url: string): string => hashOf(url, 8)

/**
 * The ID by which a receiver knows a delivery that it has received before. The name of the history is no part
 * of it, because a restore changes that name while the delivery waits.
 */
const idOf = ({ update_id, data }: Posted): string => `${update_id}-${hashOf(data, 32)}`

/**
 * The signature by which a receiver knows that a delivery comes from this server, as Standard Webhooks
 * specifies it.
 */
function signature(secret: string, id: string, timestampS: number, body: string): string {
  const prefix = "whsec_"
  const key = secret.startsWith(prefix) ? Buffer.from(secret.slice(prefix.length), "base64") : secret
  return `v1,${nodeCrypto().createHmac("sha256", key).update(`${id}.${timestampS}.${body}`).digest("base64")}`
}

/**
 * Sends a delivery once. It never rejects: a failure is a reply with an error. If there is no reply, it gives
 * up after 10 s.
 */
export async function post(delivery: Posted, options: PostOptions): Promise<Reply> {
  const { secret, userAgent, historyId, now, signal } = options
  const { url, data, notice, update_id } = delivery
  const id = idOf(delivery)
  const timestampS = Math.floor(now() / 1000)
  const body = `{"type":"${notice}","history":"${historyId}","data":{"id":${update_id},${data.slice(1)}}`
  try {
    const reply = await fetch(url, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "user-agent": userAgent,
        "webhook-id": id,
        "webhook-timestamp": String(timestampS),
        ...(secret !== undefined && { "webhook-signature": signature(secret, id, timestampS, body) }),
      },
      body,
      redirect: "manual",
      // The status says all. A body that grows a thousandfold would only take memory.
      decompress: false,
      signal: AbortSignal.any([signal, AbortSignal.timeout(REPLY_MS)]),
    })
    await reply.body?.cancel()
    const waitMs = retryAfterMs(reply.headers)
    return { status: reply.status, error: reply.ok ? "" : `it answered ${reply.status}`, waitMs }
  } catch (error) {
    return { status: null, error: reasonOf(error), waitMs: 0 }
  }
}
