import { describe, expect, setDefaultTimeout, test } from "bun:test"

import fc from "fast-check"

import { estimate, outlook } from "../../../src/item/estimate/estimate.ts"
import { type Experience, learn } from "../../../src/item/estimate/experience.ts"
import { rangeOfNext } from "../../../src/item/estimate/range-of-next.ts"
import { forecast, type Slot, type Waiting } from "../../../src/item/estimate/start-forecast.ts"
import { chance, dice } from "./chance.ts"
import { type Attempt, histories } from "./histories.ts"
import { median, runOf, traceOf } from "./replay.ts"
import { runThrough } from "./traced-reports.ts"

// The machine may be busy.
setDefaultTimeout(180_000)

const free = (seconds: number): Slot["free"] => ({ seconds, low: seconds, high: seconds })
const slot = (seconds: number, tags: readonly string[] = []): Slot => ({
  worker: "box",
  tags,
  free: free(seconds),
})
const item = (id: number, takes: number | undefined, more: Partial<Waiting> = {}): Waiting => ({
  id,
  tags: [],
  availableIn: 0,
  takes: () => (takes === undefined ? undefined : { seconds: takes, low: 0.8 * takes, high: 1.3 * takes }),
  ...more,
})
const startsOf = (slots: readonly Slot[], waiting: readonly Waiting[]): Record<number, number> =>
  Object.fromEntries(forecast(slots, waiting, 100).starts.map(({ id, startsIn }) => [id, startsIn]))

test("items start in their order, each when a slot is free", () => {
  expect(startsOf([slot(10)], [item(1, 5), item(2, 7), item(3, 1)])).toEqual({ 1: 10, 2: 15, 3: 22 })
  expect(startsOf([slot(10), slot(0)], [item(1, 30), item(2, 7), item(3, 1)])).toEqual({ 1: 0, 2: 10, 3: 17 })
})

test("an item waits for a worker that has its tags, and others pass it by", () => {
  const waiting = [item(1, 5, { tags: ["gpu"] }), item(2, 5)]
  expect(startsOf([slot(0), slot(20, ["gpu"])], waiting)).toEqual({ 1: 20, 2: 0 })
  expect(startsOf([slot(0)], waiting)).toEqual({ 2: 0 })
})

test("a worker of which nobody knows when it is free lets only such items start sooner as it can take", () => {
  const lowsOf = (tags: readonly string[]): number[] =>
    forecast(
      [slot(20, ["gpu"]), { worker: "box", tags, free: undefined }],
      [item(1, 5, { tags: ["gpu"] })],
      9,
    ).starts.map(({ low }) => low)
  expect([lowsOf(["gpu"]), lowsOf(["4k"])]).toEqual([[0], [20]])
})

test("a delayed item starts no sooner, and meanwhile others do", () => {
  expect(startsOf([slot(0)], [item(1, 5, { availableIn: 8 }), item(2, 20)])).toEqual({ 1: 20, 2: 0 })
  expect(startsOf([slot(0)], [item(1, 5, { availableIn: 8 })])).toEqual({ 1: 8 })
  const justDue = item(1, 5, { availableIn: 10 })
  expect(startsOf([slot(10)], [justDue, item(2, 5)])).toEqual({ 1: 10, 2: 15 })
  const delayed = [1, 2].map((id) => item(id, 5, { availableIn: 8 }))
  expect(startsOf([slot(0)], delayed)).toEqual({ 1: 8, 2: 13 })
})

