import { heapStats } from "bun:jsc"
import { expect, spyOn, test } from "bun:test"

import { AppError } from "../../src/errors.ts"
import { blank } from "../../src/item/blank-item.ts"
import type { QueueItem } from "../../src/item/item.ts"
import type { OutputPiece } from "../../src/item/output-piece.ts"
import { Output } from "../../src/queue/output.ts"
import { RefuseWhenFull } from "../../src/queue/refuse-when-full.ts"
import type { Items } from "../../src/store/contract/items.ts"
import type { Outputs } from "../../src/store/contract/outputs.ts"

test("output that is printed between a read and the end of its item is read before the end", async () => {
  let item: QueueItem = { id: 1, ...blank(1, new Date(0).toISOString()), status: "processing", attempt: 1 }
  const [one, two]: OutputPiece[] = [
    { from: 0, to: 4, text: "one\n" },
    { from: 4, to: 8, text: "two\n" },
  ]
  const stored = one ? [one] : []
  const items: unknown = { item: async () => item }
  const outputs: unknown = {
    end: async () => 0,
    async read(_id: number, _attempt: number, after: number) {
      const pieces = stored.filter(({ to }) => to > after)
      // Directly after this was read, the command prints its last line and its item is finished.
      if (two && stored.length === 1) stored.push(two)
      item = { ...item, status: "completed", outcome: "completed" }
      return { pieces, more: false }
    },
  }
  const output = new Output(items as Items, outputs as Outputs, { keepBytes: 1000, keepaliveMs: 60_000 })
  const place = { attempt: undefined, after: 0 }
  const query = { attempt: undefined, from: place, isFollowed: true }
  const told: string[] = []
  const { signal } = new AbortController()
  using heard = spyOn(signal, "addEventListener")
  using unheard = spyOn(signal, "removeEventListener")
  for await (const event of await output.read(1, query, signal))
    told.push(event.type === "piece" ? event.text : event.type)
  expect(told).toEqual(["one\n", "two\n", "end"])
  // A follower may wait very often.
  expect(heard.mock.calls.length).toBeGreaterThan(1)
  expect(unheard.mock.calls.length).toBe(heard.mock.calls.length)
})

test("a follower waits for a database that is away, and gets all; another reader gets the error", async () => {
  const item: QueueItem = { id: 1, ...blank(1, new Date(0).toISOString()), status: "completed", attempt: 1 }
  let failures = 0
  const fail = (): void => {
    if (failures === 0) return
    failures -= 1
    throw new AppError("unavailable", "the database cannot be reached now")
  }
  const pieces = ["one\n", "two\n"].map((text, i) => ({ from: 4 * i, to: 4 * i + 4, text }))
  const items: unknown = { item: async () => item }
  const outputs: unknown = {
    end: async () => 8,
    async read(_id: number, _attempt: number, after: number) {
      if (after > 0) fail()
      return { pieces: pieces.filter(({ from }) => from === after), more: after === 0 }
    },
  }
  const output = new Output(items as Items, outputs as Outputs, { keepBytes: 1000, keepaliveMs: 60_000 })
  const all = async (isFollowed: boolean): Promise<string[]> => {
    failures = 1
    const query = { attempt: undefined, from: { attempt: undefined, after: 0 }, isFollowed }
    const told: string[] = []
    for await (const event of await output.read(1, query, new AbortController().signal))
      told.push(event.type === "piece" ? event.text : event.type)
    return told
  }
  expect(await all(true)).toEqual(["one\n", "two\n", "end"])
  await expect(all(false)).rejects.toThrow("cannot be reached")
})

