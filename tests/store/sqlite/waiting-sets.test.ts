import { Database } from "bun:sqlite"
import { expect, setDefaultTimeout, spyOn, test } from "bun:test"

import fc from "fast-check"

import type { QueueItem } from "../../../src/item/item.ts"
import type { Decide } from "../../../src/store/contract/items.ts"
import type { Store } from "../../../src/store/contract/store.ts"
import { type Candidate, needsOf } from "../../../src/store/sqlite/claim-by-tags.ts"
import { SqliteStore } from "../../../src/store/sqlite/sqlite.ts"
import { type WaitingItems, WaitingSets } from "../../../src/store/sqlite/waiting-sets.ts"
import { added, codeOf, put, START_MS } from "../../contracts/store.contract.ts"
import { temporaryFolder } from "../../server.ts"
import { Faults } from "./faults.ts"
import { openSqlite } from "./open.ts"

setDefaultTimeout(180_000)

/** Waiting items, as an index finds them, and how many rows were read. */
function waiting(all: readonly (readonly string[])[]) {
  const ordered = all.map((tags, i) => ({
    id: i + 1,
    rank: 0,
    place: i + 1,
    needs: needsOf(tags),
    isReady: 1,
  }))
  const rows = ordered.toSorted((a, b) => Buffer.compare(a.needs, b.needs) || a.id - b.id)
  let read = 0
  const seek = (from: Uint8Array): Candidate | null => {
    read += 1
    let [low, high] = [0, rows.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (Buffer.compare(rows[middle]?.needs ?? from, from) < 0) low = middle + 1
      else high = middle
    }
    return rows[low] ?? null
  }
  const after = (last: { readonly id: number }, most: number) => {
    const page = ordered.slice(last.id, last.id + most)
    read += page.length
    return page
  }
  const take = (id: number): void => {
    rows.splice(
      rows.findIndex((row) => row.id === id),
      1,
    )
    for (const row of ordered) if (row.id === id) row.isReady = 0
  }
  return { items: { seek, seekAny: seek, after }, read: () => read, take }
}

/** All sets out of some tags, without the empty one. */
const TAGS = Array.from({ length: 7 }, (_, i) => `tag ${i}`)
const SETS = Array.from({ length: 127 }, (_, i) => TAGS.filter((_tag, bit) => (((i + 1) >> bit) & 1) === 1))

const search = async (sets: WaitingSets, tags: readonly string[]): Promise<number | undefined> =>
  (await sets.found(tags, async (set) => sets.first(tags, set)))?.id

test("claims that find nothing read next to nothing, whatever sets of tags the waiting items need", async () => {
  const zones = Array.from({ length: 40 }, (_, i) => `zone ${i}`)
  const { items, read } = waiting(zones.flatMap((zone) => SETS.map((set) => [...set, zone])))
  const sets = new WaitingSets(items)
  // This worker has a tag that takes more than a few steps, so the sets are read.
  expect(await search(sets, [...TAGS, "zoo"])).toBeUndefined()
  let before = read()
  {
    using looks = spyOn(Array.prototype, "find")
    for (const more of ["zone x", "zone y", "zoom"]) {
      expect(await search(sets, [...TAGS, more])).toBeUndefined()
      expect(read() - before).toBeLessThan(170)
      before = read()
    }
    // Nor are the tags of all those 5,080 sets looked at again.
    expect(looks.mock.calls.length).toBeLessThan(1000)
  }
  // Those who can take some of them read only what they take.
  expect(await search(sets, [...TAGS, "zone 20"])).toBe(20 * 127 + 1)
  expect(await search(sets, [...TAGS.slice(1), "zone 30", "zone 31"])).toBe(30 * 127 + 2)
  expect(read() - before).toBeLessThan(340)
})

test("with more sets than are kept in memory, claims find the same", async () => {
  const foreign = Array.from({ length: 3000 }, () => ["foreign"])
  const { items, read } = waiting([...foreign, ...SETS])
  const sets = new WaitingSets(items, 100)
  expect(await search(sets, TAGS)).toBe(3001)
  expect(await search(sets, TAGS.slice(1))).toBe(3002)
  // It is not tried again for a while.
  const before = read()
  expect(await search(sets, ["none"])).toBeUndefined()
  expect(read() - before).toBeLessThan(10)
})