test("where one item of a song is rendered at a time, the next one waits for it, and others pass it by", () => {
  const songs = (slots: readonly Slot[], waiting: readonly Waiting[], hand: number | undefined) =>
    forecast(slots, waiting, 100, [
      { song: 7, free: hand === undefined ? undefined : { seconds: hand, low: hand - 5, high: hand + 9 } },
    ]).starts
  const waiting = [item(1, 5, { song: 7 }), item(2, 50, { song: 8 }), item(3, 5, { song: 7 })]
  expect(songs([slot(0), slot(60)], waiting, 60)).toMatchObject([
    { id: 2, startsIn: 0 },
    { id: 1, startsIn: 60, low: 55, high: 69 },
    { id: 3, startsIn: 65 },
  ])
  expect(songs([slot(20), slot(0)], [item(1, 100, { song: 9 }), item(2, 5, { song: 9 })], 60)).toMatchObject([
    { id: 1, startsIn: 0, low: 0, high: 0 },
    { id: 2, startsIn: 100, low: expect.closeTo(80), high: expect.closeTo(130) },
  ])
  const [, after] = songs([slot(0)], [item(1, 5, { song: 7 }), item(2, 5, { availableIn: 62 })], 60)
  expect(after).toMatchObject({ startsIn: 65, low: 62, high: expect.closeTo(74.6, 1) })
  // Nobody knows when the song is free.
  expect(songs([slot(0)], waiting, undefined).map(({ id }) => id)).toEqual([2])
  const free = [40, undefined, 90].map((seconds) => ({
    song: 7,
    free: seconds === undefined ? seconds : slot(seconds).free,
  }))
  const startsAfter = (inHand: typeof free) => forecast([slot(0)], waiting.slice(0, 1), 9, inHand).starts
  expect(startsAfter(free)).toEqual([])
  expect(startsAfter([free[0], free[2], free[0]].flatMap((one) => one ?? []))).toMatchObject([
    { startsIn: 90 },
  ])
})

test("behind an item whose song is busy for an unknown time, only starts of now are foreseen", () => {
  const inHand = [{ song: 7, free: undefined }]
  const startsWith = (slots: readonly Slot[], waiting: readonly Waiting[]) =>
    forecast(slots, waiting, 100, inHand).starts.map(({ id }) => id)
  const [blocked, other, third] = [item(1, 5, { song: 7 }), item(2, 50, { song: 8 }), item(3, 5, { song: 9 })]
  expect(startsWith([slot(0)], [blocked, other, third])).toEqual([2])
  expect(startsWith([slot(20)], [blocked, other])).toEqual([])
  // What is ahead of it comes first, whenever that is.
  expect(startsWith([slot(20)], [other, blocked, third])).toEqual([2])
  expect(startsWith([slot(20)], [{ ...blocked, availableIn: 60 }, other, third])).toEqual([2])
  // A worker that waits for a delayed item takes it meanwhile.
  expect(startsWith([slot(0)], [{ ...other, availableIn: 60 }, blocked])).toEqual([])
  expect(startsWith([slot(20)], [{ ...blocked, tags: ["gpu"] }, other])).toEqual([2])
})

test("no start is foreseen behind an item of unknown length, nor without a worker", () => {
  expect(startsOf([slot(0)], [item(1, undefined), item(2, 5)])).toEqual({ 1: 0 })
  expect(startsOf([{ ...slot(0), free: undefined }], [item(1, 5)])).toEqual({})
  expect(startsOf([], [item(1, 5)])).toEqual({})
})

test("where a slot may become free at any time, an item may start at once", () => {
  const { starts } = forecast([slot(60), { ...slot(0), free: undefined }], [item(1, 5)], 10)
  expect(starts).toMatchObject([{ id: 1, startsIn: 60, low: 0 }])
})

test("all is done when the last item is; that is unknown if one of them is unknown", () => {
  expect(forecast([slot(10), slot(3)], [item(1, 5)], 10).doneIn).toBe(10)
  expect(forecast([slot(10)], [item(1, 5)], 10).doneIn).toBe(15)
  expect(forecast([slot(10)], [item(1, undefined)], 10).doneIn).toBeUndefined()
  expect(forecast([slot(10)], [item(1, 5), item(2, 5)], 1).doneIn).toBeUndefined()
})

test("items of very different lengths take their mean each, so that many of them take what they take together", () => {
  const runs = [100, 900, 100, 900].map((seconds) => ({
    ...runThrough([[0, { current_step: "Render" }]], ""),
    seconds,
  }))
  const takes = () => outlook(learn(runs), "")
  const waiting = Array.from({ length: 21 }, (_, i) => item(i + 1, 0, { takes }))
  expect(startsOf([slot(0)], waiting)[21]).toBeCloseTo(20 * 500)
})