test.each([
  [1, false],
  [4, false],
  [9, false],
  [4, true],
] as const)(
  "of the next attempt a follower gets all, as when it prints %d bytes after 4 (over before it is read: %p)",
  async (size, isShort) => {
    let item: QueueItem = { id: 1, ...blank(1, new Date(0).toISOString()), status: "processing", attempt: 1 }
    const printed = ["four", "x".repeat(size)]
    const items: unknown = { item: async () => item }
    const outputs: unknown = {
      end: async () => 0,
      append: async () => ({ attempt: 1, end: 0 }),
      async read(_id: number, attempt: number, after: number) {
        const text = printed[attempt - 1] ?? ""
        const isOver = isShort || attempt === printed.length
        item = { ...item, attempt: 2, ...(isOver && { status: "completed", outcome: "completed" }) }
        // This makes it look again at once.
        void output.writer(1, undefined, () => attempt).begin()
        return { pieces: [{ from: 0, to: text.length, text }].filter(({ to }) => to > after), more: false }
      },
    }
    const output = new Output(items as Items, outputs as Outputs, { keepBytes: 1000, keepaliveMs: 60_000 })
    const query = { attempt: undefined, from: { attempt: undefined, after: 0 }, isFollowed: true }
    const told: unknown[] = []
    for await (const event of await output.read(1, query, new AbortController().signal))
      told.push(event.type === "piece" ? [event.attempt, event.text] : event.type)
    expect(told).toEqual([[1, "four"], [2, printed[1]], "end"])
  },
)

test("all followers get output the moment it is stored, without waiting for the next look", async () => {
  const item: QueueItem = { id: 1, ...blank(1, new Date(0).toISOString()), status: "processing", attempt: 1 }
  const stored: OutputPiece[] = []
  const read = Promise.withResolvers<void>()
  let reads = 0
  const items: unknown = { item: async () => item }
  const outputs: unknown = {
    end: async () => 0,
    append: async () => ({ attempt: 1, end: 0 }),
    async read(_id: number, _attempt: number, after: number) {
      if ((reads += 1) === 2) read.resolve()
      return { pieces: stored.filter(({ to }) => to > after), more: false }
    },
  }
  const output = new Output(items as Items, outputs as Outputs, { keepBytes: 1000, keepaliveMs: 60_000 })
  const place = { attempt: undefined, after: 0 }
  const query = { attempt: undefined, from: place, isFollowed: true }
  const leave = new AbortController()
  // No timer ends while this waits for output.
  const never: unknown = () => undefined
  const timers = spyOn(globalThis, "setTimeout").mockImplementation(never as typeof setTimeout)
  try {
    const open = () => output.read(1, query, leave.signal)
    const next = [(await open()).next(), (await open()).next()]
    await read.promise
    await new Promise(setImmediate)
    stored.push({ from: 0, to: 4, text: "one\n" })
    await output.writer(1, undefined, () => 1).begin()
    for (const each of next) expect((await each).value).toMatchObject({ type: "piece", text: "one\n" })
  } finally {
    timers.mockRestore()
    leave.abort()
  }
})

test("nothing is kept of items whose output nobody follows any more", async () => {
  const items: unknown = { item: async (id: number) => ({ id, ...blank(1, new Date(0).toISOString()) }) }
  const outputs: unknown = { end: async () => 0, read: async () => ({ pieces: [], more: false }) }
  const output = new Output(items as Items, outputs as Outputs, { keepBytes: 1000, keepaliveMs: 0 })
  const query = { attempt: undefined, from: { attempt: undefined, after: 0 }, isFollowed: true }
  const { signal } = new AbortController()
  const sets = (): number => {
    Bun.gc(true)
    return heapStats().objectTypeCounts["Set"] ?? 0
  }
  const before = sets()
  for (let id = 1; id <= 1000; id += 1) {
    const events = await output.read(id, query, signal)
    expect((await events.next()).value).toEqual({ type: "keepalive" })
    await events.return(undefined)
  }
  expect(sets() - before).toBeLessThan(100)
})

