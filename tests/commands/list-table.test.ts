import { expect, test } from "bun:test"

import { columnsOf, table } from "../../src/commands/list-table.ts"
import { blank } from "../../src/item/blank-item.ts"
import type { QueueItem } from "../../src/item/item.ts"
import { colourless } from "../../src/terminal/terminal.ts"
import { UTC } from "../../src/terminal/times-of-day.ts"

const NOW = Date.parse("2026-01-02T14:30:00.000Z")
const at = (secondsAgo: number): string => new Date(NOW - secondsAgo * 1000).toISOString()

const item = (id: number, given: Partial<QueueItem>): QueueItem => ({
  id,
  ...blank(id, at(600)),
  started_at: at(60),
  updated_at: at(0),
  ...given,
})

const ITEMS = [
  item(1, {
    title: "A song with a name that is far too long for a table",
    status: "processing",
    progress: 50,
    eta_seconds: 130,
    current_step: "Rendering video",
    worker: "render-1",
  }),
  item(2, {
    title: "Midnight",
    status: "failed",
    outcome: "failed",
    completed_at: at(0),
    error_message: "code 1\nheight not divisible by 2",
    worker: "render-2",
  }),
]
const shown = (columns: number): string[] =>
  table(ITEMS, { style: colourless, columns, zone: UTC, nowMs: NOW, unserved: () => [] }).split("\n")

test.each([70, 80, 100, 120, 160, 240])(
  "a table fits into %d columns, and says why something failed",
  (columns) => {
    const lines = shown(columns)
    for (const line of lines) expect(Bun.stringWidth(line)).toBeLessThanOrEqual(columns)
    expect(lines.slice(2).join("\n")).toContain("height not divisible by 2")
    expect(lines[1]).toContain("14:32 UTC")
  },
)

test("the wider the terminal, the more a table shows; outside of a terminal it shows everything", () => {
  expect(shown(80)[1]).toContain("done 14:32 UTC")
  expect(shown(120)[1]).toContain("2:10 left, done at 14:32 UTC")
  const whole = shown(Number.POSITIVE_INFINITY)
  expect(whole[0]?.split(/ {2,}/).map((name) => name.trim())).toEqual([
    "ID",
    "SONG",
    "STATUS",
    "DONE",
    "PRIORITY",
    "TITLE",
    "WHEN",
    "TIME",
    "WORKER",
    "STEP",
    "WHY",
  ])
  expect(whole[1]).toContain("A song with a name that is far too long for a table")
})

test("a title gets the columns that nothing else needs, and no more", () => {
  const titled = (title: string, columns: number): string => {
    const layout = { style: colourless, columns, zone: UTC, nowMs: NOW, unserved: () => [] }
    return table([item(1, { title }), item(2, { title: "Midnight" })], layout).split("\n")[1] ?? ""
  }
  expect(titled("x".repeat(30), 100)).toContain(` ${"x".repeat(30)} `)
  expect(titled("x".repeat(90), 80)).toMatch(/ x{21}… {2}.*$/)
  expect(Bun.stringWidth(titled("x".repeat(90), 80))).toBe(80)
  expect(titled("x".repeat(90), 300)).toMatch(/ x{79}… /)
})

test("a reason that has no room in its column stands whole below its item, and a short one beside it", () => {
  const failed = { status: "failed", completed_at: at(0), outcome: "failed" } as const
  const long = "ValueError: the lyrics have no times: songs/lyrics/0042.lrc"
  const items = [
    item(1, { ...failed, title: "Midnight", error_message: long }),
    item(2, { ...failed, title: "Glasshouse", error_message: "disk full" }),
  ]
  const layout = { style: colourless, columns: 80, zone: UTC, nowMs: NOW, unserved: () => [] }
  const [, first = "", below = "", second = "", ...more] = table(items, layout).split("\n")
  expect([first.endsWith("took 1:00"), second.endsWith("took 1:00  disk full"), more]).toEqual([
    true,
    true,
    [],
  ])
  expect(below).toBe(`    ${long}`)
})

