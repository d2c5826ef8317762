import { describe, expect, test } from "bun:test"

import { changed } from "../../../src/item/change-by-put.ts"
import type { KeptRun } from "../../../src/item/estimate/earlier-run.ts"
import { type Experience, learn } from "../../../src/item/estimate/experience.ts"
import { type Knowledge, type Outage, withCourse } from "../../../src/item/estimate/follow-attempt.ts"
import type { ItemChange, Report } from "../../../src/item/item.ts"
import { claimed, completed, failed, rescued } from "../../../src/item/lease.ts"
import type { Moment } from "../../../src/item/moment.ts"
import { reported } from "../../../src/item/report.ts"
import { stalled } from "../../../src/item/stalled.ts"
import { type Change, IDLE, type Stored } from "../../../src/item/stored.ts"
import { draft, START_MS } from "../../contracts/store.contract.ts"

/** An item under way, and what is known at that time. */
class Render {
  stored: Stored
  runs: KeptRun[] = []
  experience: Experience | undefined | null
  outages: readonly Outage[] = []
  asked: (readonly [string, string])[] = []
  #seconds = 0

  constructor(given: Parameters<typeof draft>[0] = {}) {
    this.stored = { item: { id: 7, ...draft(given) }, work: IDLE }
  }

  get item() {
    return this.stored.item
  }