test.each([1, 3, 8])(
  "whether lengths vary little or by factors, four of five starts are in their band after %d runs",
  (known) => {
    const held = Array.from({ length: 4 }, (): boolean[] => [])
    const { about } = chance(known)
    for (const spread of [0.15, 0.4, 0.6]) {
      for (let round = 0; round < 300; round += 1) {
        const lengths = Array.from({ length: known }, () => about(100, spread))
        const seconds = lengths.reduce((sum, one) => sum + one, 0) / known
        const takes = () => ({ seconds, ...rangeOfNext(lengths) })
        const waiting = Array.from({ length: 5 }, (_, i) => item(i, 0, { takes }))
        let truth = 0
        for (const [i, { low, high }] of forecast([slot(0)], waiting, 10)
          .starts.slice(1)
          .entries()) {
          truth += about(100, spread)
          held[i]?.push(truth >= low && truth <= high)
        }
      }
    }
    for (const at of held) {
      const part = at.filter(Boolean).length / at.length
      expect(part).toBeGreaterThan(0.75)
      expect(part).toBeLessThan(0.95)
    }
  },
)

test("an unusual run counts little for how long an item takes, and fully for how long it may take", () => {
  const run = runThrough([[0, { current_step: "Render" }]], "")
  const after = (...lengths: readonly number[]) =>
    outlook(learn(lengths.map((seconds) => ({ ...run, seconds }))), "")
  const [usual, unusual, quick] = [103, 1000, 0.1].map((last) => after(100, 101, 102, last))
  expect(usual?.high).toBeLessThan(150)
  expect(unusual?.seconds).toBeLessThan(150)
  expect(unusual?.high).toBeGreaterThan(500)
  expect(quick?.low).toBeLessThan(2)
  expect(quick?.high).toBeLessThan(200)
})

test("a worker that may be busy far longer than expected, but hardly shorter, delays an item like that", () => {
  const busy: Slot = { ...slot(0), free: { seconds: 60, low: 50, high: 200 } }
  expect(forecast([busy], [item(1, 5)], 10).starts).toMatchObject([{ startsIn: 60, low: 50, high: 200 }])
})

test("each waiting item is forecast once, in its band, never before it may start, never to whom it cannot go", () => {
  const tags = fc.subarray(["gpu", "fast"])
  const seconds = fc.double({ min: 0, max: 1e6, noNaN: true })
  const known = fc
    .array(seconds, { minLength: 3, maxLength: 3 })
    .map((three) => three.toSorted((a, b) => a - b))
    .map(([low = 0, expected = 0, high = 0]) => ({ seconds: expected, low, high }))
  const slots = fc.array(
    fc.record({ worker: fc.string(), tags, free: fc.option(known, { nil: undefined }) }),
    {
      maxLength: 5,
    },
  )
  const song = fc.constantFrom(undefined, 1, 2)
  const waiting = fc
    .array(fc.record({ tags, availableIn: seconds, song, lasts: fc.option(known, { nil: undefined }) }), {
      maxLength: 30,
    })
    .map((all) => all.map(({ lasts, ...some }, i): Waiting => ({ id: i + 1, ...some, takes: () => lasts })))
  fc.assert(
    fc.property(slots, waiting, fc.integer({ min: 0, max: 40 }), (some, items, limit) => {
      const { starts } = forecast(some, items, limit)
      expect(new Set(starts.map(({ id }) => id)).size).toBe(starts.length)
      expect(starts.length).toBeLessThanOrEqual(limit)
      for (const { id, startsIn, low, high } of starts) {
        const told = items[id - 1]
        expect(startsIn).toBeGreaterThanOrEqual(told?.availableIn ?? Number.POSITIVE_INFINITY)
        expect(low).toBeGreaterThanOrEqual(told?.availableIn ?? Number.POSITIVE_INFINITY)
        expect(low).toBeLessThanOrEqual(startsIn)
        expect(high).toBeGreaterThanOrEqual(startsIn)
        expect(some.some((one) => told?.tags.every((tag) => one.tags.includes(tag)))).toBeTrue()
      }
      for (const only of [1, 2]) {
        const ofSong = starts.filter(({ id }) => items[id - 1]?.song === only)
        for (const [i, { startsIn }] of ofSong.entries()) {
          const before = ofSong[i - 1]
          if (before) expect(startsIn).toBeGreaterThanOrEqual(before.startsIn + (before.takes ?? Infinity))
        }
      }
    }),
  )
})

