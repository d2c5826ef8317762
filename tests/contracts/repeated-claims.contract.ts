import { expect, test } from "bun:test"

import { AppError, type ErrorCode } from "../../src/errors.ts"
import { heartbeat } from "../../src/item/lease.ts"
import { IDLE } from "../../src/item/stored.ts"
import type { Repeatable } from "../../src/store/contract/items.ts"
import { added, codeOf, type Open, START_MS } from "./store.contract.ts"
import { idOf, storedOf, taking, takingBack } from "./work.contract.ts"

const HOUR_MS = 3_600_000

/** A claim under a key, as a worker repeats it. */
export const under = (key: string): Repeatable => ({
  key: `claim ${key}`,
  again: (token) => (stored, moment) => heartbeat(stored, token, moment),
})

const refusedWith = (code: ErrorCode) => () => (): never => {
  throw new AppError(code, "refused by the test")
}

/** What every Store promises about claims that are repeated. */
export function storeRepeatedClaims(name: string, open: Open): void {
  test(`${name}: a claim that is repeated with its key gets its item, renewed and without an update, while the lease is held`, async () => {
    let nowMs = START_MS
    await using opened = await open(() => nowMs)
    const { store } = opened
    const [first, second, third] = [await added(store), await added(store), await added(store)]
    expect(await idOf(store.claim([], taking("a"), under("one")))).toBe(first)
    const head = await store.head()
    nowMs += 1000
    const again = await store.claim([], taking("b"), under("one"))
    expect([again?.item.id, again?.quiet, again?.work.lease_token]).toEqual([first, true, "a"])
    expect((await storedOf(store, first)).work.lease_expires_at).toBe(nowMs + 60_000)
    expect(await idOf(store.claimedBefore(under("one")))).toBe(first)
    expect(await store.head()).toBe(head)
    expect(await store.claimedBefore(under("two"))).toBeNull()
    expect(await idOf(store.claim([], taking("c"), under("two")))).toBe(second)
    await store.change(first, takingBack)
    expect(await store.claimedBefore(under("one"))).toBeNull()
    // Another worker has it now.
    await store.change(first, taking("d"))
    expect(await idOf(store.claim([], taking("e"), under("one")))).toBe(third)
    expect(await idOf(store.claim([], taking("f"), under("one")))).toBe(third)
    await store.change(third, ({ item }) => ({ item, work: IDLE, deleted: true }))
    expect(await store.claim([], taking("g"), under("one"))).toBeNull()
    const refused = { ...under("two"), again: refusedWith("gone") }
    expect(await store.claimedBefore(refused)).toBeNull()
    expect(await codeOf(store.claimedBefore({ ...refused, again: refusedWith("invalid") }))).toBe("invalid")
  })

  test(`${name}: a claim of one item that is repeated with its key gets it again, and with another key it is decided`, async () => {
    await using opened = await open()
    const { store } = opened
    const id = await added(store)
    await store.change(id, taking("a"), under("one"))
    expect((await store.change(id, taking("b"), under("one"))).work.lease_token).toBe("a")
    expect((await store.change(id, taking("c"), under("two"))).work.lease_token).toBe("c")
  })

  test(`${name}: a claim is answered again five times, and for a day`, async () => {
    let nowMs = START_MS
    await using opened = await open(() => nowMs)
    const { store } = opened
    const ids = [await added(store), await added(store), await added(store)]
    const claim = (): Promise<number | undefined> =>
      idOf(store.claim([], taking("a", START_MS + 99 * HOUR_MS), under("one")))
    const got: (number | undefined)[] = []
    for (let i = 0; i < 7; i += 1) got.push(await claim())
    expect(got).toEqual([...Array(6).fill(ids[0]), ids[1]])
    nowMs += 24 * HOUR_MS - 1
    expect(await claim()).toBe(ids[1])
    nowMs += 24 * HOUR_MS
    expect(await claim()).toBe(ids[2])
  })

  test(`${name}: claims of one key that come together take one item, and one that is refused keeps nothing`, async () => {
    await using opened = await open()
    const { store } = opened
    const ids = [await added(store), await added(store)]
    expect(await codeOf(store.claim([], refusedWith("invalid")(), under("one")))).toBe("invalid")
    expect(await store.claimedBefore(under("one"))).toBeNull()
    const claims = Array.from({ length: 4 }, () => idOf(store.claim([], taking("a"), under("one"))))
    expect(await Promise.all(claims)).toEqual(Array(4).fill(ids[0]))
    expect(await idOf(store.claim([], taking("b"), under("two")))).toBe(ids[1])
  })
}
