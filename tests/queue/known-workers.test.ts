import { expect, test } from "bun:test"

import { blank } from "../../src/item/blank-item.ts"
import type { QueueItem } from "../../src/item/item.ts"
import { DrainedWorkers } from "../../src/queue/drained-workers.ts"
import { KnownWorkers } from "../../src/queue/known-workers.ts"

test("of a drain at one server and a resume at another the later one counts, and its claims are answered", () => {
  let nowMs = 1000
  const [one, two] = [new KnownWorkers(() => nowMs), new KnownWorkers(() => nowMs)]
  const meet = (): boolean[] => [one.learn(two.crew), two.learn(one.crew)]
  const claim = { worker: "box", tags: ["gpu"], instance: "first" }
  one.claims(claim)
  expect(two.setDraining("box", true)).toBe(false)
  expect(meet()).toEqual([false, false])
  expect(two.known).toEqual([expect.objectContaining({ worker: "box", tags: ["gpu"], isDraining: false })])
  nowMs = 2000
  expect(two.setDraining("box", true)).toBe(true)
  expect(meet()).toEqual([true, false])
  expect([one.isDraining("box", "first"), one.isDraining("box", "second")]).toEqual([true, false])
  nowMs = 3000
  expect(one.setDraining("box", false)).toBe(true)
  meet()
  expect([one, two].map((presence) => presence.isDraining("box", "first"))).toEqual([false, false])
  using _waits = one.wait(claim)
  meet()
  expect(two.waiting).toEqual([expect.objectContaining({ worker: "box" })])
})

test("a worker that does not say which of its starts it is stays drained until it may take items again", () => {
  const presence = new KnownWorkers(Date.now)
  const claim = { worker: "box", tags: [] }
  presence.claims(claim)
  expect(presence.isDraining("box", undefined)).toBe(false)
  presence.setDraining("box", true)
  presence.claims(claim)
  expect(presence.isDraining("box", undefined)).toBe(true)
  presence.setDraining("box", false)
  expect(presence.isDraining("box", undefined)).toBe(false)
})

test("of several workers that another server knows, each that was drained there is drained here", () => {
  let nowMs = 1000
  const [one, two] = [new KnownWorkers(() => nowMs), new KnownWorkers(() => nowMs)]
  for (const worker of ["a", "b", "c"]) two.claims({ worker, tags: [], instance: worker })
  for (const worker of ["a", "b", "c"]) two.setDraining(worker, worker !== "a")
  expect(one.learn(two.crew)).toBe(true)
  expect(["a", "b", "c"].map((worker) => one.isDraining(worker, worker))).toEqual([false, true, true])
  nowMs = 2000
  for (const worker of ["a", "b", "c"]) two.setDraining(worker, false)
  expect(one.learn(two.crew)).toBe(false)
})

test("both servers agree on which worker takes another item afterwards", () => {
  const [one, two] = [new KnownWorkers(() => 1000), new KnownWorkers(() => 1000)]
  one.claims({ worker: "box", tags: ["gpu", "fast"] })
  one.took(1, ["gpu", "fast"])
  one.took(2, null)
  const item = (id: number, worker: string): QueueItem => ({
    id,
    ...blank(1, new Date(0).toISOString()),
    ...{ worker, tags: ["gpu"], status: "processing" },
  })
  const [rendering, run] = [item(1, "box"), item(2, "laptop")]
  for (const reporting of [rendering, run]) one.reports(reporting)
  two.learn(one.crew)
  two.reports(rendering)
  for (const presence of [one, two]) {
    expect(presence.afterwards(rendering)).toEqual({ worker: "box", tags: ["gpu", "fast"] })
    expect(presence.afterwards(run)).toBeNull()
  }
})

test("a drain that another server reports again does not answer claims again", () => {
  const [one, two] = [new KnownWorkers(() => 1000), new KnownWorkers(() => 1000)]
  two.claims({ worker: "box", tags: [] })
  two.setDraining("box", true)
  expect([1, 2, 3].map(() => one.learn(two.crew))).toEqual([true, false, false])
})

test("a worker is forgotten an hour after it was last heard, and not while its claim waits", () => {
  const hourMs = 3_600_000
  let nowMs = hourMs
  const presence = new KnownWorkers(() => nowMs)
  const names = (): string[] => presence.known.map(({ worker }) => worker)
  for (const worker of ["a", "b"]) presence.claims({ worker, tags: [] })
  const waits = presence.wait({ worker: "b", tags: [] })
  nowMs += hourMs
  expect(names()).toEqual(["a", "b"])
  nowMs += 1
  expect(names()).toEqual(["b"])
  nowMs += 10 * hourMs
  expect(presence.known).toMatchObject([{ worker: "b", isThere: true, heardMs: nowMs }])
  waits[Symbol.dispose]()
  nowMs += hourMs
  expect(names()).toEqual(["b"])
  nowMs += 1
  expect(names()).toEqual([])
})

test("of one worker that two servers know, what the later one heard counts", () => {
  let nowMs = 1000
  const [one, two] = [new KnownWorkers(() => nowMs), new KnownWorkers(() => nowMs)]
  one.claims({ worker: "box", tags: ["hd"], version: "1" })
  nowMs = 2000
  two.claims({ worker: "box", tags: ["4k"], version: "2" })
  one.learn(two.crew)
  two.learn(one.crew)
  for (const presence of [one, two])
    expect(presence.known).toMatchObject([{ worker: "box", version: "2", heardMs: 2000, idleMs: 2000 }])
})

