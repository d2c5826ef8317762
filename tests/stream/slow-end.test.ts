import { expect, test } from "bun:test"

import { LocalBus } from "../../src/bus/bus.ts"
import { Broadcaster } from "../../src/stream/broadcaster.ts"
import { asFrames } from "../../src/stream/sse-ndjson-text.ts"
import { Streams } from "../../src/stream/streams.ts"
import type { Frame } from "../../src/wire/frames.ts"
import { MemoryHistory } from "./memory-history.ts"

const MIB = 1024 * 1024

/** Streams of a history that the test writes. */
function opened() {
  const history = new MemoryHistory(async () => undefined, 1000)
  const bus = new LocalBus()
  const onError = (error: unknown): void => expect(error).toBeUndefined()
  const broadcaster = new Broadcaster(history, bus, { keepaliveMs: 50_000, onError })
  const streams = new Streams(history, broadcaster, { maxLag: 0, random: () => 0.5, onError })
  const leave = new AbortController()
  return {
    /** Opens a stream, and returns what reads its next chunk, in short. */
    async open(asked: { queueId?: number; untilFinished?: boolean; lastEventId?: string }) {
      const common = { snapshot: true, untilFinished: false, format: asFrames, signal: leave.signal }
      const stream = await streams.open({ ...common, ...asked })
      const shortly = (frame: Frame): number | string =>
        frame.type === "update"
          ? frame.update.id
          : frame.type === "control"
            ? frame.control.event
            : frame.type
      return async (): Promise<(number | string)[] | undefined> => {
        const next = await stream?.next()
        return next === undefined || next.done ? undefined : next.value.map(shortly)
      }
    },
    /** Writes updates, each with data of this length, and waits until they were announced. */
    async write(item: number, status: "processing" | "completed", count = 1, length = 0): Promise<void> {
      for (let update = 0; update < count; update += 1) {
        history.append(item, status)
        Object.assign(history.all.at(-1) ?? {}, { data: JSON.stringify("x".repeat(length)) })
      }
      bus.notify()
      const head = await history.head()
      while (broadcaster.head !== head) await new Promise(setImmediate)
    },
    [Symbol.dispose]() {
      leave.abort()
      broadcaster.drain()
    },
  }
}

test("a stream that waits for the end of an item ends after it, also if others have gone on until only the database has their updates", async () => {
  using scene = opened()
  await scene.open({})
  await scene.write(1, "processing")
  const next = await scene.open({ queueId: 1, untilFinished: true })
  expect(await next()).toEqual(["hello", 1, "live"])
  const end = next()
  await scene.write(1, "completed")
  expect(await end).toEqual([2])
  // Its client reads on only when so much has come from others that memory does not hold it.
  for (let batch = 0; batch < 4; batch += 1) await scene.write(2, "processing", 1, MIB)
  expect(await next()).toEqual(["end"])
  expect(await next()).toBeUndefined()
})

test("a stream that resumes says live once, and then what is new", async () => {
  using scene = opened()
  await scene.open({})
  await scene.write(1, "processing", 100)
  const next = await scene.open({ lastEventId: "0" })
  const said: (number | string)[] = []
  while (said.at(-1) !== "live") said.push(...((await next()) ?? ["over"]))
  expect(said).toEqual(["hello", ...Array.from({ length: 100 }, (_, at) => at + 1), "live"])
  const news = next()
  await scene.write(1, "processing")
  expect(await news).toEqual([101])
})