describe("queues of real renders, three runs of each kind known, totals declared", () => {
  const KNOWN = 3
  const real = [...histories()]
  const experiences = new Map(
    real.map(([kind, all]): [string, Experience] => [kind, learn(all.slice(0, KNOWN).map(runOf))]),
  )
  const rest = real.flatMap(([, all]) => all.slice(KNOWN))

  interface Played {
    readonly attempt: Attempt
    readonly slot: number
    readonly start: number
  }

  /** When each of some attempts starts, in their order, on this many slots. */
  function played(attempts: readonly Attempt[], slots: number): Played[] {
    const ends = Array.from({ length: slots }, () => 0)
    return attempts.map((attempt) => {
      const start = Math.min(...ends)
      const first = ends.indexOf(start)
      ends[first] = start + attempt.seconds
      return { attempt, slot: first, start }
    })
  }

  const saidOf = ({ attempt, start }: Played, now: number): Slot["free"] => {
    const at = now - start
    const experience = experiences.get(attempt.kind) ?? learn([])
    const place = { trace: traceOf(attempt, at), at, worker: attempt.worker, totals: attempt.totals }
    const said = estimate(place, experience)
    return said ? { seconds: said.left, low: said.low, high: said.high } : undefined
  }

  /** By place in the queue, how wrong the starts are that were forecast at one moment. */
  function errorsAt(all: readonly Played[], slots: number, now: number): { error: number; held: boolean }[] {
    const some = Array.from({ length: slots }, (_, i): Slot => {
      const busy = all.find(
        ({ slot: on, start, attempt }) => on === i && start <= now && now < start + attempt.seconds,
      )
      return { worker: busy?.attempt.worker ?? "", tags: [], free: busy ? saidOf(busy, now) : free(0) }
    })
    const later = all.filter(({ start }) => start > now)
    const waiting = later.map(({ attempt }, i): Waiting => ({
      id: i + 1,
      tags: [],
      availableIn: 0,
      takes: () => outlook(experiences.get(attempt.kind) ?? learn([]), attempt.worker, attempt.totals),
    }))
    return forecast(some, waiting, 100).starts.map(({ id, startsIn, low, high }) => {
      const truth = (later[id - 1]?.start ?? 0) - now
      const error = (Math.abs(startsIn - truth) / Math.max(5, truth)) * 100
      return { error, held: truth >= low && truth <= high }
    })
  }

  test.each([1, 4])("the wait is estimated within 15 %% at every place, with %d workers", (slots) => {
    const byPlace: { error: number; held: boolean }[][] = []
    for (let seed = 1; seed <= 40; seed += 1) {
      const throwOne = dice(seed)
      const order = rest.map((attempt) => ({ attempt, at: throwOne() })).toSorted((a, b) => a.at - b.at)
      const all = played(
        order.map(({ attempt }) => attempt),
        slots,
      )
      const end = Math.max(...all.map(({ start }) => start))
      for (let part = 0.0001; part < 0.7; part += 0.0875) {
        for (const [place, one] of errorsAt(all, slots, end * part).entries())
          (byPlace[place] ??= []).push(one)
      }
    }
    const groups = [
      byPlace.slice(0, 1),
      byPlace.slice(1, 3),
      byPlace.slice(3, 7),
      byPlace.slice(7, 15),
      byPlace.slice(15),
    ]
    for (const group of groups) {
      const all = group.flat()
      expect(median(all.map(({ error }) => error))).toBeLessThanOrEqual(15)
      expect(all.filter(({ held }) => held).length / all.length).toBeGreaterThanOrEqual(0.8)
    }
  })
})
