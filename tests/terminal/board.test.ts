import { expect, test } from "bun:test"

import type { ProgressUpdate } from "../../src/item/item.ts"
import { Board, type View } from "../../src/terminal/board.ts"
import { bar, coloured, colourless, Region } from "../../src/terminal/terminal.ts"
import { readable } from "../../src/terminal/updates-as-lines.ts"
import type { Gap } from "../../src/wire/frames.ts"

const NOW = Date.parse("2026-01-02T03:04:05.000Z")
const VIEW: View = { columns: 80, rows: 24, nowMs: NOW, style: colourless, widthOf: Bun.stringWidth }

const update = (queue_id: number, given: Partial<ProgressUpdate> = {}): ProgressUpdate => ({
  queue_id,
  song_id: queue_id,
  status: "processing",
  current_step: "",
  progress: 50,
  message: "",
  timestamp: new Date(NOW).toISOString(),
  ...given,
})

const drawn = (board: Board, view: Partial<View> = {}): string[] =>
  board.draw({ ...VIEW, ...view }).map(({ text }) => text.trimEnd())

const saw = (board: Board, said: ProgressUpdate, nowMs: number): void =>
  board.take({ type: "update", update: said }, nowMs)
const goLive = (board: Board, nowMs: number): void =>
  board.take({ type: "control", control: { event: "live", last_event_id: 1, history: "a" } }, nowMs)
const miss = (board: Board, gap: Pick<Gap, "reason" | "missed">, nowMs: number): void =>
  board.take({ type: "control", control: { event: "gap", last_event_id: 1, ...gap } }, nowMs)
const lose = (board: Board, reason: string, retryMs: number, nowMs: number): void =>
  board.take({ type: "offline", reason, retryMs }, nowMs)

/** A board that is live and has seen these updates, at their own times. */
function boardOf(...updates: readonly ProgressUpdate[]): Board {
  const board = new Board()
  goLive(board, NOW)
  for (const said of updates) saw(board, said, NOW)
  return board
}

const leftOf = (board: Board, nowMs: number): string | undefined =>
  /% {2}(.*)$/.exec(drawn(board, { nowMs })[0] ?? "")?.[1]?.trim()

test("the time left is counted down as the seconds pass, to the end, which has a time of day", () => {
  const board = boardOf(update(1, { eta_seconds: 3725 }))
  expect(leftOf(board, NOW)).toBe("1:02:05 left, done at 04:06 UTC")
  expect(leftOf(board, NOW + 65_000)).toBe("1:01:00 left, done at 04:06 UTC")
  expect(leftOf(board, NOW + 3_685_000)).toBe("0:40 left, done at 04:06 UTC")
  expect(leftOf(board, NOW + 3_725_000)).toBe("longer than expected")
  saw(board, update(1, { eta_seconds: 0, progress: 99 }), NOW)
  expect(leftOf(board, NOW + 9_000_000)).toBe("finishing")
})

test("what earlier runs foresee is shown in place of the percentage, with its band", () => {
  const foreseen = { time_progress: 41.3, eta_seconds: 128, eta_low_seconds: 104, eta_high_seconds: 166 }
  const board = boardOf(update(1, { progress: 75, ...foreseen }))
  expect(drawn(board, { columns: 100 })[0]).toContain(" 41%  2:08 left (1:44 to 2:46), done at 03:06 UTC")
  expect(drawn(board, { columns: 60 })[0]).toContain(" 41%  2:08 left")
  expect(leftOf(board, NOW + 200_000)).toBe("longer than usual")
  saw(board, update(1, { progress: 75, ...foreseen, eta_low_seconds: 60 }), NOW)
  expect(leftOf(board, NOW)).toBe("1 to 3 min left, done at 03:06 UTC")
})

test("a pause of the queue is shown beside the figures, until it is resumed or the connection is lost", () => {
  const board = new Board()
  const pause = (paused_at: string | null): void =>
    board.take({ type: "control", control: { event: "queue", paused_at } }, NOW)
  pause("2026-01-02T02:30:00.000Z")
  goLive(board, NOW)
  expect(drawn(board).at(-1)).toBe("live · paused since 02:30 UTC · 0 running · 0 waiting")
  pause(null)
  expect(drawn(board).at(-1)).toBe("live · 0 running · 0 waiting")
  pause("2026-01-02T02:30:00.000Z")
  lose(board, "the connection was lost", 1000, NOW)
  goLive(board, NOW)
  expect(drawn(board).at(-1)).toBe("live · 0 running · 0 waiting")
})

