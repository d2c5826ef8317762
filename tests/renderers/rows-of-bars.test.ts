import { describe, expect, test } from "bun:test"

import { renderer } from "../../src/renderers/renderer.ts"

/** How far each row is, in percent, once this much of the whole time has passed (0 to 100). */
type Rows = (passed: number) => readonly number[]

const between = (from: number, to: number, passed: number): number =>
  Math.max(0, Math.min(100, Math.floor(((passed - from) / (to - from)) * 100)))

/** Bars above one another, all of them redrawn each time. */
const drawn = (names: readonly string[], rows: Rows, until: number): string[] =>
  Array.from({ length: until + 1 }, (_, passed) => {
    const back = passed === 0 ? "" : `\r\u001b[2K${"\u001b[1A\u001b[2K".repeat(names.length - 1)}`
    const lines = rows(passed).map((done, i) => `${names[i]} ${"━".repeat(10)} ${done}%`)
    return back + lines.join("\n")
  })

/** The same with counts, as a renderer of web pages shows its frames. */
const counted = (names: readonly string[], rows: Rows, until: number): string[] =>
  drawn(names, rows, until).map((text) => text.replace(/(\d+)%/g, "$1/100"))

const FRAMES = ["Rendered frames", "Encoded video"]
const THREE = ["decode", "render", "encode"]
const inTurn: Rows = (passed) => [0, 33, 66].map((from) => between(from, from + 33, passed))
const afterAll: Rows = (passed) => [between(0, 70, passed), between(70, 100, passed)]
const together: Rows = (passed) => [between(0, 80, passed), passed]
const later: Rows = (passed) => [between(0, 80, passed), between(10, 100, passed)]
/** Models are fetched, which is no part of the work, while the work goes on. */
const besideFetching: Rows = (passed) => [between(0, 60, passed), between(0, 80, passed), passed]
const within: Rows = (passed) => [Math.floor(passed / 20) * 20, (passed % 20) * 5]

/** The progress that is shown after each piece of an output, with 10 s in between. */
function shownOf(pieces: readonly string[]): number[] {
  let [nowMs, last] = [0, 0]
  const listener = renderer("lines", { now: () => nowMs })
  return pieces.map((piece) => {
    nowMs += 10_000
    for (const { progress } of listener.push(piece)) last = Math.floor(progress ?? last)
    return last
  })
}

describe("of bars that stand above one another", () => {
  test.each([
    ["those that wait for the first one are parts of the whole", drawn, THREE, inTurn, 98],
    ["what is encoded after all frames were rendered is half of the whole", counted, FRAMES, afterAll, 71],
    ["the one that is behind is the whole", counted, FRAMES, together, 88],
    ["the one that is behind is the whole, also if it begins late", drawn, FRAMES, later, 87],
    [
      "the one that is behind is the whole, also in the rows below another one",
      drawn,
      ["Downloading", "Processing", "Rendering"],
      besideFetching,
      88,
    ],
    ["the one around the other is the whole", drawn, ["Album", "Song"], within, 88],
    [
      "the one around numbered ones is the whole, while one of these waits for the other",
      drawn,
      ["Album", "Song 1", "Song 2"],
      (passed: number) => [passed, between(0, 50, passed), between(50, 100, passed)],
      49,
    ],
  ])("%s", (_name, form, names, rows, until) => {
    const shown = shownOf(form(names, rows, until))
    const ahead = shown.map((progress, passed) => progress - passed)
    expect(Math.max(...ahead)).toBeLessThanOrEqual(4)
    expect(Math.min(...ahead)).toBeGreaterThanOrEqual(-25)
    const backs = shown.map((progress, i) => (shown[i - 1] ?? 0) - progress)
    expect(Math.max(...backs)).toBeLessThanOrEqual(9)
  })

  test("one that moves whenever the other begins again is around it, and has not waited for it", () => {
    const [epochs, batches] = [50, 10]
    const pieces = Array.from({ length: epochs * batches }, (_, n) => {
      const [epoch, batch] = [(100 / epochs) * Math.floor(n / batches), (100 / batches) * (n % batches)]
      const [around, inside] = [epoch, batch].map((done) => `${"━".repeat(done / 10)} ${done}%`)
      return `epoch ${around}\nbatch ${inside}\n\u001b[2A`
    })
    const ahead = shownOf(pieces).map((progress, n) => progress - (100 * n) / pieces.length)
    // Until the first batch ends, nothing shows that there are others.
    expect(Math.max(...ahead.slice(2 * batches))).toBeLessThanOrEqual(2)
    expect(Math.min(...ahead.slice(0, pieces.length * 0.85))).toBeGreaterThanOrEqual(-4)
  })
})
