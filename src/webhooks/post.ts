import { retryAfterMs } from "../backoff.ts"
import { reasonOf } from "../errors.ts"
import { nodeCrypto } from "../node.ts"
import type { Delivery } from "../store/contract/deliveries.ts"

const REPLY_MS = 10_000

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

/** Eight digits that stand for a URL, because the path of the URL may be a secret. */
export const urlId = (url: string): string =>
  nodeCrypto().createHash("sha256").update(url).digest("hex").slice(0, 8)

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
export async function post(delivery: Delivery, options: PostOptions): Promise<Reply> {
  const { secret, userAgent, historyId, now, signal } = options
  const { url, data, notice, update_id } = delivery
  const id = `${historyId}-${update_id}`
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
      signal: AbortSignal.any([signal, AbortSignal.timeout(REPLY_MS)]),
    })
    await reply.body?.cancel()
    const waitMs = retryAfterMs(reply.headers)
    return { status: reply.status, error: reply.ok ? "" : `it answered ${reply.status}`, waitMs }
  } catch (error) {
    return { status: null, error: reasonOf(error), waitMs: 0 }
  }
}