test("when all is done by the clock stands beside the figures, while several items are to be done", () => {
  const board = boardOf(update(1), update(2, { status: "queued" }))
  board.foresee(3600, NOW)
  expect(drawn(board).at(-1)).toBe("live · 1 running · 1 waiting · all done about 04:04 UTC")
  expect(drawn(board, { nowMs: NOW + 3_601_000 }).at(-1)).toBe("live · 1 running · 1 waiting")
  board.foresee(null, NOW)
  expect(drawn(board).at(-1)).toBe("live · 1 running · 1 waiting")
  board.foresee(3600, NOW)
  saw(board, update(2, { status: "failed", outcome: "cancelled" }), NOW)
  expect(drawn(board).at(-1)).toBe("live · 1 running · 0 waiting · 1 cancelled")
})

test("an update that was old when the board was opened is counted down from its own time", () => {
  const board = new Board()
  const eta = { eta_seconds: 90, eta_low_seconds: 80, eta_high_seconds: 100 }
  saw(board, update(1, eta), NOW + 60_000)
  goLive(board, NOW + 60_000)
  expect(leftOf(board, NOW + 60_000)).toBe("20 to 40 s left, done at 03:05 UTC")
  expect(leftOf(board, NOW + 110_000)).toBe("longer than usual")
  saw(board, update(2, { timestamp: new Date(NOW + 110_000).toISOString() }), NOW + 110_100)
  expect(leftOf(board, NOW + 110_100)).toBe("longer than usual")
})

test("a clock that differs from the server's does not change the time left", () => {
  for (const aheadMs of [-7_200_000, 7_200_000]) {
    const board = new Board()
    goLive(board, NOW + aheadMs)
    saw(board, update(2), NOW + aheadMs)
    // The report is 30 seconds old, but it is seen only now.
    const timestamp = new Date(NOW - 30_000).toISOString()
    saw(board, update(1, { eta_seconds: 90, timestamp }), NOW + aheadMs)
    expect(leftOf(board, NOW + aheadMs)).toStartWith("1:00 left, done at ")
    // An update that was a second less on its way tells more of how far the clocks are apart.
    saw(board, update(1, { eta_seconds: 60, timestamp }), NOW + aheadMs - 31_000)
    expect(leftOf(board, NOW + aheadMs - 27_000)).toStartWith("0:56 left, done at ")
  }
})

test("an item that stands still, or is to be cancelled, says so instead", () => {
  expect(leftOf(boardOf(update(1, { eta_seconds: 60, stalled: true })), NOW)).toBe("stalled")
  const stalled_since = new Date(NOW - 250_000).toISOString()
  const still = boardOf(update(1, { eta_seconds: 60, stalled: true, stalled_since }))
  expect(leftOf(still, NOW)).toBe("stalled for 4:10")
  const cancel_requested_at = new Date(NOW).toISOString()
  expect(leftOf(boardOf(update(1, { eta_seconds: 60, cancel_requested_at })), NOW)).toBe("cancelling")
  const one = new Board({ queueId: 1 })
  goLive(one, NOW)
  saw(one, update(1, { status: "failed", outcome: "cancelled", cancel_requested_at }), NOW)
  expect(drawn(one).join("\n")).not.toContain("cancelling")
  expect(drawn(one)[0]).toEndWith("  cancelled")
})

test("the bar of an item that has ended has the colour of its end: a cancelled one has not failed", () => {
  const tones = { completed: "good", failed: "bad", lost: "bad", cancelled: "dim" } as const
  for (const outcome of ["completed", "failed", "lost", "cancelled"] as const) {
    const one = new Board({ queueId: 1 })
    goLive(one, NOW)
    const status = outcome === "completed" ? outcome : "failed"
    saw(one, update(1, { status, outcome, progress: 50 }), NOW)
    const [, shown] = one.draw({ ...VIEW, style: (text, tone) => `<${tone}>${text}</>` })
    expect(shown?.text).toStartWith(`<${tones[outcome]}>`)
  }
})