test.each([100, 120, 140])("at %d columns a reason has room before the band of a time left", (columns) => {
  const foreseen = { time_progress: 40, eta_low_seconds: 104, eta_high_seconds: 166, eta_runs: 5 }
  const waiting = { ...item(3, {}), starts_in_seconds: 60, starts_low_seconds: 0, starts_high_seconds: 900 }
  const items = [
    { ...item(1, { title: "x".repeat(50), status: "processing", eta_seconds: 130 }), ...foreseen },
    waiting,
    item(4, { status: "failed", completed_at: at(0), error_message: "CUDA out of memory on device 0" }),
  ]
  const layout = { style: colourless, columns, zone: UTC, nowMs: NOW, unserved: () => [] }
  const lines = table(items, layout).split("\n")
  expect(lines.slice(3).join("\n")).toContain("CUDA out of memory on device 0")
  expect(lines[1]).toMatch(/ (left, )?done (at )?14:32 UTC/)
  for (const line of lines.slice(1)) expect(Bun.stringWidth(line)).toBeLessThanOrEqual(columns)
})

test("where there is room, a time left has its band, on a wide terminal as in a pipe", () => {
  const foreseen = { time_progress: 40, eta_low_seconds: 104, eta_high_seconds: 166, eta_runs: 5 }
  const items = [{ ...item(1, { status: "processing", eta_seconds: 130 }), ...foreseen }]
  for (const columns of [240, Number.POSITIVE_INFINITY]) {
    const layout = { style: colourless, columns, zone: UTC, nowMs: NOW, unserved: () => [] }
    expect(table(items, layout)).toContain(" 2:10 left (1:44 to 2:46), done at 14:32 UTC")
  }
})

test("a short reason takes its own room alone, so that nothing is left out beside it", () => {
  const running = { status: "processing", eta_seconds: 130, worker: "gpu-1" } as const
  const failed = { status: "failed", completed_at: at(0), error_message: "boom" } as const
  const items = [item(1, { ...running, title: "x".repeat(40) }), item(2, failed)]
  const linesIn = (columns: number): string[] =>
    table(items, { style: colourless, columns, zone: UTC, nowMs: NOW, unserved: () => [] }).split("\n")
  // A wider terminal would draw bars, too.
  const [names = "", ...rest] = linesIn(159)
  const widest = Math.max(...[names, ...rest].map((line) => Bun.stringWidth(line)))
  expect(widest).toBeLessThan(150)
  expect(linesIn(widest)[0]).toBe(names)
  expect(linesIn(widest - 1)[0]).not.toBe(names)
})

test("at 150 columns a worker has room before the band of a time left", () => {
  const running = { status: "processing", eta_seconds: 130, worker: "gpu-box-1" } as const
  const foreseen = { time_progress: 40, eta_low_seconds: 104, eta_high_seconds: 166, eta_runs: 5 }
  const items = [
    { ...item(1, { title: "x".repeat(50), ...running }), ...foreseen },
    item(4, { status: "failed", completed_at: at(0), error_message: "CUDA out of memory on device 0" }),
  ]
  const layout = { style: colourless, columns: 150, zone: UTC, nowMs: NOW, unserved: () => [] }
  const lines = table(items, layout).split("\n")
  expect(lines[1]).toMatch(/ left, done at 14:32 UTC +gpu-box-1/)
  expect(lines.slice(2).join("\n")).toContain("CUDA out of memory on device 0")
})

test.each([30, 40, 50])(
  "in %d columns an item takes two lines, and nothing is cut to a few letters",
  (columns) => {
    const lines = shown(columns)
    for (const line of lines) expect(Bun.stringWidth(line)).toBeLessThanOrEqual(columns)
    expect(lines[0]).toBe("ID  STATUS      DONE  TITLE")
    expect(lines[1]).toMatch(columns < 40 ? / A song …$/ : / A song with a nam?/)
    expect(lines[2]).toMatch(/^ {4}done 14:32 UTC · Render/)
    expect(lines[3]).toBe(" 2  failed        0%  Midnight")
    expect(lines[4]).toMatch(
      columns < 40 ? /^ {4}height not divisible by 2/ : /^ {4}height not divisible by 2 · took/,
    )
  },
)

