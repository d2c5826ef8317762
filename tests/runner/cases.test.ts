import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test"

import { type Case, CASES, pathOf } from "../renderers/cases.ts"
import { start } from "../server.ts"
import { faultsOf, finished, historyOf, latestOf, studio, type Told } from "./programs.ts"

setDefaultTimeout(60_000)

const server = await start()
afterAll(() => server[Symbol.asyncDispose]())

const isFinal = ({ query }: Case): boolean => query.includes("finish")

/** What was shown while the output came, held against what is right. */
function check(one: Case, history: readonly Told[]): void {
  expect(faultsOf(history)).toEqual([])
  const running = history.filter(({ status }) => status === "processing")
  const last = running.at(-1)
  const most = Math.max(...running.map(({ progress }) => progress))
  expect(most).toBeLessThanOrEqual(one.most_ever ?? 99)
  expect(last?.progress).toBeLessThanOrEqual(one.most_at_end ?? 99)
  if (!isFinal(one)) expect(last?.progress).toBeGreaterThanOrEqual(Math.floor(one.least_at_end ?? 0))
  if (one.unit_at_end === false) expect(last?.unit).toBeUndefined()
}

/** Prints a file at once, or line by line, so many seconds apart. */
const printed = (file: string, apartS: number): string =>
  apartS === 0
    ? `cat ${file}; sleep 0.4`
    : `perl -0777 -ne '$| = 1; for (split /(?<=[\\r\\n])/) { print; select(undef, undef, undef, ${apartS}) }' ${file}; sleep 0.4`

describe.each([
  ["at once", 0, 0],
  ["a line every 50 ms", 0.05, 100],
])("through run, %s", (_name, apartS, offset) => {
  test.concurrent.each(CASES)("$file: $right", async (one) => {
    const song = CASES.indexOf(one) + 1 + offset
    const total = new URLSearchParams(one.query).get("total")
    const flags = ["--renderer", one.reader, ...(total === null ? [] : ["--total", total])]
    const shell = ["sh", "-c", printed(pathOf(one), apartS)]
    await using render = studio(server, ["run", "--song", String(song), ...flags, "--", ...shell])
    const code = await render.ends()
    const id = await latestOf(server, song)
    check(one, await historyOf(server, id))
    if (!isFinal(one)) return
    const item = await server.item(id)
    expect<string>(item.status).toBe(one.status_at_end)
    expect(code).toBe(one.status_at_end === "completed" ? 0 : 1)
    expect(item.error_message).toContain(one.error_at_end ?? "")
  })
})

test("through work, which reads every output as lines, nothing is shown that is not so", async () => {
  await using own = await start()
  const lines = CASES.filter(({ reader }) => reader === "lines")
  for (const one of lines) await own.add({ song_id: CASES.indexOf(one) + 1, metadata: { file: pathOf(one) } })
  const exec = `cat "$(printenv TRACK_STUDIO_ITEM | sed 's/.*"file":"\\([^"]*\\)".*/\\1/')"; sleep 0.4`
  await using worker = studio(own, ["work", "--concurrency", "4", "--exec", exec])
  for (const [index, one] of lines.entries()) {
    expect(await finished(own, index + 1)).toMatchObject({ status: "completed" })
    check(one, await historyOf(own, index + 1))
  }
  worker.kill("SIGTERM")
  expect(await worker.ends()).toBe(0)
})

test("through work, ffmpeg and Blender fail an item by their own words alone, and move it no further than is so", async () => {
  await using own = await start()
  const known = CASES.filter(({ reader }) => reader !== "lines")
  for (const one of known) {
    await own.add({ song_id: CASES.indexOf(one) + 1, max_attempts: 1, metadata: { file: pathOf(one) } })
  }
  const exec = `cat "$(printenv TRACK_STUDIO_ITEM | sed 's/.*"file":"\\([^"]*\\)".*/\\1/')"; sleep 0.4`
  await using worker = studio(own, ["work", "--concurrency", "4", "--exec", exec])
  for (const [index, one] of known.entries()) {
    const { status, error_message } = await finished(own, index + 1)
    expect([one.file, status]).toEqual([one.file, one.error_at_end === undefined ? "completed" : "failed"])
    expect(error_message).toContain(one.error_at_end ?? "")
    const history = await historyOf(own, index + 1)
    expect(faultsOf(history)).toEqual([])
    const last = history.findLast((update) => update.status === "processing")
    expect(last?.progress).toBeLessThanOrEqual(one.most_at_end ?? 99)
  }
  worker.kill("SIGTERM")
  expect(await worker.ends()).toBe(0)
})