  get moment(): Moment {
    const steadyMs = START_MS + Math.round(this.#seconds * 1000)
    return { time: new Date(steadyMs).toISOString(), steadyMs }
  }

  /** Makes a decision this many seconds after the start. */
  at(seconds: number, decide: (stored: Stored, moment: Moment) => Change): this {
    this.#seconds = seconds
    const known: Knowledge = {
      outages: this.outages,
      of: (kind, look) => {
        this.asked.push([kind, look])
        return this.experience
      },
    }
    const { item, work, run } = withCourse(this.stored, decide(this.stored, this.moment), this.moment, known)
    this.stored = { item, work }
    if (run) this.runs.push(run)
    return this
  }

  claim(seconds = 0): this {
    const by = { worker: "box", token: "a", leaseMs: 60_000 }
    return this.at(seconds, (stored, moment) => claimed(stored, by, moment))
  }

  report(seconds: number, report: Report): this {
    return this.at(seconds, (stored, moment) => reported(stored, "a", report, moment))
  }

  put(seconds: number, change: ItemChange): this {
    return this.at(seconds, (stored, moment) => changed(stored, change, moment))
  }

  complete(seconds: number): this {
    return this.at(seconds, (stored, moment) => completed(stored, "a", {}, moment))
  }
}

const draw = (done: number): Report => ({
  step: { index: 1, total: 2, name: "Draw" },
  unit: { done, total: 4, name: "images" },
})
const encode = (out_time: number): Report => ({
  step: { index: 2, total: 2, name: "Encode" },
  media: { out_time, total: 100, fps: null, speed: null },
})

/** Two steps: 40 s for four images, 60 s for a film of 100 s. The percentages are as wrong as possible. */
function whole(render = new Render()): Render {
  render.claim()
  for (let done = 0; done < 4; done += 1) render.report(done * 10, { ...draw(done), progress: 90 })
  for (let s = 0; s < 60; s += 5) render.report(40 + s, { ...encode((s / 60) * 100), progress: 95 })
  return render
}

/** Three programs in turn, of 20, 60 and 8 seconds, each of which counts from 0 to 98 %. */
function inTurn(render = new Render(), see: (seconds: number) => void = () => {}): Render {
  render.claim()
  for (const [began, lasts] of [
    [0, 20],
    [20, 60],
    [80, 8],
  ] as const) {
    for (let s = 0; s < lasts; s += 1) {
      render.report(began + s, { progress: Math.floor((98 * s) / lasts) })
      see(began + s)
    }
  }
  return render
}

const RUN = whole().complete(100).runs[0]
if (!RUN) throw new Error("nothing was learned")
const known = (): Render => Object.assign(new Render(), { experience: learn([RUN]) })

describe("a completed attempt leaves a run", () => {
  test("with its kind, its look, its worker, its steps and its length", () => {
    expect(RUN).toMatchObject({
      kind: "2 steps, Draw",
      look: "2 steps, Draw",
      worker: "box",
      queue_id: 7,
      seconds: 100,
      steps: [
        { name: "Draw", at: 0, unit: "images", size: 4 },
        { name: "Encode", at: 40, unit: "seconds", size: 100 },
      ],
    })
    expect(JSON.stringify(RUN.steps).length).toBeLessThan(2048)
  })

  test("with what was declared to be done in it", () => {
    const render = whole(new Render({ totals: { seconds: 100 } })).complete(100)
    expect(render.runs[0]?.steps.map(({ totals }) => totals)).toEqual([{ seconds: 100 }, undefined])
  })

  test("with steps that begin where the bar was, if their first report leaves it there", () => {
    const render = new Render().claim().report(0, { current_step: "Draw", progress: 1 })
    render.report(40, { progress: 60 }).report(50, { current_step: "Encode", progress: 60 })
    const [run] = render.report(60, { progress: 61 }).complete(100).runs
    expect(run?.steps[1]?.lines.percent?.[0]).toEqual([60, 0])
  })

  test("under the kind that was said", () => {
    const render = whole(new Render({ kind: "song" })).complete(100)
    expect(render.runs).toMatchObject([{ kind: "song", look: "2 steps, Draw" }])
  })

  test("also of a client that knows nothing but PUT", () => {
    const render = new Render()
      .put(0, { status: "processing", current_step: "Lyrics", progress: 5 })
      .put(20, { current_step: "Images", progress: 30 })
      .put(80, { progress: 60 })
      .put(90, { status: "completed", current_step: "Done" })
    expect(render.runs).toMatchObject([
      { kind: "Lyrics", seconds: 90, steps: [{ name: "Lyrics" }, { name: "Images", at: 20 }] },
    ])
  })

  test("without the texts of the attempt before, which the item keeps until it gets others", () => {
    const failure = { error_message: "", retryable: true, retryInMs: 0 }
    const render = new Render()
      .claim()
      .report(1, { current_step: "Encode", progress: 50 })
      .at(5, (stored, moment) => failed(stored, "a", failure, moment))
      .at(10, (stored, moment) => reported(stored, undefined, { progress: 1 }, moment))
      .put(20, { current_step: "Draw", progress: 30 })
      .put(90, { status: "completed" })
    expect(render.runs).toMatchObject([{ kind: "Draw", steps: [{ name: "Draw", at: 0 }] }])
  })

  test("even when it reported nothing, if its kind was given", () => {
    expect(new Render().claim().complete(5).runs).toEqual([])
    expect(new Render({ kind: "song" }).claim().complete(5).runs).toMatchObject([
      { kind: "song", seconds: 5 },
    ])
  })

  test("but not when it reported nothing after the item was lost: its worker may have rendered it before", () => {
    const lost = (): Render =>
      new Render({ kind: "song" }).claim().at(70, (stored, moment) => rescued(stored, 5, moment))
    expect(lost().claim(80).complete(80.1).runs).toEqual([])
    expect(lost().claim(80).report(100, draw(2)).complete(120).runs).toMatchObject([{ seconds: 40 }])
  })

  test("a failed, lost or cancelled attempt leaves none, and the next one begins with nothing", () => {
    const failure = { error_message: "", retryable: true, retryInMs: 0 }
    const render = whole().at(99, (stored, moment) => failed(stored, "a", failure, moment))
    expect(render.stored.work.course).toBeNull()
    render
      .claim(110)
      .report(111, draw(0))
      .at(120, (stored, moment) => rescued(stored, 5, moment))
    expect(render.runs).toEqual([])
    whole(render)
    expect(render.complete(230).runs).toMatchObject([{ seconds: 230, steps: [{ name: "Draw" }, {}] }])
  })

  test("an attempt during much of which no server watched leaves no run", () => {
    const outage = (seconds: number): Outage => ({
      sinceMs: START_MS + 50_000,
      endedMs: START_MS + (50 + seconds) * 1000,
    })
    const short = whole(Object.assign(new Render(), { outages: [outage(4)] }))
    expect(short.complete(100).runs).toHaveLength(1)
    const long = whole(Object.assign(new Render(), { outages: [outage(6)] }))
    expect(long.complete(100).runs).toEqual([])
    // An outage that ended before the attempt began does not belong to the attempt.
    const before = whole(Object.assign(new Render(), { outages: [{ sinceMs: 0, endedMs: START_MS }] }))
    expect(before.complete(100).runs).toHaveLength(1)
    // If an outage reaches into the attempt, only that part of it counts.
    const into = whole(Object.assign(new Render(), { outages: [{ sinceMs: 0, endedMs: START_MS + 4000 }] }))
    expect(into.complete(100).runs).toHaveLength(1)
  })
})

describe("an estimate from earlier runs", () => {
  test("is on the item from the claim on, and the progress stays as it was reported", () => {
    const render = known().claim()
    expect(render.item).toMatchObject({ eta_seconds: 100, eta_runs: 1, time_progress: 0, progress: 0 })
    render.report(20, { ...draw(2), progress: 90 })
    expect(render.item).toMatchObject({ progress: 90, basis: "declared", eta_seconds: 80, time_progress: 20 })
    expect(render.item.eta_low_seconds).toBeLessThan(80)
    expect(render.item.eta_high_seconds).toBeGreaterThan(80)
  })

  test("makes the bar linear in time, whatever is reported", () => {
    const render = known()
    render.claim()
    for (let done = 0; done < 4; done += 1) {
      render.report(done * 10, { ...draw(done), progress: 90 })
      expect(Math.abs((render.item.time_progress ?? 0) - done * 10)).toBeLessThan(1)
    }
    for (let s = 0; s < 60; s += 5) {
      render.report(40 + s, { ...encode((s / 60) * 100), progress: 95 })
      expect(Math.abs((render.item.time_progress ?? 0) - 40 - s)).toBeLessThan(1)
    }
    expect(render.complete(100).item).toMatchObject({ time_progress: 100, progress: 100, eta_runs: 0 })
  })

  test("never lets the bar go back, not even where the runs are forgotten", () => {
    const render = known().claim().report(20, draw(2))
    render.experience = undefined
    render.report(30, draw(2))
    expect(render.item).toMatchObject({ time_progress: 20, eta_runs: 0, eta_low_seconds: null })
    render.experience = learn([RUN])
    render.report(300, draw(2))
    const shown = render.item.time_progress ?? 0
    render.report(301, draw(3))
    expect(render.item.time_progress).toBeGreaterThanOrEqual(shown)
    expect(render.item.time_progress).toBeLessThan(100)
  })

  test("moves as far as the worker says if the first report shows work of which nothing is known", () => {
    const render = known()
      .claim()
      .at(2, (stored) => stored)
    expect(render.item).toMatchObject({ time_progress: 2, eta_runs: 1 })
    render.experience = undefined
    const told = (seconds: number, progress: number) =>
      render.at(seconds, ({ item, work }) => ({ item: { ...item, progress, eta_seconds: null }, work })).item
    expect(told(3, 1)).toMatchObject({ time_progress: 2, eta_runs: 0 })
    expect(told(4, 85)).toMatchObject({ time_progress: 85 })
    expect(told(5, 99)).toMatchObject({ time_progress: 99 })
  })

  test("moves as far as the time left at the own pace says if nothing is known of the work", () => {
    const render = known().claim()
    render.experience = undefined
    expect(render.report(30, { progress: 50 }).item).toMatchObject({ eta_seconds: 30, time_progress: 50 })
    expect(render.report(36, { progress: 60 }).item).toMatchObject({ eta_seconds: 24, time_progress: 60 })
  })

  test("stays as it was while the runs are not at hand", () => {
    const render = known().claim().report(20, draw(2))
    render.experience = null
    render.report(21, draw(2))
    expect(render.item).toMatchObject({ eta_seconds: 80, eta_runs: 1, time_progress: 20 })
  })

  test("is not put in the place of what the worker's own pace says while the runs are not at hand", () => {
    const render = Object.assign(new Render(), { experience: null }).claim().report(30, { progress: 50 })
    expect(render.item.eta_seconds).toBe(30)
    expect(render.report(36, { progress: 60 }).item.eta_seconds).toBe(24)
  })

  test("is gone while nothing moves, but for the bar", () => {
    const render = known().claim().report(20, draw(2)).at(200, stalled)
    expect(render.item).toMatchObject({
      stalled: true,
      eta_seconds: null,
      eta_low_seconds: null,
      eta_runs: 0,
      time_progress: 20,
    })
    expect(render.report(201, draw(3)).item.eta_runs).toBe(1)
  })

  test("is gone after a failure, so that everyone names the percentage that was reported", () => {
    const failure = { error_message: "exit code 1 at 10 %", retryable: false, retryInMs: 0 }
    const { item } = known()
      .claim()
      .report(20, { ...draw(2), progress: 10 })
      .at(30, (stored, moment) => failed(stored, "a", failure, moment))
    expect(item).toMatchObject({ status: "failed", progress: 10, time_progress: null })
  })

  test("begins again with the next attempt", () => {
    const render = known()
      .claim()
      .report(39, draw(3))
      .at(40, (stored, moment) => rescued(stored, 5, moment))
    expect(render.item).toMatchObject({ time_progress: null, eta_runs: 0 })
    expect(render.claim(50).item).toMatchObject({ time_progress: 0, eta_seconds: 100 })
  })

  test("without earlier runs the time left at the pace so far goes on with each change that moves nothing", () => {
    const media = { out_time: 5, total: null, fps: null, speed: null }
    const render = new Render().claim().report(30, { progress: 50 })
    expect(render.item.eta_seconds).toBe(30)
    expect(render.report(35, { media }).item.eta_seconds).toBe(25)
    expect(render.put(38, { title: "New" }).item.eta_seconds).toBe(22)
    expect(render.report(41.5, { message: "still here" }).item.eta_seconds).toBe(18.5)
    expect(render.report(90, { media }).item.eta_seconds).toBe(0)
    expect(render.report(120, { progress: 80 }).item.eta_seconds).toBeWithin(20, 60)
  })

  test("is asked for by the kind and by what is known of the look so far", () => {
    const render = new Render({ kind: "song" }).claim().report(1, draw(1))
    expect(render.asked).toEqual([
      ["song", ""],
      ["song", "2 steps, Draw"],
    ])
  })

  test("an attempt that began before courses were followed is left as it is", () => {
    const render = known()
    render.stored = {
      item: { ...render.item, status: "processing", attempt: 1 },
      work: { ...IDLE, lease_token: "a", lease_expires_at: START_MS + 60_000 },
    }
    render.report(10, draw(1)).complete(20)
    expect(render.item).toMatchObject({ status: "completed", time_progress: null })
    expect(render.runs).toEqual([])
  })
})

test("the percentages of programs that count from 0 in turn are steps, though the progress never goes down", () => {
  const { runs } = inTurn().complete(88)
  expect(runs[0]?.steps.map(({ at }) => at)).toEqual([0, 20, 80])
  const render = Object.assign(new Render(), { experience: learn(runs) })
  inTurn(render, (seconds) => {
    expect(Math.abs((render.item.time_progress ?? 0) - (seconds / 88) * 100)).toBeLessThan(2)
    expect(render.item.progress).toBeGreaterThanOrEqual(seconds < 20 ? 0 : 93)
  })
})

test("a percentage in large steps begins again with what it first said", () => {
  for (const first of [17, 34]) {
    const percentages = [first, 2 * first, 83, 100]
    const render = new Render().claim()
    for (const [i, progress] of [...percentages, ...percentages].entries())
      render.report(10 * (i + 1), { progress })
    const { steps = [], from } = render.stored.work.course?.trace ?? {}
    expect(steps.map(({ at }) => at)).toEqual([0, 50])
    expect(from).toBe(first)
  }
})

test("a percentage that only comes late, or is that of something else, begins no step", () => {
  const render = new Render().claim()
  for (const [seconds, progress] of [
    [10, 40],
    [20, 5],
    [30, 60],
    [40, 55],
    [50, 97],
    [51, 90],
  ] as const)
    render.report(seconds, { progress })
  const [step, ...others] = render.complete(60).runs[0]?.steps ?? []
  expect(step?.lines.percent).toEqual([
    [0, 0],
    [40, 10],
    [60, 30],
    [97, 50],
  ])
  expect(others).toEqual([])
})

test.each([8, 19])(
  "a percentage by PUT that goes down by %i points again and again is learned like one that only goes up",
  (by) => {
    const render = new Render().put(0, { status: "processing", current_step: "Work", progress: 0 })
    const waver = (see: (seconds: number) => void = () => {}): void => {
      for (let s = 1; s < 98; s += 1) {
        render.put(s, { progress: Math.max(0, s + (s % 3 === 0 ? -by : 0)) })
        see(s)
      }
    }
    waver()
    render.put(100, { status: "completed" })
    expect(render.runs[0]?.steps).toHaveLength(1)
    Object.assign(render, { stored: new Render().stored, experience: learn(render.runs) })
    render.put(0, { status: "processing", current_step: "Work", progress: 0 })
    waver((s) => expect(Math.abs((render.item.time_progress ?? 0) - s)).toBeLessThan(6))
  },
)
