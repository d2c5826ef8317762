import { expect, test } from "bun:test"

import { SharedSnapshots } from "../../src/stream/shared-snapshots.ts"

/** Pages of ten updates. `reads` are the first event IDs of the pages that were read. */
function snapshotsOf() {
  const snapshots = new SharedSnapshots()
  const reads: number[] = []
  const read = async (ids: readonly number[], from: number) => {
    const { frames } = await snapshots.of(ids, from, async () => {
      const page = ids.slice(from, from + 10)
      reads.push(page[0] ?? 0)
      const common = { queue_id: 1, song_id: 1, status: "queued" as const, data: "{}" }
      return { updates: page.map((id) => ({ ...common, id })), more: false }
    })
    return frames
  }
  return { snapshots, read, reads }
}

const IDS = Array.from({ length: 200 }, (_, at) => at + 1)

test("a page of a snapshot is read once and is one list, until all pages are dropped", async () => {
  const { snapshots, read, reads } = snapshotsOf()
  const first = await read(IDS, 0)
  expect(await read(IDS, 0)).toBe(first)
  expect((await read(IDS, 10)).map(({ update }) => update.id)).toEqual(IDS.slice(10, 20))
  snapshots.clear()
  expect(await read(IDS, 0)).not.toBe(first)
  expect(reads).toEqual([1, 11, 1])
})

test("streams that read the same page at once share it, and it is kept once", async () => {
  const { read, reads } = snapshotsOf()
  await read(IDS, 100)
  const pages = await Promise.all(Array.from({ length: 8 }, () => read(IDS, 0)))
  expect(new Set(pages).size).toBe(1)
  await read(IDS, 100)
  expect(reads).toEqual([101, 1, 1, 1, 1, 1, 1, 1, 1])
})

test("pages of another snapshot are others, and only a few pages are kept", async () => {
  const { read, reads } = snapshotsOf()
  await read(IDS, 0)
  await read([...IDS], 0)
  expect(reads).toEqual([1, 1])
  for (let from = 10; from < 100; from += 10) await read(IDS, from)
  await read(IDS, 90)
  await read(IDS, 0)
  expect(reads.slice(11)).toEqual([1])
})
