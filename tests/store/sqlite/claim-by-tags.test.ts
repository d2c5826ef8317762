import { Database } from "bun:sqlite"
import { expect, test } from "bun:test"
import { join } from "node:path"

import fc from "fast-check"

import {
  type Candidate,
  firstFitting,
  needsOf,
  type WaitingIndex,
} from "../../../src/store/sqlite/claim-by-tags.ts"
import { claims, waitingItems } from "../../../src/store/sqlite/claim-order.ts"
import { SqliteStore } from "../../../src/store/sqlite/sqlite.ts"
import { added } from "../../contracts/store.contract.ts"
import { temporaryFolder } from "../../server.ts"

/**
 * Waiting items, as an index would find them, and how often the index was used. The first `early` items may
 * not be claimed yet.
 */
function index(waiting: readonly (readonly string[])[], early = 0) {
  const all = waiting.map((tags, i): Candidate => ({
    id: i + 1,
    rank: 0,
    place: i + 1,
    needs: needsOf(tags),
  }))
  const rows = all.slice(early).sort((a, b) => Buffer.compare(a.needs, b.needs) || a.id - b.id)
  const ordered = all.map((row) => ({ ...row, isReady: row.id > early ? 1 : 0 }))
  let seeks = 0
  return {
    first: (tags: readonly string[]): number | undefined =>
      foundBy(tags, {
        seek: (from) => {
          seeks += 1
          return rows.find(({ needs }) => Buffer.compare(needs, from) >= 0) ?? null
        },
        after: (last) => ordered.slice(last.id, last.id + 500),
      })?.id,
    get seeks(): number {
      return seeks
    },
  }
}

/** The result of a whole search. */
function foundBy(tags: readonly string[], waiting: WaitingIndex): Candidate | null {
  const parts = firstFitting(tags, waiting)
  for (let part = parts.next(); ; part = parts.next()) if (part.done === true) return part.value
}

const numbered = (count: number, of: (i: number) => string[]): string[][] =>
  Array.from({ length: count }, (_, i) => of(i))

test.each([
  ["need a tag that it has not", numbered(5000, () => ["other"])],
  ["need each a tag of its own", numbered(5000, (i) => [`own ${i}`])],
  ["need what it has, and a tag more", numbered(5000, (i) => ["4k", "gpu", `own ${i}`])],
  ["need a tag more that sorts between", numbered(5000, (i) => ["4k", `between ${i}`, "gpu"])],
  ["need a tag more that sorts before", numbered(5000, (i) => ["4k", "gpu", `0 ${i}`])],
])("items that %s cost a claim next to nothing", (_, waiting) => {
  const items = index([...waiting, ["gpu"]])
  expect(items.first(["gpu", "4k"])).toBe(5001)
  expect(items.seeks).toBeLessThanOrEqual(6)
})

test("a claim by a worker that has the tags of thousands of sets costs little more than for one set", () => {
  const offered = Array.from({ length: 13 }, (_, i) => `tag ${i}`)
  const some = (i: number): string[] => offered.filter((_tag, bit) => ((i >> bit) & 1) === 1)
  const items = index([["foreign"], ...numbered(5000, (i) => some(5000 - i))])
  expect(items.first(offered)).toBe(2)
  expect(items.seeks).toBeLessThan(70)
  // If the first items of the queue are for others, no item is missed, and the search continues after them.
  const behind = index([...numbered(1500, () => ["foreign"]), ...numbered(5000, (i) => some(5000 - i))])
  expect(behind.first(offered)).toBe(1501)
  expect(behind.seeks).toBeLessThan(260)
  // In the queue's order there are items that may not be claimed yet.
  expect(index([[], [], ...numbered(5000, (i) => some(5000 - i))], 2).first(offered)).toBe(3)
  const none = index(numbered(1500, () => ["foreign"]))
  expect(none.first(offered)).toBeUndefined()
})

test("tags of which one begins with another are distinguished, and their order does not matter", () => {
  const items = index([["ab"], ["a", "b"], ["b", "a"], ["a"]])
  expect(items.first(["ab"])).toBe(1)
  expect(items.first(["a"])).toBe(4)
  expect(items.first(["b"])).toBeUndefined()
  expect(items.first(["b", "a"])).toBe(2)
  expect(needsOf(["b", "a"])).toEqual(needsOf(["a", "b"]))
  // The order is that of their bytes, in which the index has them, and not that of JavaScript.
  expect(needsOf(["\u{1f600}", "\ufb00"])).toEqual(Buffer.from("\ufb00\0\u{1f600}\0"))
})

test("a worker gets the first item that it has the tags for, by rank, then by place, then by age", () => {
  const tag = fc.constantFrom("a", "ab", "b", "c")
  const item = fc.record({ tags: fc.uniqueArray(tag), rank: fc.nat(1), place: fc.nat(3) })
  fc.assert(
    fc.property(fc.array(item, { maxLength: 12 }), fc.uniqueArray(tag), (waiting, offered) => {
      const inTurn = (a: Candidate, b: Candidate): number =>
        a.rank - b.rank || a.place - b.place || a.id - b.id
      const all = waiting.map(({ tags, rank, place }, i) => ({
        id: i + 1,
        rank,
        place,
        tags,
        needs: needsOf(tags),
      }))
      const indexed = all.toSorted((a, b) => Buffer.compare(a.needs, b.needs) || inTurn(a, b))
      const found = foundBy(offered, {
        seek: (from) => indexed.find(({ needs }) => Buffer.compare(needs, from) >= 0) ?? null,
        after: () => [],
      })
      const fitting = all.filter(({ tags }) => tags.every((one) => offered.includes(one)))
      expect(found?.id).toBe(fitting.toSorted(inTurn)[0]?.id)
    }),
  )
})

test("the database has the items after a place in the queue's order, by priority, then by place", async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, "test.db")
  const store = new SqliteStore(path)
  const ids: number[] = []
  for (const priority of [0, 5, 0, 5]) ids.push(await added(store, { priority }))
  using client = new Database(path)
  const { after } = waitingItems(claims(client, false))
  const found = after({ rank: Number.MIN_SAFE_INTEGER, place: 0, id: 0 }, 9)
  expect(found.map(({ id }) => ids.indexOf(id))).toEqual([1, 3, 0, 2])
  for (const [i, one] of found.entries())
    expect(after(one, 2).map(({ id }) => id)).toEqual(found.slice(i + 1, i + 3).map(({ id }) => id))
  await store.close()
})