test("an item that a snapshot after a gap does not mention leaves the board", () => {
  const board = boardOf(update(1), update(2, { status: "queued" }), update(3))
  miss(board, { reason: "unknown", missed: null }, NOW)
  saw(board, update(3), NOW)
  expect(drawn(board).at(-1)).toBe("live · 2 running · 1 waiting")
  goLive(board, NOW)
  expect(drawn(board).at(-1)).toBe("live · 1 running · 0 waiting")
  expect(board.news(VIEW)[0]).toEndWith(" some updates were missed (unknown)")
})

test.each(["slow", "unreadable"] as const)(
  "what did not change stays on the board after a gap: %s",
  (reason) => {
    const board = boardOf(update(1), update(2))
    miss(board, { reason, missed: 120 }, NOW)
    saw(board, update(2, { status: "completed" }), NOW)
    expect(drawn(board).at(-1)).toBe("live · 1 running · 0 waiting · 1 completed")
    expect(board.news(VIEW).map((line) => line.slice(9))).toEqual([
      `120 updates were missed (${reason})`,
      "✔ #2 song 2 completed",
    ])
    goLive(board, NOW)
    expect(drawn(board).at(-1)).toBe("live · 1 running · 0 waiting · 1 completed")
  },
)

test("an item that ends is shown once, and a finished one that changes is not shown again", () => {
  const board = boardOf(update(1), update(2), update(3, { status: "queued" }))
  saw(board, update(1, { status: "failed", outcome: "lost", error_message: "gone" }), NOW)
  saw(board, update(3, { status: "failed", outcome: "cancelled", deleted: true }), NOW)
  saw(board, update(1, { status: "failed", title: "Renamed" }), NOW)
  saw(board, update(9, { status: "completed", deleted: true }), NOW)
  expect(board.news(VIEW).map((line) => line.slice(9))).toEqual([
    "✘ #1 song 1 lost: gone",
    "– #3 song 3 cancelled",
  ])
  expect(board.news(VIEW)).toEqual([])
  expect(drawn(board).at(-1)).toBe("live · 1 running · 0 waiting · 1 failed · 1 cancelled")
})

test("while it is not live the board says since when, why, and when the next try is", () => {
  const board = boardOf(update(1))
  lose(board, "no server answers", 4000, NOW + 60_000)
  const since = new Date(NOW + 60_000).toISOString().slice(11, 19)
  const lines = drawn(board, { nowMs: NOW + 61_500, columns: 120 })
  expect(lines.at(-1)).toStartWith(`offline since ${since}, retrying in 3 s: no server answers`)
  lose(board, "no server answers", 8000, NOW + 90_000)
  expect(drawn(board, { nowMs: NOW + 98_000, columns: 120 }).at(-1)).toStartWith(
    `offline since ${since}, retrying: no server answers ·`,
  )
})

test("on a narrow terminal what helps when no server answers is not cut", () => {
  const board = boardOf(update(1))
  lose(board, 'no server answers at http://127.0.0.1:8080; start one with "track-studio serve"', 4000, NOW)
  for (const columns of [60, 80, 100]) {
    const lines = drawn(board, { columns })
    expect(lines.join(" ")).toContain('start one with "track-studio serve"')
    expect(lines.at(-1)).toEndWith("1 running · 0 waiting")
  }
})

test("no line is wider than the terminal, and there are fewer than it has, whatever their size", () => {
  const title = "日本語のとても長い題名 🎵 and more of it"
  const updates = Array.from({ length: 30 }, (_, i) =>
    update(i + 1, { title, current_step: title.repeat(4), eta_seconds: 3600 * i }),
  )
  for (const one of [boardOf(...updates), new Board({ queueId: 1 })]) {
    if (one instanceof Board) saw(one, updates[0] ?? update(1), NOW)
    for (const columns of [20, 33, 50, 80, 200]) {
      for (const rows of [3, 8, 24]) {
        const lines = one.draw({ ...VIEW, columns, rows })
        expect(lines.length).toBeLessThan(rows)
        for (const { text, width } of lines) {
          expect(width).toBe(Bun.stringWidth(text))
          expect(width).toBeLessThan(columns)
        }
      }
    }
  }
})

