import { expect, test } from "bun:test"

import { AppError } from "../../src/errors.ts"
import { type AppParts, createApp } from "../../src/http/app.ts"
import type { QueueItem, Report } from "../../src/item/item.ts"
import { claimed } from "../../src/item/lease.ts"
import { IDLE } from "../../src/item/stored.ts"
import { longestSilenceMs } from "../../src/queue/ingest-silence.ts"
import { IngestTurns } from "../../src/queue/ingest-turns.ts"
import { Ingest } from "../../src/queue/ingest.ts"
import type { OutputWriter } from "../../src/queue/output-writer.ts"
import type { RendererName } from "../../src/renderers/names.ts"
import { draft, START_MS } from "../contracts/store.contract.ts"
import { UNPROTECTED } from "../http/unprotected.ts"

const MINUTE = 60_000
const { item } = claimed(
  { item: { id: 7, ...draft() }, work: IDLE },
  { worker: "box1", token: "a", leaseMs: MINUTE },
  { time: new Date(START_MS).toISOString(), steadyMs: START_MS },
)

/** An ingest whose connection stays open, because a peer that lost its power does not close it. */
function listening(
  renderer: RendererName,
  now: () => number,
  onRenewed: () => void,
  turns = new IngestTurns(),
) {
  const standing = (): Promise<{
    directive: "continue"
    item: QueueItem
    expiresAt: null
    leaseMs: null
    isDraining: false
  }> => {
    onRenewed()
    return Promise.resolve({ directive: "continue", item, expiresAt: null, leaseMs: null, isDraining: false })
  }
  const workers = { report: standing, heartbeat: standing, complete: standing, fail: standing }
  const queue = { get: () => Promise.resolve(item), update: () => Promise.resolve(item) }
  const known = { id: 7, token: "a", renderer, total: 60, bars: undefined, span: undefined, underWay: item }
  const ingest = new Ingest({ workers, queue, turns }, { ...known, now })
  const output = new TransformStream<Uint8Array, Uint8Array>(undefined, undefined, { highWaterMark: 1 })
  const writer = output.writable.getWriter()
  const ended = ingest.listen(output.readable).then(
    () => "ended",
    (error: Error) => error.message,
  )
  const print = async (text: string): Promise<void> => {
    await writer.write(new TextEncoder().encode(text))
    await new Promise(setImmediate)
  }
  return { ingest, ended, print }
}

/** After how many minutes of silence a renderer loses its lease, checked each third of a lease. */
async function lostAfter(renderer: RendererName, leaseMs: number, output: string): Promise<number> {
  let [nowMs, renewedMs] = [0, 0]
  const { ingest, ended, print } = listening(
    renderer,
    () => nowMs,
    () => (renewedMs = nowMs),
  )
  await print(output)
  await ingest.settle()
  let lostMs: number | undefined
  while (lostMs === undefined && nowMs < 200 * MINUTE) {
    nowMs += leaseMs / 3
    ingest.keepAlive(leaseMs)
    await new Promise(setImmediate)
    if (nowMs - renewedMs >= leaseMs) lostMs = renewedMs + leaseMs
  }
  nowMs = (lostMs ?? 0) + leaseMs
  ingest.keepAlive(leaseMs)
  expect(await ended).toContain("has printed nothing for")
  return (lostMs ?? Number.NaN) / MINUTE
}

const at = (seconds: number): string => `frame=${seconds}\nout_time_us=${seconds * 1e6}\nprogress=continue\n`

test.each([
  ["ffmpeg", 1, at(30), 5],
  ["ffmpeg", 10, at(30), 10],
  ["ffmpeg", 1, at(60), 30],
  ["blender", 1, "Fra:1 Mem:1M | Sample 1/4\n", 30],
  ["blender", 60, "Fra:1 Mem:1M | Sample 1/4\n", 60],
  ["lines", 1, "image 1 of 5\n", 30],
] as const)("%s under a lease of %d min loses it after %j and %d min of silence", async (...one) => {
  const [renderer, leaseMin, output, minutes] = one
  const lost = await lostAfter(renderer, leaseMin * MINUTE, output)
  // A round of the timer can be a third of a lease late.
  expect(lost).toBeWithin(minutes - leaseMin / 3 - 0.01, minutes + 0.01)
})