test("a worker is there while its claim waits, and for half a minute after it was last heard", () => {
  let nowMs = 1000
  const presence = new KnownWorkers(() => nowMs)
  presence.claims({ worker: "box", tags: [] })
  nowMs += 29_999
  expect(presence.known).toMatchObject([{ isThere: true }])
  nowMs += 1
  expect(presence.known).toMatchObject([{ isThere: false }])
  {
    using _waits = presence.wait({ worker: "box", tags: [] })
    nowMs += 60_000
    expect(presence.known).toMatchObject([{ isThere: true }])
  }
  nowMs += 30_000
  expect(presence.known).toMatchObject([{ isThere: false }])
})

test("a worker is idle since the end of its last item, and not since its last report", () => {
  let nowMs = 1000
  const presence = new KnownWorkers(() => nowMs)
  presence.claims({ worker: "box", tags: [] })
  nowMs = 2000
  presence.reports({ worker: "box", status: "completed" })
  nowMs = 3000
  presence.reports({ worker: "box", status: "processing" })
  expect(presence.known).toMatchObject([{ heardMs: 3000, idleMs: 2000 }])
})

test("of very many workers the one that was silent for longest is forgotten, and none whose claim waits", () => {
  let nowMs = 0
  const presence = new KnownWorkers(() => nowMs)
  using _waits = presence.wait({ worker: "waiting", tags: [] })
  for (nowMs = 1; nowMs <= 1001; nowMs += 1) presence.claims({ worker: `w${nowMs}`, tags: [] })
  const names = new Set(presence.known.map(({ worker }) => worker))
  expect([names.size, names.has("waiting"), names.has("w1"), names.has("w2"), names.has("w1001")]).toEqual([
    1000,
    true,
    false,
    false,
    true,
  ])
})

test("of a worker's many starts the latest are remembered, and its tags are those of its claims by place", () => {
  const [one, two] = [new KnownWorkers(() => 1000), new KnownWorkers(() => 2000)]
  for (let start = 1; start <= 20; start += 1)
    one.claims({ worker: "box", tags: ["gpu"], instance: `start ${start}` })
  expect(one.crew[0]?.starts).toEqual(Array.from({ length: 16 }, (_, i) => `start ${i + 5}`))
  two.reports({ worker: "box", status: "processing" })
  one.learn(two.crew)
  expect(one.known).toMatchObject([{ worker: "box", tags: ["gpu"], isTaking: true, heardMs: 2000 }])
})

test("of the workers at another server those wait whose claims do", () => {
  const [one, two] = [new KnownWorkers(() => 100_000), new KnownWorkers(() => 1000)]
  two.claims({ worker: "idle", tags: [] })
  two.claims({ worker: "waiting", tags: ["gpu"] })
  using _waits = two.wait({ worker: "waiting", tags: ["gpu"] })
  one.learn(two.crew)
  expect(one.waiting).toMatchObject([{ worker: "waiting", tags: ["gpu"] }])
  // That server has not reported for a while.
  expect(one.known.map(({ worker, isThere }) => [worker, isThere])).toEqual([
    ["idle", false],
    ["waiting", true],
  ])
})

test("a worker that is drained takes no item after the one that it has", () => {
  const presence = new KnownWorkers(() => 1000)
  const item: QueueItem = { id: 7, ...blank(1, new Date(0).toISOString()), worker: "box" }
  presence.claims({ worker: "box", tags: ["gpu"], instance: "first" })
  presence.took(7, ["gpu"], "first")
  expect(presence.afterwards(item)).toEqual({ worker: "box", tags: ["gpu"] })
  presence.setDraining("box", true)
  expect(presence.afterwards(item)).toBeNull()
})

test("an item of a start that is drained ends the taking of items, and one of a later start does not", () => {
  const presence = new KnownWorkers(Date.now)
  const box = { worker: "box", tags: [] }
  presence.claims({ ...box, instance: "first" })
  presence.took(1, [], "first")
  expect(presence.setDraining("box", true)).toBe(true)
  presence.claims({ ...box, instance: "second" })
  presence.took(2, [], "second")
  expect([1, 2].map((id) => presence.isDrainingAt({ id, worker: "box" }))).toEqual([true, false])
})

test("a worker that no server has heard of takes another item afterwards, by the tags of the one that it has", () => {
  const item = { id: 1, ...blank(1, new Date(0).toISOString()), worker: "box", tags: ["gpu"] }
  expect(new KnownWorkers(() => 1000).afterwards(item)).toEqual({ worker: "box", tags: ["gpu"] })
})

test("of very many drained workers the one that was drained longest ago is forgotten, and no other", () => {
  const drained = new DrainedWorkers()
  const names = Array.from({ length: 10_001 }, (_, i) => `box-${i}`)
  for (const [ms, worker] of names.entries()) drained.set(worker, new Set(), ms)
  expect(names.filter((worker) => !drained.has(worker))).toEqual(["box-0"])
})