test("a name gets the columns that nothing else needs", () => {
  const title = "The very long and winding road that leads to your door"
  const nameAt = (columns: number, more = {}): string | undefined =>
    drawn(boardOf(update(1, { title, ...more })), { columns })[0]?.split(/ {2,}/)[0]
  expect(nameAt(40)).toBe("#1 The very long and…")
  expect(nameAt(100)).toBe(`#1 ${title}`)
  const longer = { title: `${title}, and to mine`, current_step: "Mux", eta_seconds: 128 }
  expect(nameAt(200, longer)).toBe(`#1 ${longer.title}`)
  // The time left goes before the name.
  expect(nameAt(60, { eta_seconds: 128 })).toMatch(/^#1 The very long.*…$/)
})

const pace = { media: { out_time: 10, total: 40, fps: 24, speed: 1.2 } }
const foreseen = { time_progress: 41.3, eta_seconds: 128, eta_low_seconds: 104, eta_high_seconds: 166 }
const long = { title: "Midnight at the Observatory (Extended Orchestral Version)" }

test.each([
  [60, "2:08 left", ""],
  [80, "2:08 left, done at 03:06 UTC", ""],
  [100, "2:08 left (1:44 to 2:46), done at 03:06 UTC", ""],
  [140, "2:08 left (1:44 to 2:46), done at 03:06 UTC", "0:10 of 0:40"],
  [200, "2:08 left (1:44 to 2:46), done at 03:06 UTC", "0:10 of 0:40 · 24 fps · 1.2x"],
])(
  "at %d columns nothing but a long name is cut, and what there is no room for is left out",
  (columns, left, rest) => {
    const board = boardOf(update(1, { ...pace, ...foreseen, ...long }), update(2, pace))
    const [first = "", second = ""] = drawn(board, { columns })
    expect(first).toMatch(/^#1 Midnight [^…]*(?:…|\)) +█+░+  41% {2}[^…]+$/)
    expect(
      first
        .slice(first.indexOf("%") + 1)
        .trim()
        .split(/ {2,}/),
    ).toEqual([left, rest].filter(Boolean))
    expect(second.endsWith(rest === "" ? "50%" : rest)).toBe(true)
  },
)

test("a step has more room than the band of the time left, and is cut before the clock", () => {
  const step = { current_step: "Rendering video", step: { index: 3, total: 5, name: "Rendering video" } }
  const board = boardOf(update(1, { ...foreseen, ...long, ...step }))
  expect(drawn(board, { columns: 110 })[0]).toEndWith("2:08 left, done at 03:06 UTC  3/5 Rendering video")
  expect(drawn(board, { columns: 90 })[0]).toMatch(/left, done at 03:06 UTC {2}3\/5 Rende\S*…$/)
  expect(drawn(board, { columns: 70 })[0]).toEndWith("2:08 left, done at 03:06 UTC")
})

test("the board of one item says when it starts, until that has begun", () => {
  const board = new Board({ queueId: 1 })
  goLive(board, NOW)
  board.waits("starts about 14:50")
  saw(board, update(1, { status: "queued", progress: 0 }), NOW)
  expect(drawn(board)[2]).toBe("starts about 14:50")
  saw(board, update(1, { status: "processing" }), NOW)
  expect(drawn(board).join("\n")).not.toContain("starts")
})

test("the board of one item shows its worker, its state and its error whole, in lines of their own", () => {
  const worker = "render-node-07.studio.internal"
  const board = new Board({ queueId: 1 })
  goLive(board, NOW)
  const step = { current_step: "Rendering video", step: { index: 3, total: 5, name: "Rendering video" } }
  saw(board, update(1, { ...pace, ...step, ...long, worker, attempt: 2 }), NOW)
  for (const columns of [60, 80, 100, 140]) {
    const lines = drawn(board, { columns })
    expect(lines.join("\n")).toContain(`on ${worker}`)
    expect(lines[0]).toEndWith("  processing")
    expect(lines.slice(1).join("")).not.toContain("…")
  }
  const error_message = `${"a cause that is long ".repeat(6)}end`
  saw(board, update(1, { status: "failed", outcome: "failed", error_message }), NOW)
  expect(drawn(board).slice(2, -1).join(" ")).toBe(error_message)
  // A long text takes three lines, and the last of them is cut.
  saw(
    board,
    update(1, { status: "failed", outcome: "failed", error_message: "a long cause ".repeat(99) }),
    NOW,
  )
  const lines = drawn(board)
  expect([lines.length, lines.at(-2)?.at(-1)]).toEqual([6, "…"])
})

test("a bar is as wide as it should be, and full only at the end", () => {
  const text = (percent: number, style = coloured): string =>
    bar(percent, 10, style)
      .map((piece) => (typeof piece === "string" ? piece : piece[0]))
      .join("")
  expect(text(0)).toBe("━━━━━━━━━━")
  expect(bar(0, 10, coloured)[0]).toEqual(["", "bar"])
  expect(bar(25, 10, coloured)).toEqual([
    ["━━╸", "bar"],
    ["━━━━━━━", "dim"],
  ])
  expect(bar(100, 10, coloured)[1]).toEqual(["", "dim"])
  expect(text(33, colourless)).toBe("███░░░░░░░")
  for (let percent = 0; percent <= 100; percent += 1) {
    expect(text(percent)).toHaveLength(10)
    if (percent < 100) expect(bar(percent, 10, coloured)[0]?.[0]).not.toBe("━━━━━━━━━━")
  }
})

test("a frame goes up by the rows that the last one takes now, also when they have wrapped", () => {
  const region = new Region()
  const line = { text: "x".repeat(70), width: 70 }
  expect(region.frame([], [line, line], 80)).not.toContain("A\u001b")
  expect(region.frame([], [line, line], 80)).toContain("\r\u001b[2A")
  expect(region.frame(["above"], [line], 40)).toContain("\r\u001b[4A\u001b[2Kabove\n\u001b[2Kx")
  region.leave()
  expect(region.frame([], [line, { text: "", width: 0 }], 80)).not.toMatch(/\[\dA/)
  // A line without a text takes a row as well.
  expect(region.frame([], [line], 80)).toContain("\u001b[2A")
})

test("a finished item is shown with the time of its end, in UTC, however late the update comes", () => {
  const board = boardOf(update(1))
  const finished = new Date(NOW + 5000).toISOString()
  saw(board, update(1, { status: "completed", progress: 100, timestamp: finished }), NOW + 3_600_000)
  expect(board.news(VIEW)).toEqual(["03:04:10 ✔ #1 song 1 completed"])
})

test("a bar is in doubt while its item stands still or the stream is not live, and an item without a title has its song", () => {
  const look = { ...VIEW, style: coloured }
  const barIn = (board: Board): string | undefined =>
    /\[(3[0-9])m━/.exec(board.draw(look)[0]?.text ?? "")?.[1]
  const board = boardOf(update(1, { title: "" }))
  expect([barIn(board), drawn(board)[0]?.startsWith("#1 song 1 ")]).toEqual(["36", true])
  lose(board, "away", 1000, NOW)
  expect(barIn(board)).toBe("33")
  expect(barIn(boardOf(update(1, { stalled: true })))).toBe("33")
})

test("a guess is shown as one: its bar in dashes or hatched, and about how much", () => {
  const guess = update(1, { basis: "guess" })
  expect(drawn(boardOf(guess))[0]).toMatch(/▒+░+ ~50%/)
  expect(drawn(boardOf(update(1, { basis: "declared" })))[0]).toMatch(/█+░+ {2}50%/)
  expect(bar(50, 4, coloured, "bar", true)[0]).toEqual(["╍╍", "bar"])
  expect(readable(guess)).toContain("processing about 50%")
  const error_message =
    "the command ended with code 1\n[libx264 @ 0x5581] height not divisible by 2\nConversion failed!"
  expect(readable(update(1, { status: "failed", current_step: "Video", error_message }))).toEndWith(
    "Video - libx264: height not divisible by 2",
  )
  expect(readable(update(1, { basis: "counted" }))).toContain("processing  50%")
  // An estimate from earlier runs is based on more than a bar.
  expect(readable(update(1, { basis: "guess", time_progress: 41 }))).toContain("processing  41%")
})

test("items for which there is no room are counted", () => {
  const board = boardOf(...[1, 2, 3, 4, 5].map((id) => update(id)))
  const lines = drawn(board, { rows: 5 })
  expect(lines.map((line) => /^#?\d+|and \d+ more|live/.exec(line)?.[0] ?? line)).toEqual(
    ["#1", "#2", "  and 3 more", "live"].map((line) => line.trim()),
  )
})

test("the attempt of an item is shown from the second one on", () => {
  const shownOf = (attempt: number): string => {
    const board = new Board({ queueId: 1 })
    goLive(board, NOW)
    saw(board, update(1, { attempt, current_step: "Images" }), NOW)
    return drawn(board).join("\n")
  }
  expect([shownOf(1).includes("attempt"), shownOf(2).includes("Images · attempt 2")]).toEqual([false, true])
})
