import { expect, setDefaultTimeout, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"

import { Script } from "./script.ts"
import { start, temporaryFolder } from "./server.ts"

// Four renders take their time on a busy machine.
setDefaultTimeout(400_000)

test.skipIf(Bun.which("ffmpeg") === null)("demo-learned.sh shows how the bar becomes right", async () => {
  using folder = temporaryFolder()
  await using server = await start()
  const picture = join(folder.path, "bars.svg")
  await using script = new Script("demo-learned.sh", ["--seconds", "3", "--picture", picture], server.url)
  expect(await script.ended).toBe(0)
  const off = script
    .lines("render")
    .map((line) => Number(/off by ([\d.]+) points on average/.exec(line)?.[1] ?? Number.NaN))
  expect(off).toHaveLength(4)
  const [first = 0, ...others] = off
  // The machine may be busy with something else during one of them, but hardly during all.
  expect(Math.min(...others)).toBeLessThan(first)
  expect(readFileSync(picture, "utf8")).toMatch(/^<svg .*First render.*Fourth render.*<\/svg>\n$/s)
  const item = await server.item(4)
  expect(item).toMatchObject({ status: "completed", time_progress: 100, totals: { seconds: 3 } })
})
