import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test"

import { size } from "../proof.ts"
import { RendererOutput } from "../renderer-output.ts"
import { bytesOf, type Case, CASES } from "../renderers/cases.ts"
import { start } from "../server.ts"
import { told } from "../worker.ts"

setDefaultTimeout(180_000)

const server = await start()
afterAll(() => server[Symbol.asyncDispose]())

/** The lines of an output, each with its end. */
function linesOf(bytes: Uint8Array): Uint8Array[] {
  const ends = [...bytes.keys()].filter((i) => bytes[i] === 10 || (bytes[i] === 13 && bytes[i + 1] !== 10))
  return [...ends, bytes.length - 1].map((end, i) => bytes.subarray((ends[i - 1] ?? -1) + 1, end + 1))
}

/** Sends an output, whole or one line every 50 ms, and compares the item with the expected result. */
async function check(one: Case, isSlow: boolean): Promise<void> {
  const id = await server.add({ song_id: 1, tags: ["by itself"] })
  const output = new RendererOutput(server.url, id, `${one.reader}?${one.query}`)
  const bytes = await bytesOf(one)
  for (const piece of isSlow ? linesOf(bytes).slice(0, size(200, 400)) : [bytes]) {
    await output.write(piece)
    // The test is about the pace, and not about whether something has happened.
    if (isSlow) await Bun.sleep(50)
  }
  const { status } = await output.end()
  expect(status).toBe(200)
  const item = await server.item(id)
  const shown = (await told(server, id)).map(({ progress = 0 }) => progress)
  const falls = shown.filter((progress, i) => progress < (shown[i - 1] ?? 0))
  expect(falls.length).toBeLessThanOrEqual(1)
  expect(Math.max(...shown)).toBeLessThanOrEqual(one.most_ever ?? 100)
  if (item.status !== "failed") expect(item.progress).toBeGreaterThanOrEqual(one.least_at_end ?? 0)
  expect(item.progress).toBeLessThanOrEqual(one.most_at_end ?? 100)
  if (one.unit_at_end === false) expect(item.unit).toBeNull()
  expect(item.error_message).toContain(one.error_at_end ?? "")
  expect<string>(item.status).toBe(one.status_at_end)
}

describe("outputs of real renderers", () => {
  test.each(CASES)("$file at once: $right", (one) => check(one, false))
  test.concurrent.each(CASES)("$file, a line every 50 ms: $right", (one) => check(one, true))
})
