import type { ItemChange, NewItem, QueueItem } from "../../item/item.ts"
import type { StreamUpdate } from "../model/messages.ts"

/** Where the server is: one level above this script, so that the page works below any path of a proxy. */
export const BASE = new URL("../", import.meta.url)

/** An answer that is no success, in the server's own words. `status` is 0 where nobody answered. */
export class Refusal extends Error {
  readonly status: number
  /** Milliseconds after which to ask again, where the server said so. */
  readonly retryMs: number | null

  constructor(status: number, message: string, retryMs: number | null = null) {
    super(message)
    this.name = "Refusal"
    this.status = status
    this.retryMs = retryMs
  }
}

/** The sentence of an error envelope, or one of our own where something else answered. */
async function sentenceOf(answer: Response): Promise<string> {
  try {
    const { error }: { error?: unknown } = await answer.json()
    if (typeof error === "string") return error.charAt(0).toUpperCase() + error.slice(1)
  } catch {
    // Not our envelope: a proxy spoke.
  }
  return `The server answered ${answer.status}`
}

/**
 * Asks the server.
 * @throws Refusal
 */
export async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  const answer = await fetch(new URL(path, BASE), { cache: "no-store", ...init }).catch(() => {
    throw new Refusal(
      0,
      init.signal?.aborted ? "The server did not answer in time" : "The server cannot be reached",
    )
  })
  if (answer.ok) return answer
  const seconds = Number(answer.headers.get("retry-after") ?? Number.NaN)
  throw new Refusal(answer.status, await sentenceOf(answer), Number.isFinite(seconds) ? seconds * 1000 : null)
}

const API = "api/v1"

function send(
  method: string,
  path: string,
  body?: NewItem | ItemChange,
  headers: Record<string, string> = {},
) {
  return ask(`${API}${path}`, {
    method,
    headers: body === undefined ? headers : { ...headers, "content-type": "application/json" },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
}

/** One item. @throws Refusal */
export const getItem = async (id: number): Promise<QueueItem> => (await ask(`${API}/queue/${id}`)).json()

/** One page of the queue. @throws Refusal */
export async function getQueue(after: string | null): Promise<{ queue: QueueItem[]; next: string | null }> {
  const query = new URLSearchParams({ limit: "1000", ...(after !== null && { after }) })
  return (await ask(`${API}/queue?${query}`)).json()
}

/** Updates of an item after an event ID, a page of them. @throws Refusal */
export async function getUpdates(id: number, after: number): Promise<StreamUpdate[]> {
  const { updates }: { updates: StreamUpdate[] } = await (
    await ask(`${API}/queue/${id}/updates?after=${after}&limit=1000`)
  ).json()
  return updates
}

/** A key that makes a repeated request the same one. `crypto.randomUUID` is missing on plain http. */
export const newKey = (): string =>
  [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("")

/** Adds an item; the same key adds it once. @throws Refusal */
export const addItem = async (item: NewItem, key: string): Promise<QueueItem> =>
  (await send("POST", "/queue", item, { "idempotency-key": key })).json()

/** Changes an item. @throws Refusal */
export const changeItem = async (id: number, change: ItemChange): Promise<QueueItem> =>
  (await send("PUT", `/queue/${id}`, change)).json()

/** Calls an item off. @throws Refusal */
export const cancelItem = async (id: number): Promise<QueueItem> =>
  (await send("POST", `/queue/${id}/cancel`)).json()

/** Puts a finished item back into the queue. @throws Refusal */
export const retryItem = async (id: number): Promise<QueueItem> =>
  (await send("POST", `/queue/${id}/retry`)).json()

/** Deletes an item. @throws Refusal */
export async function deleteItem(id: number): Promise<void> {
  await send("DELETE", `/queue/${id}`)
}
