import { expect, test } from "bun:test"

import { cancelled as cancelRequested, removed, retried } from "../../src/item/add-cancel-retry-delete.ts"
import { changed } from "../../src/item/change-by-put.ts"
import { REVOKED } from "../../src/item/lease-token.ts"
import { claimed, heartbeat, released, rescued } from "../../src/item/lease.ts"
import type { TokenDraft } from "../../src/store/contract/access.ts"
import type { Decide } from "../../src/store/contract/items.ts"
import { added, codeOf, type Open, START_MS } from "./store.contract.ts"

const HOUR_MS = 3_600_000

const at = (ms: number): string => new Date(START_MS + ms).toISOString()

const draft = (hash: string, more: Partial<TokenDraft> = {}): TokenDraft => ({
  hash,
  label: "",
  role: "viewer",
  item: null,
  expires_at: null,
  ...more,
})

/** What every Store promises about tokens and tickets. */
export function storeAccess(name: string, open: Open): void {
  test(`${name}: a token is kept as it was given, with the present history, and no two have the same hash`, async () => {
    await using opened = await open(() => START_MS)
    const { access, historyId } = opened.store
    expect(await access.tokens()).toEqual([])
    const given = draft("aa", { label: "the wall screen", role: "operator", expires_at: at(HOUR_MS) })
    const token = await access.addToken(given)
    const times = { created_at: at(0), revoked_at: null, last_used_at: null }
    expect(token).toEqual({ id: token.id, history: historyId, ...given, ...times })
    const item = await added(opened.store)
    const bound = await access.addToken(draft("bb", { item }))
    expect(bound).toMatchObject({ item, history: historyId })
    expect(await access.tokens()).toEqual([token, bound])
    // Numbers are not used again: otherwise the token would show the item that gets this number later.
    expect(await codeOf(access.addToken(draft("cc", { item: item + 1 })))).toBe("not_found")
    await opened.store.change(item, (stored, moment) => removed(stored, moment))
    expect(await codeOf(access.addToken(draft("dd", { item })))).toBe("not_found")
    expect(await access.tokens()).toHaveLength(2)
    await expect(access.addToken(draft("aa"))).rejects.toThrow()
  })

  test(`${name}: a token is revoked once, stays in the list, and takes its tickets along`, async () => {
    await using opened = await open(() => START_MS)
    const { access } = opened.store
    const { id } = await access.addToken(draft("aa"))
    const other = await access.addToken(draft("bb"))
    const ticket = { method: "GET", path: "/p", use_by: at(60_000), expires_at: at(HOUR_MS) }
    await access.addTicket({ ...ticket, hash: "t1", token_id: id })
    await access.addTicket({ ...ticket, hash: "t2", token_id: other.id })
    expect(await access.revokeToken(id)).toBeTrue()
    expect(await access.revokeToken(id)).toBeFalse()
    expect(await access.revokeToken(id + 99)).toBeFalse()
    expect((await access.tokens()).map(({ revoked_at }) => revoked_at)).toEqual([at(0), null])
    expect((await access.tickets()).map(({ hash }) => hash)).toEqual(["t2"])
  })

  test(`${name}: the leases that were claimed by a token end, and no others`, async () => {
    await using opened = await open(() => START_MS)
    const { store } = opened
    const { id: one } = await store.access.addToken(draft("aa"))
    const { id: two } = await store.access.addToken(draft("bb"))
    const claim = async (holder: number): Promise<number> => {
      const id = await added(store)
      const by = { worker: "w", token: `lease of ${id}`, leaseMs: 60_000, holder }
      await store.change(id, (stored, moment) => claimed(stored, by, moment))
      return id
    }
    const [mine, other] = [await claim(one), await claim(two)]
    const cancelled = await claim(one)
    await store.change(cancelled, (stored, moment) => cancelRequested(stored, moment))
    expect(await store.access.endLeases(one)).toBe(2)
    expect(await store.access.endLeases(one)).toBe(0)
    const renew = (id: number, lease = `lease of ${id}`): Promise<unknown> =>
      store.change(id, (stored, moment) => heartbeat(stored, lease, moment))
    const isOver = async (): Promise<void> => {
      for (const id of [mine, cancelled]) expect(await codeOf(renew(id))).toBe("gone")
      expect(await codeOf(renew(mine, REVOKED + `lease of ${mine}`))).toBe("lease_lost")
      expect(await codeOf(renew(mine, "invented"))).toBe("lease_lost")
    }
    await isOver()
    expect(await codeOf(renew(other))).toBe("none")
    const rescue: Decide = (stored, moment) => rescued(stored, 5, moment)
    expect(await store.sweep({ due: "lease", by: START_MS }, rescue)).toBe(2)
    // The worker must have stopped before another one writes the same file.
    expect(await store.item(mine)).toMatchObject({ status: "retrying", available_at: at(30_000) })
    expect(await store.item(cancelled)).toMatchObject({ outcome: "cancelled" })
    await isOver()
    await store.change(mine, (stored, moment) => removed(stored, moment))
    expect(await store.wasDeleted(mine, `lease of ${mine}`)).toBeTrue()
  })

  test(`${name}: the worker of a revoked lease learns it even after others have had the item`, async () => {
    await using opened = await open(() => START_MS)
    const { store } = opened
    const { id: holder } = await store.access.addToken(draft("aa"))
    const id = await added(store)
    const claim = (token: string): Promise<unknown> =>
      store.change(id, (stored, moment) =>
        claimed(stored, { worker: "w", token, leaseMs: 60_000, holder }, moment),
      )
    const renew = (token: string): Promise<string> =>
      codeOf(store.change(id, (stored, moment) => heartbeat(stored, token, moment)))
    const rescue: Decide = (stored, moment) => rescued(stored, 5, moment)
    for (const token of ["first", "next"]) {
      await claim(token)
      await store.access.endLeases(holder)
      await store.sweep({ due: "lease", by: START_MS }, rescue)
    }
    for (const token of ["second", "third"]) {
      await claim(token)
      expect([await renew(token), await renew("next")]).toEqual(["none", "gone"])
      // A repeated verdict gives the same answer.
      for (let sent = 0; sent < 2; sent += 1)
        expect(await codeOf(store.change(id, (stored, moment) => released(stored, token, moment)))).toBe(
          "none",
        )
      expect(await renew("next")).toBe("gone")
    }
    await claim("silent")
    await store.sweep({ due: "lease", by: START_MS + 60_000 }, rescue)
    expect([await renew("next"), await renew("silent")]).toEqual(["gone", "lease_lost"])
    // A person takes the item over.
    const acts: readonly Decide[] = [
      (stored, moment) => retried(stored, moment),
      (stored, moment) => changed(stored, { status: "processing" }, moment),
      (stored, moment) => changed(stored, { status: "queued" }, moment),
    ]
    for (const act of acts) {
      await store.change(id, act)
      expect(await renew("next")).toBe("gone")
    }
    for (const token of ["", "first", " after ", "third after next", "after next", REVOKED + "next"])
      expect([token, await renew(token)]).toEqual([token, "lease_lost"])
    await claim("last")
    await store.change(id, (stored, moment) => removed(stored, moment))
    for (const token of ["last", "next"])
      expect([token, await store.wasDeleted(id, token)]).toEqual([token, true])
    for (const token of ["", "%", "first", "silent", " after ", "last after next", REVOKED + "next"])
      expect([token, await store.wasDeleted(id, token)]).toEqual([token, false])
  })

  test(`${name}: a use is remembered with its time`, async () => {
    let nowMs = START_MS
    await using opened = await open(() => nowMs)
    const { access } = opened.store
    const { id } = await access.addToken(draft("aa"))
    await access.addToken(draft("bb"))
    nowMs += 5000
    await access.useTokens([id])
    expect((await access.tokens()).map(({ last_used_at }) => last_used_at)).toEqual([at(5000), null])
  })

  test(`${name}: a ticket keeps its first use, and is forgotten at its end, or if it was not used in time`, async () => {
    let nowMs = START_MS
    await using opened = await open(() => nowMs)
    const { access } = opened.store
    const { id: token_id } = await access.addToken(draft("aa"))
    const ticket = { token_id, method: "GET", path: "/p?a=1", use_by: at(60_000) }
    await access.addTicket({ ...ticket, hash: "t1", expires_at: at(HOUR_MS) })
    expect(await access.tickets()).toEqual([
      { ...ticket, hash: "t1", expires_at: at(HOUR_MS), used_at: null },
    ])
    nowMs += 1000
    await access.useTicket("t1")
    nowMs += 1000
    await access.useTicket("t1")
    await access.useTicket("unknown")
    expect((await access.tickets()).map(({ used_at }) => used_at)).toEqual([at(1000)])
    expect([await access.ticket("t1"), await access.ticket("unknown")]).toEqual([
      { ...ticket, hash: "t1", expires_at: at(HOUR_MS), used_at: at(1000) },
      null,
    ])
    // The time within which it must be used first is over, and it has been used.
    nowMs += 60_000
    await access.addTicket({ ...ticket, hash: "t0", use_by: at(90_000), expires_at: at(HOUR_MS) })
    expect((await access.tickets()).map(({ hash }) => hash).toSorted()).toEqual(["t0", "t1"])
    expect([(await access.ticket("t0"))?.hash, (await access.ticket("t1"))?.hash]).toEqual(["t0", "t1"])
    nowMs += HOUR_MS
    expect([await access.tickets(), await access.ticket("t1")]).toEqual([[], null])
    await access.addTicket({ ...ticket, hash: "t2", expires_at: at(3 * HOUR_MS) })
    expect((await access.tickets()).map(({ hash }) => hash)).toEqual(["t2"])
    await access.addTicket({ ...ticket, hash: "t3", expires_at: at(3 * HOUR_MS) })
    expect((await access.tickets()).map(({ hash }) => hash)).toEqual(["t3"])
  })
}
