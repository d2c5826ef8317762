import { expect, test } from "bun:test"

import { read } from "./programs.ts"

/** A line of the statistics of an ffmpeg, as it is redrawn, or its last one. */
function statistics(seconds: number, isLast: boolean): string {
  const time = `00:${String(Math.floor(seconds / 60)).padStart(2, "0")}:${(seconds % 60).toFixed(2).padStart(5, "0")}`
  const end = isLast ? "\n" : "\r"
  return `frame=  100 fps= 24 q=28.0 ${isLast ? "L" : ""}size=     256kB time=${time} bitrate=1000.0kbits/s speed=0.5x${end}`
}

/** What ffmpegs print that run at the same time, each at its own pace, until so much of a minute is done by all. */
function printed(paces: readonly number[], until: number): string[] {
  const slowest = Math.min(...paces)
  const rounds = Array.from({ length: until + 1 }, (_, percent) =>
    paces.map((pace, run) => {
      const hasPause = percent > 0 && percent < 100 && (percent + run) % 7 === 0
      return Math.min(60, 0.6 * (percent - (hasPause ? 0.4 : 0)) * (pace / slowest))
    }),
  )
  return rounds.flatMap((round, i) =>
    round.flatMap((seconds, run) =>
      (rounds[i - 1]?.[run] ?? 0) >= 60 ? [] : [statistics(seconds, seconds >= 60)],
    ),
  )
}

test.each([[[1, 0.5]], [[1, 0.7, 0.5]], [[1, 0.97, 0.95]], [[1, 0.9, 0.8, 0.95, 0.97, 0.7, 0.85, 0.6]]])(
  "of ffmpegs at the same time in one output, with the paces %j, the one that is behind counts",
  (paces) => {
    for (const until of [5, 20, 45, 80]) {
      const { last } = read(printed(paces, until), 3, { total: 60 })
      expect([until, Math.abs(last - until) <= 5, last]).toEqual([until, true, last])
    }
  },
)

test("ffmpegs in turn are still two bars, also if the first one was not seen to end", () => {
  const first = printed([1], 100)
  const second = printed([1], 50)
  for (const before of [first, first.slice(0, 80)])
    expect(read([...before, ...second], 3, { total: 60 }).last).toBe(50)
})
