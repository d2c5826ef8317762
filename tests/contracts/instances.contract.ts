import { expect, test } from "bun:test"

import { type Open, START_MS } from "./store.contract.ts"

const at = (ms: number): string => new Date(START_MS + ms).toISOString()

/** What every Store promises about the servers that use it. */
export function storeInstances(name: string, open: Open): void {
  test(`${name}: a server that has written itself down is known, as it wrote last`, async () => {
    let nowMs = START_MS
    await using opened = await open(() => nowMs)
    const { instances } = opened.store
    expect(await instances.all()).toEqual([])
    const worker = { worker: "box", tags: ["gpu"], version: "1", isTaking: true, isWaiting: false }
    const times = { heardMs: START_MS, idleMs: START_MS, starts: ["a"], drained: null, drainedMs: 0 }
    const about = { name: "one", version: "1.2.3", address: "http://one:8080", since: at(0) }
    const report = { ...about, streams: 3, crew: [{ ...worker, ...times }] }
    await instances.write(report)
    expect(await instances.all()).toEqual([{ id: instances.own, ...report, seen_at: at(0) }])
    nowMs += 5000
    await instances.write({ ...report, streams: 4 })
    expect(await instances.all()).toEqual([{ id: instances.own, ...report, streams: 4, seen_at: at(5000) }])
  })

  test(`${name}: work that one server at a time must do runs once in its interval`, async () => {
    let nowMs = START_MS
    await using opened = await open(() => nowMs)
    const { upkeep } = opened.store
    expect(await upkeep.takeTimer("sweep", 1000)).toBeTrue()
    expect(await upkeep.takeTimer("other", 1000)).toBeTrue()
    nowMs += 1000
    expect(await upkeep.takeTimer("sweep", 1000)).toBeTrue()
  })
}
