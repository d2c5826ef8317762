import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { symlinkSync } from "node:fs"
import { join } from "node:path"

import type { QueueItem } from "../../src/item/item.ts"
import { type Case, CASES, expectedOf, pathOf } from "../renderers/cases.ts"
import { start, temporaryFolder } from "../server.ts"
import { faultsOf, finished, historyOf, itemOf, latestOf, studio } from "./programs.ts"

setDefaultTimeout(120_000)

const server = await start()
afterAll(() => server[Symbol.asyncDispose]())

/** Holds the history of an item whose command printed this output and exited with 0 against what is right. */
async function check(one: Case, item: QueueItem, isOwnReader: boolean): Promise<void> {
  const history = await historyOf(server, item.id)
  expect(faultsOf(history)).toEqual([])
  const shown = history.filter(({ status }) => status === "processing")
  expect(Math.max(0, ...shown.map(({ progress }) => progress))).toBeLessThanOrEqual(one.most_ever ?? 100)
  expect(shown.at(-1)?.progress ?? 0).toBeLessThanOrEqual(one.most_at_end ?? 100)
  if (one.unit_at_end === false) expect(shown.at(-1)?.unit).toBeUndefined()
  // Only a total that was given can fail a command that exits with 0, or its renderer's own words.
  const isShort = isOwnReader && expectedOf(one.query).total !== undefined && one.status_at_end === "failed"
  const isFailed = one.error_at_end !== undefined || isShort
  if (isFailed) expect(item.error_message).toContain(one.error_at_end ?? "")
  else if (item.status === "failed") expect(item.error_message).toMatch(/at \d+(\.\d)? % of its total$/)
  if (isFailed || !isOwnReader) expect(item.status).toBe(isFailed ? "failed" : "completed")
}

describe("what people's renderers printed, under run", () => {
  test.each(CASES.map((one, i) => ({ ...one, song: 1000 + i })))(
    "$file: $right",
    async ({ song, ...one }) => {
      const { total } = expectedOf(one.query)
      const flags = ["--renderer", one.reader, ...(total === undefined ? [] : ["--total", String(total)])]
      await using render = studio(server, ["run", "--song", String(song), ...flags, "--", "cat", pathOf(one)])
      await render.ends()
      await check(one, await itemOf(server, await latestOf(server, song)), true)
    },
  )
})

test("what people's renderers printed, in a script under work", async () => {
  using folder = temporaryFolder()
  const ids = new Map<number, Case>()
  for (const [i, one] of CASES.entries()) {
    symlinkSync(pathOf(one), join(folder.path, String(i + 1)))
    ids.set(await server.add({ song_id: i + 1, max_attempts: 1 }), one)
  }
  const exec = `cat "${folder.path}/$TRACK_STUDIO_SONG_ID"`
  await using worker = studio(server, ["work", "--exec", exec, "--concurrency", "2"])
  for (const [id, one] of ids) await check(one, await finished(server, id), false)
  worker.kill("SIGTERM")
  expect(await worker.ends()).toBe(0)
})