/** The same items with reads that take longer than a slice may, and how many of them each tick of a run has. */
function slowReads(items: WaitingItems) {
  let [nowMs, reads] = [performance.now(), 0]
  const slow = <Asked extends unknown[], Found>(read: (...asked: Asked) => Found) => {
    return (...asked: Asked): Found => {
      reads += 1
      nowMs += 6
      return read(...asked)
    }
  }
  const inTicks = async (run: () => Promise<void>): Promise<number[]> => {
    using _clock = spyOn(performance, "now").mockImplementation(() => nowMs)
    const found: number[] = []
    let isOver = false
    const running = run().finally(() => (isOver = true))
    while (!isOver) {
      await new Promise(setImmediate)
      found.push(reads)
      reads = 0
    }
    await running
    return found
  }
  return { items: { ...items, seekAny: slow(items.seekAny), after: slow(items.after) }, inTicks }
}

test("claims from more sets than are kept in memory find the same, and other work goes on between their reads", async () => {
  const zones = Array.from({ length: 100 }, (_, i) => `zone ${i}`)
  const { items, inTicks } = slowReads(
    waiting(zones.flatMap((zone) => SETS.map((set) => [...set, zone]))).items,
  )
  const sets = new WaitingSets(items, 100)
  const learned = await inTicks(async () =>
    expect(await search(sets, ["zone 99", ...TAGS.slice(1)])).toBe(99 * 127 + 2),
  )
  // From now on it is known that they are too many.
  const searched = await inTicks(async () => {
    const found = Array.from({ length: 8 }, (_, i) => search(sets, [...TAGS, `zone ${90 + i}`]))
    expect(await Promise.all(found)).toEqual(Array.from({ length: 8 }, (_, i) => (90 + i) * 127 + 1))
  })
  // In the first tick each search begins with a read of its own. Then each tick has one, or three if what went on ends.
  for (const [, ...later] of [learned, searched]) {
    expect(later.length).toBeGreaterThan(10)
    expect(Math.max(...later)).toBeLessThanOrEqual(3)
  }
})

test("a set whose first item was taken is not taken for the first that has one", async () => {
  const others = Array.from({ length: 130 }, () => ["nobody"])
  const { items, take } = waiting([...others, ...SETS, ["tag 0"]])
  const sets = new WaitingSets(items)
  expect(await search(sets, TAGS)).toBe(131)
  take(131)
  expect(await search(sets, TAGS)).toBe(132)
})

/** Adds an item of each set, behind more items for others than are read at first. Returns the first ID of the sets. */
async function addSets(store: Store, songs = 1): Promise<number> {
  const others = Array.from({ length: 130 }, () => added(store, { tags: ["nobody"], priority: 9 }))
  const own = SETS.map((tags, i) => added(store, { tags, song_id: 1 + (i % songs), priority: i % 2 }))
  const ids = await Promise.all([...others, ...own])
  return ids[others.length] ?? 0
}

const taking: Decide = ({ item, work }) => ({
  item: { ...item, status: "processing", attempt: item.attempt + 1 },
  work: { ...work, lease_expires_at: Number.MAX_SAFE_INTEGER },
})

const operation = fc.record({
  name: fc.constantFrom("add", "claim", "claim", "claims", "retry", "move", "remove", "pause", "wait"),
  tags: fc.subarray(["foreign", ...TAGS]),
  nth: fc.nat(1000),
})
type Operation = typeof operation extends fc.Arbitrary<infer Value> ? Value : never

/** A queue of many sets, and what its claims must find. */
class Queue {
  nowMs = START_MS
  readonly store: SqliteStore
  #isPaused = false
  readonly #onePerSong: boolean

  constructor(path: string, onePerSong: boolean) {
    const now = (): number => this.nowMs
    this.store = new SqliteStore(path, () => ({ now, steadyMs: now }), { onePerSong })
    this.#onePerSong = onePerSong
  }