test("a renderer that prints a line every four minutes keeps its lease for hours", async () => {
  let [nowMs, renewedMs] = [0, 0]
  const { ingest, ended, print } = listening(
    "ffmpeg",
    () => nowMs,
    () => (renewedMs = nowMs),
  )
  let isOver = false
  void ended.then(() => (isOver = true))
  for (let minute = 0; minute < 120 && !isOver; minute += 1) {
    if (minute % 4 === 0) await print(at(1 + minute / 4))
    ingest.keepAlive(MINUTE)
    await new Promise(setImmediate)
    expect(nowMs - renewedMs).toBeLessThanOrEqual(MINUTE)
    nowMs += MINUTE
  }
  expect(isOver).toBe(false)
})

test("of the output before the start is stored, the newest part is kept, and all that follows", async () => {
  const stored: string[] = []
  const started = Promise.withResolvers<void>()
  const standing = { directive: "continue", item, expiresAt: null, leaseMs: null, isDraining: false } as const
  const report = async (): Promise<typeof standing> => {
    await started.promise
    return standing
  }
  const workers = { report, heartbeat: report, complete: report, fail: report }
  const queue = { get: async () => item, update: async () => item }
  const decoder = new TextDecoder()
  const writer: unknown = {
    push: (bytes: Uint8Array) => void stored.push(decoder.decode(bytes)),
    end: async () => undefined,
  }
  const output = { writer: () => writer as OutputWriter }
  const known = { id: 7, token: "a", renderer: "lines", total: undefined, bars: undefined } as const
  const ingest = new Ingest(
    { workers, queue, output, turns: new IngestTurns() },
    { ...known, span: undefined, underWay: undefined },
  )
  async function* printed(): AsyncGenerator<Uint8Array> {
    for (let line = 1; line <= 20; line += 1) yield new TextEncoder().encode(`${line}\n`)
    started.resolve()
    while (stored.length === 0) await new Promise(setImmediate)
    yield new TextEncoder().encode("the last\n")
  }
  await ingest.listen(printed())
  const lines = Array.from({ length: 16 }, (_, i) => `${i + 5}\n`)
  expect(stored).toEqual([...lines, "the last\n"])
})

test("a renderer whose report is refused is not read any more", async () => {
  let isLeft = false
  const refused = async (): Promise<never> => {
    throw new AppError("lease_lost", "the lease is another's")
  }
  const workers = { report: refused, heartbeat: refused, complete: refused, fail: refused }
  const queue = { get: async () => item, update: async () => item }
  const known = { id: 7, token: "a", renderer: "lines", total: undefined, bars: undefined } as const
  const ingest = new Ingest(
    { workers, queue, turns: new IngestTurns() },
    { ...known, span: undefined, underWay: undefined },
  )
  async function* printed(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        yield new TextEncoder().encode("a line\n")
        await new Promise(setImmediate)
      }
    } finally {
      isLeft = true
    }
  }
  await expect(ingest.listen(printed())).rejects.toThrow("the lease is another's")
  expect(isLeft).toBe(true)
})

test("while a renderer is silent its lease is renewed each third of its length, as long as the request lasts", async () => {
  const leaseMs = 600
  const renewedMs: number[] = []
  const heartbeat = async (): Promise<object> => {
    renewedMs.push(performance.now())
    return { directive: "continue", item, expiresAt: null, leaseMs, isDraining: false }
  }
  const about = { host: "127.0.0.1", corsOrigins: [], allowedHosts: [], version: "0", commit: "none" }
  const output = { writer: () => ({ push: () => undefined, end: async () => undefined }) }
  const parts: Partial<Record<keyof AppParts, unknown>> = {
    ...about,
    workers: { heartbeat },
    queue: { get: async () => item },
    output,
    ...UNPROTECTED,
  }
  const app = createApp(parts as AppParts)
  const printed = new TransformStream<Uint8Array, Uint8Array>()
  const url = "http://localhost/api/v1/queue/7/ingest/lines"
  const request = new Request(url, { method: "POST", headers: { lease: "a" }, body: printed.readable })
  const answer = app.handle(request)
  while (renewedMs.length < 3) await Bun.sleep(10)
  await printed.writable.close()
  expect((await answer).status).toBe(200)
  const [firstMs = 0, , thirdMs = 0] = renewedMs
  expect(thirdMs - firstMs).toBeLessThan(leaseMs)
  const { length } = renewedMs
  await Bun.sleep(leaseMs / 2)
  expect(renewedMs).toHaveLength(length)
})

