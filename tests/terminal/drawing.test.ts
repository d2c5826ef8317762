import { expect, spyOn, test } from "bun:test"

import type { Board, View } from "../../src/terminal/board.ts"
import { drawing, foreseeing } from "../../src/terminal/drawing.ts"
import { OutputText } from "../../src/terminal/output-as-text.ts"
import { colourless } from "../../src/terminal/terminal.ts"
import { zoneNamed } from "../../src/terminal/times-of-day.ts"
import { readable } from "../../src/terminal/updates-as-lines.ts"
import { update } from "../dashboard/items.ts"

const VIEW: View = { columns: 40, rows: 10, nowMs: 0, style: colourless, widthOf: Bun.stringWidth }

/** A stream that sends what the test decides, and a board that shows the last text. */
class Scene {
  text = "first"
  /** How often the board was drawn. */
  drawn = 0
  #said: ("shown" | "forced")[] = []
  #isOver = false
  #wake: () => void = () => undefined
  #change = Promise.withResolvers<"resized" | "overwritten">()
  readonly frames: AsyncGenerator<string, void, undefined>

  constructor(frameMs: number) {
    const board: unknown = {
      news: () => [],
      draw: () => {
        this.drawn += 1
        return [{ text: this.text, width: this.text.length }]
      },
    }
    const changed = (): Promise<"resized" | "overwritten"> => {
      this.#change = Promise.withResolvers()
      return this.#change.promise
    }
    const screen = { view: () => VIEW, frameMs, changed }
    this.frames = drawing(board as Board, this.#all(), (one) => one, screen)
  }

  async *#all(): AsyncGenerator<"shown" | "forced", void, undefined> {
    while (!this.#isOver || this.#said.length > 0) {
      const next = this.#said.shift()
      if (next) yield next
      else await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }

  /** Sends something. After it the board shows this text. */
  say(text: string, how: "shown" | "forced" = "shown"): void {
    this.text = text
    this.#said.push(how)
    this.#wake()
  }

  end(): void {
    this.#isOver = true
    this.#wake()
  }

  change(how: "resized" | "overwritten"): void {
    this.#change.resolve(how)
  }

  /** The text of the next frame, with "up" in front if the frame replaces the one before. */
  async next(): Promise<string | undefined> {
    const { value } = await this.frames.next()
    if (typeof value !== "string") return undefined
    const [shown = ""] = (value.split("\u001b[2K")[1] ?? "").split("\n")
    return value.includes("\u001b[1A") ? `up ${shown}` : shown
  }
}

test("a frame is drawn when it looks different, or must be drawn again, and at the end", async () => {
  const scene = new Scene(5)
  expect(await scene.next()).toBe("first")
  scene.say("first", "forced")
  expect(await scene.next()).toBe("up first")
  const later = scene.next()
  scene.say("first")
  // It waits longer than a second, after which the seconds are counted down, but nothing looks different
  // then.
  await Bun.sleep(1200)
  scene.say("second")
  expect(await later).toBe("up second")
  scene.end()
  expect([await scene.next(), await scene.next()]).toEqual(["up second", undefined])
}, 180_000)

test("a screen that is overwritten while a frame is written to it is drawn again below", async () => {
  const scene = new Scene(5)
  expect(await scene.next()).toBe("first")
  scene.change("overwritten")
  await Promise.resolve()
  expect(await scene.next()).toBe("first")
  scene.end()
  await scene.next()
})

test("however much is said, frames come no faster than they may, and the last one shows all of it", async () => {
  const scene = new Scene(200)
  expect(await scene.next()).toBe("first")
  const frames: string[] = []
  const reading = (async () => {
    for (let frame = await scene.next(); frame !== undefined; frame = await scene.next()) frames.push(frame)
  })()
  const startedMs = performance.now()
  for (let n = 0; n < 40; n += 1) {
    scene.say(`number ${n}`)
    await Bun.sleep(5)
  }
  const most = (performance.now() - startedMs) / 200 + 2
  scene.end()
  await reading
  expect(frames.at(-1)).toBe("up number 39")
  expect(frames.length).toBeLessThanOrEqual(most)
})

test("after a terminal was written over the next frame begins below, and each such change counts", async () => {
  const scene = new Scene(5)
  expect(await scene.next()).toBe("first")
  for (const text of ["second", "third"]) {
    scene.text = text
    const frame = scene.next()
    await Bun.sleep(1)
    scene.change("overwritten")
    expect(await frame).toBe(text)
  }
  // This one comes while the frame is written, before the next one is asked for.
  scene.text = "written over"
  scene.change("overwritten")
  await new Promise(setImmediate)
  expect(await scene.next()).toBe("written over")
  scene.text = "fourth"
  const frame = scene.next()
  scene.change("resized")
  expect(await frame).toBe("up fourth")
  const { drawn } = scene
  const last = scene.next()
  await Bun.sleep(100)
  // A change that was seen is not drawn again and again.
  expect(scene.drawn - drawn).toBeLessThan(3)
  scene.end()
  expect(await last).toBe("up fourth")
})

test("a board is given the time of the end, and none where the server does not know it", async () => {
  const given: (number | null)[] = []
  for (const ask of [() => Promise.resolve(60), () => Promise.reject(new Error("away"))]) {
    using _foreseeing = foreseeing<number>(ask, (seconds) => given.push(seconds))
    for (const { length } = given; given.length === length;) await new Promise(setImmediate)
  }
  expect(given).toEqual([60, null])
})

test("output is text in its own lines, with a line for another attempt and for what is missing", () => {
  const text = new OutputText()
  const piece = { attempt: 1, from: 0, to: 1, missing: 0, text: "" }
  expect(text.next({ ...piece, text: "one\u001b[2J" })).toBe("one\ufffd[2J")
  expect(text.next({ ...piece, missing: 2000, text: "three\n" })).toBe(
    "\n[2,000 bytes are not kept]\nthree\n",
  )
  expect(text.next({ ...piece, attempt: 2, missing: 1, text: "four\tfive" })).toBe(
    "[attempt 2]\n[1 byte is not kept]\nfour\tfive",
  )
  expect(text.end).toBe("\n")
  expect(text.next({ ...piece, attempt: 3, missing: 1, text: "five\n" })).toBe(
    "\n[attempt 3]\n[1 byte is not kept]\nfive\n",
  )
  expect(text.end).toBe("")
})

test("a line of an update leaves out what the server itself says, where a step or an error says more", () => {
  const routine = { message: "Processing started" }
  expect(readable(update(1, { ...routine, current_step: "Images" }))).toEndWith("  Images")
  expect(readable(update(1, { ...routine, error_message: "no space" }))).toEndWith("  no space")
  expect(readable(update(1, routine))).toEndWith("  Processing started")
  expect(readable(update(1, { message: "three of five", current_step: "Images" }))).toEndWith(
    "  Images - three of five",
  )
})

test("a terminal of another width has the same text drawn again, and a drawing that is left ends its stream", async () => {
  let [columns, isEnded] = [40, false]
  const said = (async function* (): AsyncGenerator<number, void, undefined> {
    try {
      for (;;) yield await Bun.sleep(10).then(() => 1)
    } finally {
      isEnded = true
    }
  })()
  const board: unknown = { news: () => [], draw: () => [{ text: "same", width: 4 }] }
  const view = (): View => ({ ...VIEW, columns })
  const frames = drawing(board as Board, said, () => "shown", { view, frameMs: 5 })
  await frames.next()
  const second = frames.next()
  await Bun.sleep(60)
  columns = 30
  expect((await second).value).toContain("same")
  await frames.return()
  await Bun.sleep(50)
  expect(isEnded).toBe(true)
})

test("a line of an update has the time of its reader's zone", () => {
  const timestamp = "2026-01-02T12:00:05.000Z"
  expect(readable(update(1, { timestamp }))).toStartWith("12:00:05 #1")
  expect(readable(update(1, { timestamp }), zoneNamed("Asia/Kolkata"))).toStartWith("17:30:05 #1")
})

test("what has happened is printed above a board that looks the same", async () => {
  const news: string[] = []
  const board: unknown = { news: () => news.splice(0), draw: () => [{ text: "same", width: 4 }] }
  async function* said(): AsyncGenerator<number, void, undefined> {
    for (;;) yield await Bun.sleep(10).then(() => 1)
  }
  const frames = drawing(board as Board, said(), () => "shown", { view: () => VIEW, frameMs: 5 })
  await frames.next()
  news.push("one has finished")
  const { value } = await frames.next()
  expect(value).toMatch(/one has finished\n.*same\n/)
  await frames.return()
})

test("what a board was given is not kept in memory until its terminal changes", async () => {
  const given: WeakRef<object>[] = []
  let kept = 0
  async function* said(): AsyncGenerator<object, void, undefined> {
    for (let i = 0; i < 64; i += 1) {
      const one = { i }
      given.push(new WeakRef(one))
      yield one
      await new Promise(setImmediate)
    }
    Bun.gc(true)
    kept = given.filter((one) => one.deref() !== undefined).length
  }
  const board: unknown = { news: () => [], draw: () => [] }
  const never = new Promise<"resized">(() => undefined)
  const screen = { view: () => VIEW, frameMs: 1000, changed: () => never }
  for await (const _ of drawing(board as Board, said(), () => "shown", screen));
  expect(kept).toBeLessThan(8)
})

test("a stream that says nothing keeps nothing in memory of the waits for it, however often its board is drawn", async () => {
  const silent = Promise.withResolvers<IteratorResult<number, void>>()
  const waits = spyOn(silent.promise, "then")
  const over = { done: true, value: undefined } as const
  const said: AsyncGenerator<number, void, undefined> = {
    next: () => silent.promise,
    return: async () => over,
    throw: async () => over,
    [Symbol.asyncIterator]: () => said,
    [Symbol.asyncDispose]: async () => undefined,
  }
  let change = Promise.withResolvers<"resized">()
  let drawn = 0
  const board: unknown = { news: () => [], draw: () => [{ text: `drawn ${(drawn += 1)}`, width: 8 }] }
  const changed = (): Promise<"resized"> => (change = Promise.withResolvers()).promise
  const frames = drawing(board as Board, said, () => "shown", { view: () => VIEW, frameMs: 0, changed })
  for (let i = 0; i < 20; i += 1) {
    await frames.next()
    change.resolve("resized")
  }
  expect(waits).toHaveBeenCalledTimes(1)
  silent.resolve(over)
  await frames.next()
  expect((await frames.next()).done).toBe(true)
})