  async run({ name, tags, nth }: Operation): Promise<void> {
    const { store } = this
    const { items } = await store.list({ limit: 1000 })
    const item = items[nth % items.length]
    // Workers of few tags are not searched by the sets in memory.
    const many = [...TAGS.slice(nth % 2), ...tags]
    if (name === "claim") await this.#claim(items, [nth % 5 === 0 ? tags : many])
    else if (name === "claims") await this.#claim(items, [many, TAGS, tags, many])
    else if (name === "add") {
      const available_at = nth % 3 === 0 ? new Date(this.nowMs + 1000).toISOString() : null
      await added(store, { tags, song_id: 1 + (nth % 9), priority: nth % 2, available_at })
    } else if (name === "wait") this.nowMs += nth
    else if (name === "pause") {
      this.#isPaused = nth % 3 === 0
      await (this.#isPaused ? store.pause() : store.resume())
    } else if (item) await store.change(item.id, this.#changing(name, nth))
  }

  #changing(name: string, nth: number): Decide {
    return ({ item, work }) => {
      if (name === "remove") return { item, work, deleted: true }
      if (name === "move" || item.status !== "processing") return { item: { ...item, turn: nth / 7 }, work }
      const available_at = nth % 2 === 0 ? new Date(this.nowMs + 500).toISOString() : null
      return {
        item: { ...item, status: "retrying", available_at },
        work: { ...work, lease_expires_at: null },
      }
    }
  }

  /** Claims in one tick, and compares what they get. */
  async #claim(items: readonly QueueItem[], all: readonly (readonly string[])[]): Promise<void> {
    await this.store.nextWaiting(TAGS)
    const expected = all.map((tags) => this.#take(items, tags))
    const got = await Promise.all(all.map((tags) => this.store.claim(tags, taking)))
    expect(got.map((change) => change?.item.id)).toEqual(expected)
  }

  readonly #taken = new Set<number>()

  /** The first item, in the order of the list, that a worker may take. */
  #take(items: readonly QueueItem[], tags: readonly string[]): number | undefined {
    const busy = items.filter(({ id, status }) => status === "processing" || this.#taken.has(id))
    const found = items.find(
      ({ id, status, tags: needed, available_at, song_id }) =>
        !this.#isPaused &&
        (status === "queued" || status === "retrying") &&
        !busy.some((one) => one.id === id || (this.#onePerSong && one.song_id === song_id)) &&
        (available_at === null || Date.parse(available_at) <= this.nowMs) &&
        needed.every((tag) => tags.includes(tag)),
    )
    if (found) this.#taken.add(found.id)
    return found?.id
  }

  /** What was taken may wait again. */
  forgetTaken(): void {
    this.#taken.clear()
  }
}

test.each([false, true])(
  "claims from a queue of many sets of tags take the first item that fits, whatever happens to the queue, one item per song: %j",
  async (onePerSong) => {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { minLength: 50, maxLength: 70 }), async (operations) => {
        using folder = temporaryFolder()
        const queue = new Queue(`${folder.path}/test.db`, onePerSong)
        await addSets(queue.store, 9)
        for (const one of operations) {
          await queue.run(one)
          queue.forgetTaken()
        }
        await queue.store.close()
      }),
      { numRuns: 2, endOnFailure: true },
    )
  },
)

test("an item whose claim could not be committed is found again", async () => {
  using faults = new Faults()
  await using opened = await openSqlite()
  const { store } = opened
  await addSets(store)
  const id = await added(store, { tags: ["only"], priority: 8 })
  const tags = ["only", ...TAGS]
  expect((await store.nextWaiting(tags))?.id).toBe(id)
  faults.break()
  // The second claim finds that no item needs the set of the first one.
  const claims = [store.claim(tags, taking), store.claim(tags, taking)]
  expect(await Promise.all(claims.map(codeOf))).toEqual(["unavailable", "unavailable"])
  faults.mend()
  await store.nextWaiting(TAGS)
  expect((await store.claim(tags, taking))?.item.id).toBe(id)
})

test("an item whose time comes, and one that another program moves, are found", async () => {
  let nowMs = START_MS
  await using opened = await openSqlite(() => nowMs)
  const { store } = opened
  const first = await addSets(store)
  const tags = ["only", ...TAGS]
  expect((await store.nextWaiting(tags))?.id).toBe(first + 1)
  const available_at = new Date(nowMs + 1000).toISOString()
  const delayed = await added(store, { tags: ["only"], priority: 8, available_at })
  expect((await store.nextWaiting(tags))?.id).toBe(first + 1)
  nowMs += 2000
  expect((await store.nextWaiting(tags))?.id).toBe(delayed)
  {
    using other = new Database(opened.path)
    other.run("UPDATE queue_items SET priority = 8 WHERE id = ?", [first + 99])
  }
  expect((await store.claim(tags, taking))?.item.id).toBe(first + 99)
})

test("an item whose time comes while nothing can be stored is claimed once something can", async () => {
  let nowMs = START_MS
  using faults = new Faults()
  await using opened = await openSqlite(() => nowMs)
  const { store } = opened
  const id = await added(store, { available_at: new Date(nowMs + 1000).toISOString() })
  nowMs += 1000
  faults.break()
  expect(await codeOf(store.claim([], taking))).toBe("unavailable")
  faults.mend()
  expect((await store.claim([], taking))?.item.id).toBe(id)
})

test("an item that waits for another attempt is found, although no other one needs its tags", async () => {
  await using opened = await openSqlite()
  const { store } = opened
  const first = await addSets(store)
  const id = await added(store, { tags: ["only"], priority: 8 })
  const tags = ["only", ...TAGS]
  expect((await store.claim(tags, taking))?.item.id).toBe(id)
  expect((await store.nextWaiting(tags))?.id).toBe(first + 1)
  await put(store, id, { status: "retrying" })
  expect((await store.nextWaiting(tags))?.id).toBe(id)
})
