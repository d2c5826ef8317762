import { expect, test } from "bun:test"

import { type KeptRun, MAX_RUNS } from "../../src/item/estimate/earlier-run.ts"
import { withCourse } from "../../src/item/estimate/follow-attempt.ts"
import { claimed, completed as completedBy } from "../../src/item/lease.ts"
import { transition } from "../../src/item/moves.ts"
import { reported } from "../../src/item/report.ts"
import type { Decide } from "../../src/store/contract/items.ts"
import type { Store } from "../../src/store/contract/store.ts"
import { added, type Open, put, START_MS } from "./store.contract.ts"

const time = new Date(START_MS).toISOString()

/** A run of one step. */
const run = (kind: string, seconds: number, look = "2 steps, Draw"): KeptRun => ({
  kind,
  look,
  queue_id: 1,
  worker: "box",
  seconds,
  steps: [
    {
      name: "Draw",
      index: 1,
      unit: "images",
      size: 3,
      at: 0,
      lines: {
        unit: [
          [0, 0],
          [1, 2.5],
        ],
      },
    },
  ],
})

/** Completes a new item with a run. */
async function completed(store: Store, done: KeptRun): Promise<number> {
  const id = await added(store)
  await put(store, id, { status: "processing" })
  await store.change(id, ({ item, work }, { time: now }) => ({
    item: transition(item, { status: "completed" }, now),
    work,
    run: { ...done, queue_id: id },
  }))
  return id
}

const secondsOf = async (store: Store, kind: string, look = "2 steps, Draw"): Promise<number[]> =>
  (await store.runs.alike(kind, look)).map(({ seconds }) => seconds)

