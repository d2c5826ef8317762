import { expect, spyOn, test } from "bun:test"

import { AppError } from "../../../src/errors.ts"
import { Outages } from "../../../src/store/outages-extend-leases.ts"
import { PATIENCE_MS } from "../../../src/store/postgres/connections.ts"
import { GroupCommit, type GroupOptions } from "../../../src/store/postgres/group-commit.ts"
import { START_MS } from "../../contracts/store.contract.ts"
import { from1 } from "./several.ts"

test("the time that a write waits for the group before it counts, so that it is refused no later than others", async () => {
  const held = Promise.withResolvers<void>()
  const untilMs: number[] = []
  const options: unknown = {
    link: {
      async patiently(_work: unknown, endMs: number) {
        untilMs.push(endMs)
        await held.promise
        throw new AppError("unavailable", "the database cannot be reached")
      },
    },
    backCheck: { era: 0 },
    clock: { now: () => START_MS, steadyMs: () => START_MS },
    outages: new Outages(),
    observed: {},
  }
  const group = new GroupCommit(options as GroupOptions)
  const write = { ids: [], decide: () => undefined }
  const first = group.run(write)
  while (untilMs.length === 0) await new Promise(setImmediate)
  const second = group.run(write)
  const cameMs = performance.now()
  while (performance.now() < cameMs + 20) await new Promise(setImmediate)
  held.resolve()
  const results = await Promise.allSettled([first, second])
  expect(results.map(({ status }) => status)).toEqual(["rejected", "rejected"])
  expect(untilMs[1]).toBeLessThanOrEqual(cameMs + PATIENCE_MS)
})

test("of thousands of writes that nothing could store, all that have waited as long as they may are refused together, and the others wait on", async () => {
  const real = performance.now.bind(performance)
  let passedMs = 0
  using _clock = spyOn(performance, "now").mockImplementation(() => real() + passedMs)
  let tries = 0
  const options: unknown = {
    link: {
      async patiently() {
        tries += 1
        if (tries > 1) throw new AppError("unavailable", "still away")
        passedMs += PATIENCE_MS / 2
        await new Promise(setImmediate)
        later = group.run(write)
        passedMs += PATIENCE_MS / 2
        throw new AppError("unavailable", "away")
      },
    },
    backCheck: { era: 0 },
    clock: { now: () => START_MS, steadyMs: () => START_MS },
    outages: new Outages(),
    observed: {},
  }
  const group = new GroupCommit(options as GroupOptions)
  const write = { ids: [], decide: () => undefined }
  let later: Promise<unknown> | undefined
  const messages = from1(1000).map(() => group.run(write).catch(({ message }: AppError) => message))
  expect(new Set(await Promise.all(messages))).toEqual(new Set(["away; nothing was changed"]))
  await expect(later).rejects.toThrow("still away; nothing was changed")
  expect(tries).toBe(2)
})