test("an item without a time or a reason takes one line, and a part that does not fit is left out", () => {
  const ends = { status: "failed", completed_at: at(10) } as const
  const items = [
    item(1, { ...ends, outcome: "cancelled", started_at: null, title: "Cancelled" }),
    item(2, {
      ...ends,
      outcome: "failed",
      error_message: "ValueError: the song has no lyrics",
      title: "Failed",
    }),
  ]
  const layout = { style: colourless, columns: 40, zone: UTC, nowMs: NOW, unserved: () => [] }
  expect(table(items, layout).split("\n").slice(1)).toEqual([
    expect.stringMatching(/^ 1 .*Cancelled$/),
    expect.stringMatching(/^ 2 .*Failed$/),
    "    ValueError: the song has no lyrics",
  ])
})

test("a table fits every terminal, even one that cannot be drawn on, and has its full width elsewhere", () => {
  const before = process.env["TERM"]
  process.env["TERM"] = "dumb"
  try {
    expect([{ isTTY: true, columns: 70 }, { isTTY: true }, {}].map(columnsOf)).toEqual([
      70,
      80,
      Number.POSITIVE_INFINITY,
    ])
  } finally {
    if (before === undefined) delete process.env["TERM"]
    else process.env["TERM"] = before
  }
})

test("each item says how long it takes, took or waits, and since when", () => {
  const items = [
    item(1, { status: "processing" }),
    item(2, { status: "processing", stalled: true, stalled_since: at(250) }),
    item(3, { status: "completed", outcome: "completed", started_at: at(100), completed_at: at(10) }),
    item(4, { status: "failed", outcome: "cancelled", started_at: null, completed_at: at(10) }),
    item(5, { status: "retrying", available_at: at(-90) }),
    item(6, { status: "queued", started_at: null, available_at: at(-90) }),
    item(7, { status: "retrying", available_at: at(90) }),
    item(8, { status: "queued", started_at: null, requeued_at: at(90) }),
  ]
  const layout = { style: colourless, columns: Number.POSITIVE_INFINITY, zone: UTC, nowMs: NOW }
  const lines = table(items, { ...layout, unserved: () => [] }).split("\n")
  const columns = lines.map((line) => line.split(/ {2,}/).map((cell) => cell.trim()))
  const [names = []] = columns
  const column = (name: string): (string | undefined)[] =>
    lines.slice(1).map((line) => {
      const from = lines[0]?.indexOf(name) ?? 0
      const next = names[names.indexOf(name) + 1]
      return line.slice(from, next === undefined ? undefined : lines[0]?.indexOf(next)).trim()
    })
  expect(column("TIME")).toEqual([
    "for 1:00",
    "stalled for 4:10",
    "took 1:30",
    "",
    "retries in 1:30",
    "starts in 1:30",
    "waits 10:00",
    "waits 1:30",
  ])
  // A waiting item has waited since it was added, or came back into the queue.
  const [began, queued] = ["14:29 UTC", "14:20 UTC"]
  expect(column("WHEN")).toEqual([began, began, began, began, queued, queued, queued, "14:28 UTC"])
})

test("outside of a terminal a very long title moves the rest of its own line alone", () => {
  const long = "x".repeat(5000)
  const items = [
    item(1, { title: long, worker: "render-1" }),
    item(2, { title: "Midnight", worker: "render-2" }),
  ]
  const layout = { style: colourless, columns: Number.POSITIVE_INFINITY, zone: UTC, nowMs: NOW }
  const [names = "", first = "", second = ""] = table(items, { ...layout, unserved: () => [] }).split("\n")
  expect(first).toContain(`${long}  `)
  expect(second.indexOf("render-2")).toBe(names.indexOf("WORKER"))
  expect(second.length).toBeLessThan(250)
})
