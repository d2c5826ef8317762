import { expect, test } from "bun:test"

import { claimed } from "../../src/item/lease.ts"
import { transition } from "../../src/item/moves.ts"
import type { Decide } from "../../src/store/contract/items.ts"
import { added, type OpenStore, put } from "./store.contract.ts"

const taking =
  (token: string): Decide =>
  (stored, moment) =>
    claimed(stored, { worker: "box", token, leaseMs: 60_000 }, moment)
const ending: Decide = ({ item, work }, { time }) => ({
  item: transition(item, { status: "completed" }, time),
  work: { ...work, lease_expires_at: null },
})

/** The promises of a store that renders only one item per song at a time. */
export function storeOnePerSong(name: string, open: () => Promise<OpenStore>): void {
  test(`${name}: with one item per song, a claim passes over a song of which another leased item runs`, async () => {
    await using opened = await open()
    const { store } = opened
    const claim = async (tags: string[] = []): Promise<number | undefined> => {
      const next = await store.nextWaiting(tags)
      const change = await store.claim(tags, taking(crypto.randomUUID()))
      expect(change?.item.id).toBe(next?.id)
      return change?.item.id
    }
    const first = await added(store, { song_id: 7 })
    const again = await added(store, { song_id: 7, priority: 5 })
    const other = await added(store, { song_id: 8, tags: ["gpu"] })
    const third = await added(store, { song_id: 7, tags: ["gpu"] })
    expect(await claim()).toBe(again)
    expect(await claim()).toBeUndefined()
    expect(await store.nextWaiting()).toMatchObject({ id: other })
    expect(await claim(["gpu"])).toBe(other)
    expect(await claim(["gpu"])).toBeUndefined()
    await store.change(again, ending)
    // A render without a lease does not block others.
    await put(store, await added(store, { song_id: 7 }), { status: "processing" })
    expect(await claim()).toBe(first)
    await store.change(first, ending)
    expect(await claim(["gpu"])).toBe(third)
  })

  test(`${name}: with one item per song, claims of one tick take one item of each`, async () => {
    await using opened = await open()
    const { store } = opened
    for (let index = 0; index < 30; index += 1) await added(store, { song_id: 1 + (index % 3) })
    const claims = Array.from({ length: 10 }, (_, i) => store.claim([], taking(`w${i}`)))
    const songs = (await Promise.all(claims)).flatMap((change) => change?.item.song_id ?? [])
    expect(songs.toSorted()).toEqual([1, 2, 3])
  })

  test(`${name}: with one item per song, an item can still be taken by its id`, async () => {
    await using opened = await open()
    const { store } = opened
    const [first, second] = [await added(store, { song_id: 7 }), await added(store, { song_id: 7 })]
    await store.claim([], taking("a"))
    const { item } = await store.change(second, taking("b"))
    expect(item).toMatchObject({ id: second, status: "processing" })
    expect(await store.item(first)).toMatchObject({ status: "processing" })
  })
}
