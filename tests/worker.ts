import { expect } from "bun:test"

import type { QueueItem } from "../src/item/item.ts"
import type { StoredUpdate } from "../src/item/stored.ts"
import type { Lease } from "../src/queue/workers.ts"
import type { TestServer } from "./server.ts"

/** The options of a claim; the worker's name is "box1" by default. */
export interface Wish {
  readonly worker?: string
  readonly wait?: number
  readonly lease?: number
  readonly tags?: readonly string[]
  readonly id?: number
  readonly again?: boolean
}

/** An answer to a worker, with its status code. */
export interface Said {
  readonly status: number
  readonly directive?: "continue" | "cancel"
  readonly lease?: { readonly expires_at: string }
  readonly item?: QueueItem
  readonly code?: string
  readonly error?: string
}

/** An item that a worker holds. */
export class Attempt {
  readonly server: TestServer
  readonly item: QueueItem
  readonly lease: Lease

  constructor(server: TestServer, { item, lease }: { item: QueueItem; lease: Lease }) {
    this.server = server
    this.item = item
    this.lease = lease
  }

  get id(): number {
    return this.item.id
  }

  /** Sends a request with the lease's token in the header. */
  async say(verb: string, body?: object, query = ""): Promise<Said> {
    const headers = { lease: this.lease.token }
    const answer = await this.server.api("POST", `/queue/${this.id}/${verb}${query}`, body, headers)
    const said: Omit<Said, "status"> = await answer.json()
    return { status: answer.status, ...said }
  }

  /** The item as the server has it now. */
  now(): Promise<QueueItem> {
    return this.server.item(this.id)
  }
}

/** The answer to the claim. */
export const asked = (server: TestServer, wish: Wish = {}, init: RequestInit = {}): Promise<Response> =>
  fetch(`${server.url}/api/v1/queue/claim`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ worker: "box1", ...wish }),
    ...init,
  })

/** Claims an item; null if there is none. */
export async function claim(server: TestServer, wish: Wish = {}): Promise<Attempt | null> {
  const answer = await asked(server, wish)
  if (answer.status === 204) {
    expect(await answer.text()).toBe("")
    return null
  }
  expect(answer.status).toBe(200)
  return new Attempt(server, await answer.json())
}

/** Adds an item with its own tag and claims it, whatever other items wait. */
export async function attempt(
  server: TestServer,
  body: object = {},
  wish: Omit<Wish, "tags"> = {},
): Promise<Attempt> {
  const tag = crypto.randomUUID()
  const id = await server.add({ song_id: 1, priority: 1_000_000, tags: [tag], ...body })
  const taken = await claim(server, { ...wish, tags: [tag] })
  expect(taken?.id).toBe(id)
  if (!taken) throw new Error("nothing was claimed")
  return taken
}

/** An update of an item, as the item's history has it. */
export type Told = Pick<StoredUpdate, "id" | "queue_id"> & Partial<QueueItem>

/** All updates of an item, the oldest first. */
export async function told(server: TestServer, id: number): Promise<Told[]> {
  const answer = await server.api("GET", `/queue/${id}/updates?limit=1000`)
  const { updates }: { updates: Told[] } = await answer.json()
  return updates
}

/** Resolves when the item fits. It is read again and again; rejects after `limitMs`. */
export async function itemOnce(
  server: TestServer,
  id: number,
  fits: (item: QueueItem) => boolean,
  limitMs = 60_000,
): Promise<QueueItem> {
  const deadline = performance.now() + limitMs
  for (;;) {
    const item = await server.item(id)
    if (fits(item)) return item
    if (performance.now() > deadline) throw new Error(`not so after ${limitMs} ms: ${JSON.stringify(item)}`)
    await Bun.sleep(20)
  }
}

/** How long a promise takes, in milliseconds, and its result. */
export async function timed<T>(promise: Promise<T>): Promise<[T, number]> {
  const startedMs = performance.now()
  return [await promise, performance.now() - startedMs]
}
