import { expect, test } from "bun:test"

import { AppError } from "../../src/errors.ts"
import type { QueueItem, Report } from "../../src/item/item.ts"
import { claimed } from "../../src/item/lease.ts"
import { IDLE } from "../../src/item/stored.ts"
import { IngestTurns } from "../../src/queue/ingest-turns.ts"
import { Ingest, type IngestParts } from "../../src/queue/ingest.ts"
import type { OutputWriter } from "../../src/queue/output-writer.ts"
import { draft, START_MS } from "../contracts/store.contract.ts"

const { item } = claimed(
  { item: { id: 7, ...draft() }, work: IDLE },
  { worker: "box1", token: "a", leaseMs: 60_000 },
  { time: new Date(START_MS).toISOString(), steadyMs: START_MS },
)
const standing = { directive: "continue", item, expiresAt: null, leaseMs: null, isDraining: false } as const

/** An ingest of 10 s of ffmpeg whose database takes nothing while `isAway`, and what that database was given. */
function reading(before: QueueItem | null = item) {
  const underWay = before ?? undefined
  const state = {
    isAway: false,
    isFull: false,
    isStopping: false,
    answered: Promise.resolve(),
    written: Promise.resolve(),
  }
  const stored: (Report | string)[] = []
  const take = async (what: Report | string): Promise<typeof standing> => {
    await state.answered
    const isNoResult = typeof what === "object"
    if (state.isAway || (state.isFull && isNoResult))
      throw new AppError("unavailable", "the database is full")
    stored.push(what)
    return standing
  }
  const workers: IngestParts["workers"] = {
    report: (_id, _token, report) => take(report),
    heartbeat: () => take("heartbeat"),
    complete: () => take("complete"),
    fail: (_id, _token, { error_message }) => take(error_message),
    get hasNoRoom() {
      return state.isFull
    },
    get draining() {
      return state.isStopping
    },
  }
  const queue = { update: async (): Promise<QueueItem> => item }
  const pieces: string[] = []
  const writer = (): OutputWriter => {
    let refusal: AppError | undefined
    const some: unknown = {
      push(bytes: Uint8Array) {
        if (refusal) throw refusal
        if (state.isAway) refusal = new AppError("unavailable", "the database is full")
        else pieces.push(new TextDecoder().decode(bytes))
      },
      end: () => state.written,
    }
    return some as OutputWriter
  }
  const known = { id: 7, token: "a", total: 10, bars: undefined, span: undefined, underWay } as const
  const ingest = new Ingest(
    { workers, queue, output: { writer }, turns: new IngestTurns() },
    { ...known, renderer: "ffmpeg" },
  )
  const output = new TransformStream<Uint8Array, Uint8Array>(undefined, undefined, { highWaterMark: 1 })
  const to = output.writable.getWriter()
  const ended = ingest.listen(output.readable)
  const print = async (seconds: number, end = "continue"): Promise<void> => {
    const text = `out_time_us=${seconds * 1_000_000}\nspeed=1x\nprogress=${end}\n`
    await to.write(new TextEncoder().encode(text))
    await new Promise(setImmediate)
  }
  return { ingest, state, stored, pieces, print, close: () => to.close(), ended }
}

test("a renderer's output is read on while the database takes nothing, and its end is stored afterwards", async () => {
  const { ingest, state, stored, pieces, print, close, ended } = reading()
  await print(1)
  state.isAway = true
  await print(2)
  await print(5)
  state.isAway = false
  // The newest report of the outage is stored, though the renderer is silent now.
  while (!stored.some((what) => typeof what === "object" && what.progress === 50)) await Bun.sleep(10)
  await print(6)
  expect(pieces.map((text) => /us=(\d+)000000/.exec(text)?.[1])).toEqual(["1", "6"])
  state.isAway = true
  await print(10, "end")
  await close()
  await ended
  const finished = ingest.finish()
  state.isAway = false
  await finished
  expect(stored.at(-1)).toBe("complete")
})

test("a report that comes while the database is still refusing the one before is stored afterwards", async () => {
  const { state, stored, print, close, ended } = reading()
  const held = Promise.withResolvers<void>()
  state.answered = held.promise
  state.isAway = true
  await print(2)
  await print(5)
  held.resolve()
  await new Promise(setImmediate)
  state.isAway = false
  while (stored.length === 0) await Bun.sleep(10)
  expect(stored).toMatchObject([{ progress: 50 }])
  await close()
  await ended
})

test("the end of an output without a verdict says that its last report was not stored", async () => {
  const { ingest, state, print, close, ended } = reading()
  await print(1)
  ingest.leave()
  state.isAway = true
  await close()
  await ended
  expect(() => ingest.leave()).toThrow("the database is full")
})

test("the end of a render is stored although the database is full and took none of its reports", async () => {
  const { ingest, state, stored, print, close, ended } = reading()
  state.isFull = true
  await print(10, "end")
  await close()
  await ended
  await ingest.finish()
  expect(stored).toEqual(["complete"])
})

test("a render whose item has not begun is refused at once by a full database, and during an outage by a server that stops", async () => {
  const { ingest, state, print, close, ended } = reading(null)
  state.isFull = true
  await print(10, "end")
  await close()
  await ended
  await expect(ingest.finish()).rejects.toThrow("the database is full")
  state.isFull = false
  state.isAway = true
  const finished = ingest.finish()
  state.isStopping = true
  await expect(finished).rejects.toThrow("the database is full")
})

test("the end of an output after an outage is no error, if its last report was stored", async () => {
  const { ingest, state, stored, print, close, ended } = reading()
  state.isAway = true
  await print(5)
  state.isAway = false
  while (!stored.some((what) => typeof what === "object" && what.progress === 50)) await Bun.sleep(10)
  await close()
  await ended
  ingest.leave()
})

test("the end of an output waits until all that was printed is stored", async () => {
  const { state, print, close, ended } = reading()
  const held = Promise.withResolvers<void>()
  state.written = held.promise
  let isOver = false
  const over = ended.then(() => (isOver = true))
  await print(1)
  await close()
  for (let tick = 0; tick < 20; tick += 1) await new Promise(setImmediate)
  expect(isOver).toBe(false)
  held.resolve()
  await over
})
