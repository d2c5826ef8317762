import { expect, test } from "bun:test"

import { transition } from "../../../src/item/moves.ts"
import { type Change, IDLE } from "../../../src/item/stored.ts"
import type { Due } from "../../../src/store/contract/items.ts"
import { GroupDecisions, type KnownRow } from "../../../src/store/postgres/group-decisions.ts"
import { draft, START_MS } from "../../contracts/store.contract.ts"

const clock = { now: () => START_MS, steadyMs: () => START_MS }

/** A row of item 7 as it was at this version. */
const row = (version: number): KnownRow => ({
  stored: { item: { id: 7, ...draft(), title: `version ${version}` }, work: IDLE },
  version,
})

test("of two states of an item that were read the newer one counts, in whatever order they come", () => {
  for (const versions of [
    [1, 2],
    [2, 1],
  ]) {
    const decisions = new GroupDecisions(clock)
    for (const version of versions) decisions.read(row(version), true)
    expect(decisions.see(7).item.title).toBe("version 2")
  }
})

test("an item that was kept in memory, and is then read as it was, counts as read now", () => {
  const decisions = new GroupDecisions(clock)
  decisions.read(row(1), false)
  expect(decisions.rows.get(7)?.isFresh).toBeFalse()
  decisions.read(row(1), true)
  expect(decisions.rows.get(7)?.isFresh).toBeTrue()
})

test("a decision that viewers do not see leaves the item as they see it", () => {
  const decisions = new GroupDecisions(clock)
  decisions.read(row(1), true)
  const work = { ...IDLE, rescues: 3 }
  decisions.decide(7, ({ item }) => ({ item: { ...item, title: "unseen" }, work, quiet: true }))
  expect([decisions.see(7), decisions.said]).toEqual([{ item: row(1).stored.item, work }, []])
})

test("a write that is refused after its first decision leaves nothing of it behind", () => {
  const decisions = new GroupDecisions(clock)
  decisions.read(row(1), true)
  const kept = { kind: "song", look: "", worker: "", queue_id: 7, seconds: 1, steps: [] }
  const { result } = decisions.attempt(() => {
    decisions.decide(7, ({ item, work }, { time }) => ({
      item: transition(item, { status: "processing" }, time),
      work,
      run: kept,
    }))
    throw new RangeError("refused")
  })
  expect(result.ok).toBe(false)
  expect([decisions.changed, decisions.said, decisions.runs]).toEqual([[], [], []])
  expect(decisions.see(7)).toEqual(row(1).stored)
})

test("an add that is answered by its key depends on the item that an earlier add of its group made", () => {
  const decisions = new GroupDecisions(clock)
  decisions.numbers.push(7, 8)
  const add = () => decisions.add(() => draft(), { key: "once", digest: "d" })
  for (const isNew of [true, false]) {
    const { result, added } = decisions.attempt(add)
    expect(result).toMatchObject({ ok: true, value: { item: { id: 7 }, added: isNew } })
    expect(added).toEqual(new Set([7]))
  }
})

test("a decision that changes nothing writes nothing", () => {
  const decisions = new GroupDecisions(clock)
  decisions.read(row(1), true)
  decisions.decide(7, (stored) => ({ ...stored, quiet: true }))
  expect([decisions.changed, decisions.said]).toEqual([[], []])
})

const claimable = (decisions: GroupDecisions) => decisions.attempt(() => decisions.takeFirst([7])).result

test("an item that an earlier write of the group has delayed or deleted is not claimed by a later one", () => {
  const changes: ((change: Change) => Change)[] = [
    ({ item, work }) => ({ item: { ...item, available_at: new Date(START_MS + 1).toISOString() }, work }),
    (change) => ({ ...change, deleted: true }),
  ]
  for (const change of changes) {
    const decisions = new GroupDecisions(clock)
    decisions.read(row(1), true)
    expect(claimable(decisions)).toEqual({ ok: true, value: 7 })
    const { deleted = false } = decisions.decide(7, change)
    expect(claimable(decisions)).toEqual({ ok: true, value: undefined })
    if (deleted) continue
    decisions.decide(7, ({ item, work }) => ({ item: { ...item, title: "another" }, work }))
    expect(claimable(decisions)).toEqual({ ok: true, value: undefined })
  }
})

test("a sweep leaves alone what an earlier write of the group has renewed, moved, ended or deleted", () => {
  const by = START_MS
  const late = { ...IDLE, lease_token: "t", lease_expires_at: by, moved_at: by }
  const item = transition(row(1).stored.item, { status: "processing" }, new Date(by).toISOString())
  const swept = (due: Due["due"], before: (change: Change) => Change): number => {
    const decisions = new GroupDecisions(clock)
    decisions.read({ stored: { item, work: late }, version: 1 }, true)
    decisions.decide(7, before)
    return decisions.sweep([7], { due, by }, ({ item: { title }, work }) => ({
      item: { ...item, title },
      work,
    }))
  }
  const unchanged = (change: Change): Change => ({ ...change, item: { ...item, title: "another" } })
  const ending = ({ item: { id } }: Change): Change => ({
    item: { ...transition(item, { status: "completed" }, new Date(by).toISOString()), id },
    work: late,
  })
  for (const due of ["lease", "stall"] as const) {
    expect(swept(due, unchanged)).toBe(1)
    expect(swept(due, ending)).toBe(0)
    expect(swept(due, (change) => ({ ...change, deleted: true }))).toBe(0)
  }
  const renewed = { ...late, lease_expires_at: by + 1 }
  const moved = { ...late, moved_at: by + 1 }
  expect(swept("lease", (change) => ({ ...change, work: renewed, quiet: true }))).toBe(0)
  expect(swept("lease", (change) => ({ ...change, work: { ...late, lease_expires_at: null } }))).toBe(0)
  expect(swept("stall", (change) => ({ ...change, work: moved }))).toBe(0)
  expect(swept("stall", (change) => ({ ...change, item: { ...item, stalled: true } }))).toBe(0)
})

test("a claim that is refused after it has taken an item does not depend on whether the queue is paused", () => {
  for (const take of ["takeFirst", "takeSole"] as const) {
    const decisions = new GroupDecisions(clock)
    decisions.read(row(1), true)
    const { result } = decisions.attempt(() => {
      expect(decisions[take]([7])).toBe(7)
      throw new RangeError("refused")
    })
    expect(result.ok).toBe(false)
    expect([decisions.claims, decisions.soleClaims]).toEqual([[], []])
  }
})

test("a claim is decided again if another server has taken its item, and not if the group itself has", () => {
  for (const take of ["takeFirst", "takeSole"] as const) {
    const { stored } = row(1)
    const item = transition(stored.item, { status: "processing" }, new Date(START_MS).toISOString())
    const claim = (decisions: GroupDecisions) => decisions.attempt(() => decisions[take]([7]))
    const ofOther = new GroupDecisions(clock)
    ofOther.read({ stored: { ...stored, item }, version: 2 }, true)
    expect(claim(ofOther)).toMatchObject({ result: { value: undefined }, isOpen: true })
    const ofGroup = new GroupDecisions(clock)
    ofGroup.read(row(1), true)
    ofGroup.decide(7, ({ work }) => ({ item, work }))
    // With one item per song another read may find an item of another song.
    expect(claim(ofGroup)).toMatchObject({ result: { value: undefined }, isOpen: take === "takeSole" })
  }
})
