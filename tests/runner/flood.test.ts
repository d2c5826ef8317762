import { expect, test } from "bun:test"
import { closeSync, createWriteStream } from "node:fs"

import { type Renderer, renderer } from "../../src/renderers/renderer.ts"
import { OutputSpool } from "../../src/runner/output-spool.ts"
import { makePipe, Tap } from "../../src/runner/pipes.ts"

const BYTES = 150_000_000
const ROUNDS = 3

/** What is done with a flood in addition to passing it on. */
interface Beside {
  readonly spool?: OutputSpool
  readonly reader?: Renderer
}

/** The processor time for passing a flood on, in milliseconds, and how many bytes were kept to be sent. */
async function passedOn({ spool, reader }: Beside): Promise<{ cpuMs: number; kept: number }> {
  const pipe = makePipe()
  if (!pipe) throw new Error("no pipe can be made")
  const flood = `yes "a line of output that is long enough" | head -c ${BYTES}`
  const child = Bun.spawn(["sh", "-c", flood], { stdio: ["ignore", pipe.to, "inherit"] })
  closeSync(pipe.to)
  let kept = 0
  const send = (): void => {
    spool?.gather()
    for (let next = spool?.next(); next; next = spool?.next()) {
      kept += next.bytes.length
      spool?.stored(next.at + next.bytes.length)
    }
  }
  const timer = setInterval(send, 250)
  const decoder = new TextDecoder()
  const startedAt = process.cpuUsage()
  const tap = new Tap(Bun.file(pipe.from).stream(), {
    sink: createWriteStream("/dev/null"),
    descriptor: pipe.from,
    onBytes: (bytes) => {
      spool?.push(bytes, 1)
      if (reader) reader.push(decoder.decode(reader.worthDecoding(bytes), { stream: true }))
    },
  })
  await tap.readToEnd(1000)
  clearInterval(timer)
  send()
  const { user, system } = process.cpuUsage(startedAt)
  expect(await child.exited).toBe(0)
  return { cpuMs: (user + system) / 1000, kept }
}

/** How many times as much processor time a flood takes with this in addition: 1 if it takes no more. */
async function costOf(beside: () => Beside): Promise<{ ratio: number; kept: number }> {
  let [without, within, kept] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 0]
  // They run in turns, because other programs disturb both.
  for (let round = 0; round < ROUNDS; round += 1) {
    without = Math.min(without, (await passedOn({})).cpuMs)
    const passed = await passedOn(beside())
    within = Math.min(within, passed.cpuMs)
    kept = passed.kept
  }
  return { ratio: within / without, kept }
}

test("a command that prints without end is slowed by far less than by passing its output on", async () => {
  const { ratio, kept } = await costOf(() => ({ spool: new OutputSpool() }))
  expect(kept).toBeGreaterThan(200_000)
  expect(ratio).toBeLessThan(3)
}, 180_000)

test("reading the output costs at most a few times what passing it on costs, and no memory", async () => {
  const before = process.memoryUsage.rss()
  const { ratio } = await costOf(() => ({ spool: new OutputSpool(), reader: renderer("lines") }))
  // It is about 1.6. A busy machine has shown 2.4.
  expect(ratio).toBeLessThan(4)
  expect(process.memoryUsage.rss() - before).toBeLessThan(BYTES)
}, 180_000)