test("a reader learns how much is not kept before a piece, and hears of a silence once per interval", async () => {
  const item: QueueItem = { id: 1, ...blank(1, new Date(0).toISOString()), status: "processing", attempt: 1 }
  const pieces: OutputPiece[] = [
    { from: 10, to: 14, text: "one\n" },
    { from: 20, to: 24, text: "two\n" },
  ]
  const items: unknown = { item: async () => item }
  const outputs: unknown = {
    end: async () => 24,
    append: async () => ({ attempt: 1, end: 24 }),
    read: async (_id: number, _attempt: number, after: number) => ({
      pieces: pieces.filter(({ to }) => to > after),
      more: false,
    }),
  }
  const output = new Output(items as Items, outputs as Outputs, { keepBytes: 1000, keepaliveMs: 300 })
  const reading = new AbortController()
  const query = { attempt: undefined, from: { attempt: undefined, after: 4 }, isFollowed: true }
  const told: unknown[] = []
  const waking = setInterval(() => void output.writer(1, undefined, () => 1).begin(), 20)
  const startedMs = performance.now()
  for await (const event of await output.read(1, query, reading.signal)) {
    told.push(event.type === "piece" ? event.missing : event.type)
    if (told.filter((one) => one === "keepalive").length === 2) reading.abort()
  }
  clearInterval(waking)
  expect(told).toEqual([6, 6, "keepalive", "keepalive"])
  expect(performance.now() - startedMs).toBeGreaterThan(550)
})

test("pieces of an earlier attempt do not say when it began, because only the last beginning is known", async () => {
  const began = new Date(5000).toISOString()
  const item: QueueItem = { id: 1, ...blank(1, began), status: "completed", attempt: 2, started_at: began }
  const items: unknown = { item: async () => item }
  const outputs: unknown = {
    end: async () => 4,
    read: async () => ({ pieces: [{ from: 0, to: 4, text: "one\n" }], more: false }),
  }
  const output = new Output(items as Items, outputs as Outputs, { keepBytes: 1000, keepaliveMs: 60_000 })
  const firstOf = async (attempt: number): Promise<unknown> => {
    const query = { attempt, from: { attempt: undefined, after: 0 }, isFollowed: false }
    return (await (await output.read(1, query, new AbortController().signal)).next()).value
  }
  expect(await firstOf(1)).toMatchObject({ attempt: 1, begunMs: undefined })
  expect(await firstOf(2)).toMatchObject({ attempt: 2, begunMs: 5000 })
})

test("a reader that is ahead of a restored output gets only what it lacks, however the worker sends it again", async () => {
  const began = new Date(5000).toISOString()
  const item: QueueItem = { id: 1, ...blank(1, began), status: "completed", attempt: 1, started_at: began }
  const items: unknown = { item: async () => item }
  let pieces: OutputPiece[] = [{ from: 0, to: 4, text: "one\n" }]
  const outputs: unknown = {
    end: async () => pieces.at(-1)?.to ?? 0,
    read: async (_id: number, _attempt: number, after: number) => ({
      pieces: pieces.filter(({ to }) => to > after),
      more: false,
    }),
  }
  const output = new Output(items as Items, outputs as Outputs, { keepBytes: 1000, keepaliveMs: 60_000 })
  const restOf = async (begunMs: number | undefined): Promise<string[]> => {
    const query = { attempt: undefined, from: { attempt: 1, after: 8, begunMs }, isFollowed: false }
    const events = await Array.fromAsync(await output.read(1, query, new AbortController().signal))
    return events.flatMap((event) => (event.type === "piece" ? [event.text] : []))
  }
  expect([await restOf(5000), await restOf(4000), await restOf(undefined)]).toEqual([
    [],
    ["one\n"],
    ["one\n"],
  ])
  pieces = [...pieces, { from: 4, to: 14, text: "two\nthree\n" }]
  expect([await restOf(5000), await restOf(4000)]).toEqual([["three\n"], ["one\n", "two\nthree\n"]])
})

