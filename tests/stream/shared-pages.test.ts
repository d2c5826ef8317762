import { expect, test } from "bun:test"

import type { Page } from "../../src/store/contract/history.ts"
import { SharedPages } from "../../src/stream/shared-pages.ts"

const HEAD = 1000

/** Pages of ten updates. `reads` are the event IDs after which a page was read. */
function pagesOf(bell: { rings: number }) {
  const pages = new SharedPages(bell)
  const reads: number[] = []
  const page = (after: number): Page => ({
    updates: Array.from({ length: Math.min(10, HEAD - after) }, (_, at) => ({
      id: after + 1 + at,
      queue_id: 1,
      song_id: 1,
      status: "processing" as const,
      data: "{}",
    })),
    more: after + 10 < HEAD,
  })
  const read = async (after: number, queueId?: number) => {
    const { frames, more } = await pages.of({ after, queueId }, async () => {
      reads.push(after)
      return page(after)
    })
    return { frames, more, ids: frames.map(({ update }) => update.id) }
  }
  return { pages, read, reads }
}

test("a page is read once; a stream that resumes within it gets its rest", async () => {
  const { read, reads } = pagesOf({ rings: 0 })
  const first = await read(0)
  const second = await read(0)
  expect(second.frames).toBe(first.frames)
  expect(await read(7)).toMatchObject({ ids: [8, 9, 10], more: true })
  expect((await read(10)).ids[0]).toBe(11)
  expect(reads).toEqual([0, 10])
})

test("streams that read the same page at once share it, and it is kept once", async () => {
  const { read, reads } = pagesOf({ rings: 0 })
  await read(100)
  const pages = await Promise.all(Array.from({ length: 8 }, () => read(0)))
  expect(new Set(pages.map(({ frames }) => frames)).size).toBe(1)
  await read(100)
  expect(reads).toEqual([100, 0, 0, 0, 0, 0, 0, 0, 0])
})

test("a page of one item is not a page of all items", async () => {
  const { read, reads } = pagesOf({ rings: 0 })
  await read(0)
  await read(0, 1)
  await read(3, 2)
  expect(reads).toEqual([0, 0, 3])
})

test("the last page is always read, and every page after the bell has rung or nobody reads any more", async () => {
  const bell = { rings: 0 }
  const { pages, read, reads } = pagesOf(bell)
  await read(990)
  await read(990)
  await read(0)
  bell.rings += 1
  await read(0)
  pages.clear()
  await read(0)
  expect(reads).toEqual([990, 990, 0, 0, 0])
})

test("a page during whose reading the bell rang is not kept", async () => {
  const bell = { rings: 0 }
  const { pages, read, reads } = pagesOf(bell)
  await pages.of({ after: 0, queueId: undefined }, async () => {
    bell.rings += 1
    return { updates: [], more: true }
  })
  expect((await read(0)).ids).toHaveLength(10)
  expect(reads).toEqual([0])
})

test("only a few pages are kept", async () => {
  const { read, reads } = pagesOf({ rings: 0 })
  for (let after = 0; after < 100; after += 10) await read(after)
  await read(90)
  await read(0)
  expect(reads.slice(10)).toEqual([0])
})

test("a page that was asked for before the bell rang is not kept after it", async () => {
  const bell = { rings: 0 }
  const { read, reads } = pagesOf(bell)
  const before = read(0)
  bell.rings += 1
  await read(500)
  await before
  await read(0)
  await read(500)
  expect(reads).toEqual([0, 500, 0])
})