/** What every Store promises about the runs that it remembers. */
export function storeRuns(name: string, open: Open): void {
  test(`${name}: a run is kept with the change that completes its item, and reads back as it was`, async () => {
    await using opened = await open(() => START_MS)
    const { store } = opened
    await completed(store, run("song", 61.5))
    const { kind: _kind, look: _look, queue_id: _id, ...plain } = run("song", 61.5)
    expect(await store.runs.alike("song", "2 steps, Draw")).toEqual([plain])
    expect(await store.runs.kinds(9)).toMatchObject([
      { kind: "song", look: "2 steps, Draw", runs: 1, seconds: 61.5, ended_at: time },
    ])
  })

  test(`${name}: an attempt that goes on with the render of a lost lease leaves no run, and its successor does`, async () => {
    let nowMs = START_MS
    await using opened = await open(() => nowMs)
    const { store } = opened
    const knowledge = { of: () => undefined, outages: [] }
    const rendered = async (seconds: number, former?: string): Promise<void> => {
      const id = await added(store, { kind: "song" })
      const decide = (decision: Decide) =>
        store.change(id, (stored, moment) => withCourse(stored, decision(stored, moment), moment, knowledge))
      const by = { worker: "box", token: "now", leaseMs: 60_000, former }
      await decide((stored, moment) => claimed(stored, by, moment))
      nowMs += 1000
      await decide((stored, moment) => reported(stored, "now", { progress: 80 }, moment))
      nowMs += (seconds - 1) * 1000
      await decide((stored, moment) => completedBy(stored, "now", {}, moment))
    }
    await rendered(3, "before")
    expect(await store.runs.kinds(9)).toEqual([])
    await rendered(10)
    expect(await store.runs.kinds(9)).toMatchObject([{ kind: "song", runs: 1, seconds: 10 }])
  })

  test(`${name}: nothing is learned from an attempt in a long outage, though a short one has followed before its next report`, async () => {
    let nowMs = START_MS
    await using opened = await open(() => nowMs)
    const { store } = opened
    const { outages } = store
    const stand = async (ms: number): Promise<void> => {
      const sinceMs = nowMs
      nowMs += ms
      outages.begin(sinceMs)
      await store.alive()
      nowMs += 6000
    }
    const rendered = async (kind: string, ...stood: readonly number[]): Promise<void> => {
      const id = await added(store, { kind })
      const decide = (decision: Decide) =>
        store.change(id, (stored, moment) =>
          withCourse(stored, decision(stored, moment), moment, {
            of: () => undefined,
            outages: outages.known,
          }),
        )
      await decide((stored, moment) => claimed(stored, { worker: "box", token: kind, leaseMs: 1e9 }, moment))
      for (const ms of stood) await stand(ms)
      nowMs += 100_000
      await decide((stored, moment) => reported(stored, kind, { progress: 80 }, moment))
      await decide((stored, moment) => completedBy(stored, kind, {}, moment))
    }
    await rendered("short", 2000, 2000)
    await rendered("long", 60_000, 2000)
    await rendered("often", ...Array.from({ length: 8 }, () => 2000))
    expect((await store.runs.kinds(9)).map(({ kind }) => kind)).toEqual(["short"])
  })

  test(`${name}: a change that is refused leaves no run`, async () => {
    await using opened = await open()
    const { store } = opened
    const id = await added(store)
    const illegal = store.change(id, ({ item, work }) => ({
      item: { ...item, status: "completed" },
      work,
      run: run("song", 1),
    }))
    expect(illegal).rejects.toThrow()
    await illegal.catch(() => undefined)
    expect(await store.runs.kinds(9)).toEqual([])
    expect((await store.item(id)).status).toBe("queued")
  })

  test(`${name}: of runs that are alike the newest are kept`, async () => {
    await using opened = await open()
    const { store } = opened
    await completed(store, run("song", 200, "another look"))
    for (let i = 1; i <= MAX_RUNS + 3; i += 1) await completed(store, run("song", i))
    await completed(store, run("film", 100))
    expect(await secondsOf(store, "song")).toEqual([4, 5, 6, 7, 8, 9, 10, 11])
    expect(await secondsOf(store, "film")).toEqual([100])
    expect(await secondsOf(store, "song", "another look")).toEqual([200])
    const kept = (await store.runs.kinds(9)).map(({ kind, runs }) => [kind, runs])
    expect(kept).toEqual([
      ["film", 1],
      ["song", MAX_RUNS],
      ["song", 1],
    ])
  })

  test(`${name}: a look that is not known yet is estimated by the newest one of its kind`, async () => {
    await using opened = await open()
    const { store } = opened
    await completed(store, run("song", 1, "two"))
    await completed(store, run("song", 2, "three"))
    await completed(store, run("song", 3, "two"))
    expect(await secondsOf(store, "song", "three")).toEqual([2])
    expect(await secondsOf(store, "song", "four")).toEqual([1, 3])
    expect(await secondsOf(store, "song", "")).toEqual([1, 3])
    expect(await secondsOf(store, "film", "two")).toEqual([])
    // A run without any report, as of a song that was there already, does not stand for all songs.
    await completed(store, run("song", 4, ""))
    expect(await secondsOf(store, "song", "")).toEqual([1, 3])
    await completed(store, run("song", 5, "two"))
    expect(await secondsOf(store, "song", "")).toEqual([1, 3, 5])
    for (const seconds of [6, 7, 8]) await completed(store, run("song", seconds, ""))
    expect(await secondsOf(store, "song", "")).toEqual([4, 6, 7, 8])
  })

  test(`${name}: if each of the newest runs looks different, the newest of all looks decide, but not of a look that is known`, async () => {
    await using opened = await open()
    const { store } = opened
    for (const [i, look] of ["one", "two", "one", "three", "four"].entries())
      await completed(store, run("song", i, look))
    expect(await secondsOf(store, "song", "five")).toEqual([0, 1, 2, 3, 4])
    expect(await secondsOf(store, "song", "")).toEqual([0, 1, 2, 3, 4])
    expect(await secondsOf(store, "song", "two")).toEqual([1])
    await completed(store, run("song", 5, "four"))
    expect(await secondsOf(store, "song", "five")).toEqual([4, 5])
    for (let i = 6; i < 13; i += 1) await completed(store, run("song", i, "four"))
    await completed(store, run("song", 13, ""))
    for (const [i, look] of ["six", "seven"].entries()) await completed(store, run("song", 14 + i, look))
    await completed(store, run("song", 16, "eight"))
    expect(await secondsOf(store, "song", "five")).toEqual([9, 10, 11, 12, 14, 15, 16])
  })

  test(`${name}: items of no kind are estimated by the newest runs, if three are alike and none is of a kind`, async () => {
    await using opened = await open()
    const { store } = opened
    await completed(store, run("frames", 1, "frames"))
    await completed(store, run("frames", 2, "frames"))
    expect(await secondsOf(store, "", "")).toEqual([])
    await completed(store, run("frames", 3, "frames"))
    expect(await secondsOf(store, "", "")).toEqual([1, 2, 3])
    await completed(store, run("1 step, Cut", 4, "1 step, Cut"))
    expect(await secondsOf(store, "", "")).toEqual([])
    await store.runs.forget("1 step, Cut")
    expect(await secondsOf(store, "", "")).toEqual([1, 2, 3])
    await completed(store, run("song", 4))
    expect(await secondsOf(store, "", "")).toEqual([])
  })

  test(`${name}: of a look that is new, the kind's newest look decides, whatever other kinds have rendered since`, async () => {
    await using opened = await open()
    const { store } = opened
    await completed(store, run("song", 1, "two"))
    await completed(store, run("song", 2, "three"))
    await completed(store, run("film", 3, "two"))
    expect(await secondsOf(store, "song", "four")).toEqual([2])
    expect(await secondsOf(store, "none", "two")).toEqual([])
  })

  test(`${name}: a run ended when its item was completed`, async () => {
    let nowMs = START_MS
    await using opened = await open(() => nowMs)
    const { store } = opened
    const id = await added(store)
    await put(store, id, { status: "processing" })
    nowMs += 60_000
    await store.change(id, ({ item, work }, { time: now }) => ({
      item: transition(item, { status: "completed" }, now),
      work,
      run: { ...run("song", 60), queue_id: id },
    }))
    const ended_at = new Date(nowMs).toISOString()
    expect(await store.runs.kinds(9)).toMatchObject([{ kind: "song", ended_at }])
  })

  test(`${name}: kinds are listed by their latest run, whatever the clock says, and a kind can be forgotten`, async () => {
    let nowMs = START_MS
    await using opened = await open(() => nowMs)
    const { store } = opened
    await completed(store, run("song", 1, "two"))
    await completed(store, run("song", 2, "three"))
    nowMs -= 1000
    await completed(store, run("film", 3))
    expect((await store.runs.kinds(2)).map(({ kind }) => kind)).toEqual(["film", "song"])
    expect(await store.runs.forget("song")).toBe(2)
    expect(await store.runs.forget("song")).toBe(0)
    expect((await store.runs.kinds(9)).map(({ kind }) => kind)).toEqual(["film"])
  })

  test(`${name}: beyond a number of runs of all kinds together the oldest are forgotten, some at a time`, async () => {
    await using opened = await open()
    const { store } = opened
    for (let i = 1; i <= 3; i += 1) await completed(store, run("song", i))
    for (let i = 1; i <= 4; i += 1) await completed(store, run(`film ${i}`, i))
    await completed(store, run("song", 4))
    const kinds = async (): Promise<string[]> => (await store.runs.kinds(9)).map(({ kind }) => kind)
    expect(await store.upkeep.forgetRuns(8, 2)).toBe(0)
    expect(await store.upkeep.forgetRuns(3, 4)).toBe(4)
    expect([await secondsOf(store, "song"), await kinds()]).toEqual([
      [4],
      ["song", "film 4", "film 3", "film 2"],
    ])
    expect(await store.upkeep.forgetRuns(3, 4)).toBe(1)
    expect(await store.upkeep.forgetRuns(3, 4)).toBe(0)
    expect(await kinds()).toEqual(["song", "film 4", "film 3"])
  })

  test(`${name}: a history is learned from once`, async () => {
    await using opened = await open()
    const { store } = opened
    expect(await store.runs.hasLearned()).toBe(false)
    const ended_at = "2026-01-01T00:00:00.000Z"
    await store.runs.addLearned([
      { ...run("song", 1), ended_at },
      { ...run("song", 2), ended_at },
    ])
    expect(await store.runs.hasLearned()).toBe(true)
    expect(await secondsOf(store, "song")).toEqual([1, 2])
    expect(await store.runs.kinds(9)).toMatchObject([{ runs: 2, seconds: 1.5, ended_at }])
  })
}