test("the output of a song is that of its item that was started last, or of the only one that may be seen", async () => {
  const started = (id: number, second: number | null): QueueItem => ({
    id,
    ...blank(1, new Date(0).toISOString()),
    started_at: second === null ? null : new Date(second * 1000).toISOString(),
  })
  const all = [started(1, 10), started(2, 30), started(3, 20), started(4, null)]
  const items: unknown = {
    list: async () => ({ items: all, next: null }),
    // A song may have more items than are listed.
    item: async (id: number) => [...all, started(5, 5)].find((one) => one.id === id),
  }
  const output = new Output(items as Items, {} as Outputs, { keepBytes: 1000, keepaliveMs: 60_000 })
  const found = [await output.lastOfSong(1), await output.lastOfSong(1, 3), await output.lastOfSong(1, 5)]
  expect(found).toEqual([2, 3, 5])
  for (const [song, only] of [
    [1, 4],
    [2, 3],
  ] as const)
    await expect(output.lastOfSong(song, only)).rejects.toThrow(`no render of song ${song} has begun`)
})

test("while the database is full nothing is stored, and where the output ends is answered", async () => {
  const items: unknown = {}
  const outputs: unknown = { append: async () => ({ attempt: 1, end: 7 }) }
  const room = new RefuseWhenFull()
  room.isFull = true
  const settings = { keepBytes: 1000, keepaliveMs: 60_000, room }
  const output = new Output(items as Items, outputs as Outputs, settings)
  const writer = output.writer(1, undefined, () => 1)
  await writer.begin()
  expect(await writer.end()).toEqual({ attempt: 1, end: 7 })
  const other = output.writer(1, undefined, () => 1)
  other.push(new TextEncoder().encode("line\n"))
  await expect(other.end()).rejects.toThrow("delete items")
})

test("a follower goes on with the attempt after a retry, which has the number of the one before, and gets each piece once", async () => {
  const one: QueueItem = { ...blank(1, new Date(0).toISOString()), id: 1, status: "processing", attempt: 1 }
  const begun: QueueItem = { ...one, started_at: new Date(1000).toISOString() }
  const retried: QueueItem = { ...one, started_at: new Date(2000).toISOString() }
  const states: QueueItem[] = [begun, retried, { ...retried, status: "completed", outcome: "completed" }]
  const texts = ["one\n", "two\n"]
  const items: unknown = { item: async () => (states.length > 1 ? states.shift() : states[0]) }
  const outputs: unknown = {
    end: async () => 0,
    async read(_id: number, _attempt: number, after: number) {
      const text = (texts.length > 1 ? texts.shift() : texts[0]) ?? ""
      return { pieces: [{ from: 0, to: 4, text }].filter(({ to }) => to > after), more: false }
    },
  }
  const output = new Output(items as Items, outputs as Outputs, { keepBytes: 1000, keepaliveMs: 60_000 })
  const query = { attempt: undefined, from: { attempt: undefined, after: 0 }, isFollowed: true }
  const told: string[] = []
  for await (const event of await output.read(1, query, new AbortController().signal)) {
    told.push(event.type === "piece" ? event.text : event.type)
    if (told.length > 3) break
  }
  expect(told).toEqual(["one\n", "two\n", "end"])
})

test("one who follows one attempt hears of its end as soon as it has ended, though the item waits for another", async () => {
  const item: QueueItem = { id: 1, ...blank(1, new Date(0).toISOString()), status: "retrying", attempt: 1 }
  const items: unknown = { item: async () => item }
  const outputs: unknown = { end: async () => 0, read: async () => ({ pieces: [], more: false }) }
  const output = new Output(items as Items, outputs as Outputs, { keepBytes: 1000, keepaliveMs: 60_000 })
  const query = { attempt: 1, from: { attempt: undefined, after: 0 }, isFollowed: true }
  const { value } = await (await output.read(1, query, new AbortController().signal)).next()
  expect(value).toEqual({ type: "end", attempt: 1, status: "retrying", outcome: null })
})