test("the kept part of a flood is read a little later, each time", async () => {
  let heard = Promise.withResolvers<Report>()
  const standing = { directive: "continue", item, expiresAt: null, leaseMs: null, isDraining: false } as const
  const report = async (_id: number, _token: string | undefined, said: Report) => {
    if (said.progress !== undefined) heard.resolve(said)
    return standing
  }
  const over = async () => standing
  const workers = { report, heartbeat: over, complete: over, fail: over }
  const known = { id: 7, token: "a", total: 60, bars: undefined, span: undefined, underWay: item }
  const queue = { update: () => Promise.resolve(item) }
  const ingest = new Ingest(
    { workers, queue, turns: new IngestTurns() },
    { ...known, renderer: "ffmpeg", now: () => 0 },
  )
  const output = new TransformStream<Uint8Array, Uint8Array>(undefined, undefined, { highWaterMark: 1 })
  const writer = output.writable.getWriter()
  const listening = ingest.listen(output.readable)
  // This uses up what may be read at once, and the clock stands still.
  const flood = "x\n".repeat(600 * 1024)
  for (const progress of [25, 50]) {
    heard = Promise.withResolvers<Report>()
    await writer.write(new TextEncoder().encode(flood))
    await writer.write(new TextEncoder().encode(`out_time_us=${progress * 600_000}\nprogress=continue\n`))
    expect((await heard.promise).progress).toBe(progress)
  }
  await writer.close()
  await listening
})

test("an output that breaks off before its renderer has said its end is a failure, however far it had come", async () => {
  const ended: string[] = []
  const standing = { directive: "continue", item, expiresAt: null, leaseMs: null, isDraining: false } as const
  const workers = {
    report: async () => standing,
    heartbeat: async () => standing,
    async complete() {
      ended.push("completed")
      return standing
    },
    async fail(_id: number, _token: string, { error_message }: { readonly error_message: string }) {
      ended.push(error_message)
      return standing
    },
  }
  const known = { id: 7, token: "a", total: 60, bars: undefined, span: undefined, underWay: item }
  const queue = { update: () => Promise.resolve(item) }
  for (const word of ["continue", "end"]) {
    const ingest = new Ingest({ workers, queue, turns: new IngestTurns() }, { ...known, renderer: "ffmpeg" })
    const output = new Blob([`out_time_us=60000000\nprogress=${word}\n`]).stream()
    await ingest.listen(output)
    await ingest.finish()
  }
  expect(ended).toEqual(["the renderer's output broke off at 100 % of its total", "completed"])
})

test("what a renderer has printed is not kept in memory until its end", async () => {
  const standing = async () => {
    const lease = { expiresAt: null, leaseMs: null, isDraining: false } as const
    return { directive: "continue", item, ...lease } as const
  }
  const workers = { report: standing, heartbeat: standing, complete: standing, fail: standing }
  const queue = { update: async () => item }
  const known = { id: 7, token: "a", total: 60, bars: undefined, span: undefined, underWay: item }
  const pieces: WeakRef<Uint8Array>[] = []
  let kept = 0
  async function* printed(): AsyncGenerator<Uint8Array> {
    for (let i = 0; i < 64; i += 1) {
      const piece = new TextEncoder().encode(`out_time_us=${i}\nprogress=continue\n`)
      pieces.push(new WeakRef(piece))
      yield piece
      await new Promise(setImmediate)
    }
    Bun.gc(true)
    kept = pieces.filter((piece) => piece.deref() !== undefined).length
  }
  await new Ingest({ workers, queue, turns: new IngestTurns() }, { ...known, renderer: "ffmpeg" }).listen(
    printed(),
  )
  expect(kept).toBeLessThan(8)
})

test("an ffmpeg that has said nothing of how far it is may be silent for no longer than one in the middle", () => {
  expect(longestSilenceMs("ffmpeg", null)).toBe(longestSilenceMs("ffmpeg", 0.5))
  expect(longestSilenceMs("ffmpeg", null)).toBeLessThan(longestSilenceMs("ffmpeg", 1))
})

test("an output waits for its turn once, however much of it comes meanwhile", async () => {
  let asked = 0
  const turns = new IngestTurns()
  turns.take = () => void (asked += 1)
  const { ingest, ended, print } = listening(
    "ffmpeg",
    () => 0,
    () => undefined,
    turns,
  )
  for (let second = 1; second <= 3; second += 1) await print(at(second))
  expect(asked).toBe(1)
  ingest.stop(new Error("over"))
  expect(await ended).toBe("over")
})
