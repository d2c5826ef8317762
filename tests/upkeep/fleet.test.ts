import { expect, test } from "bun:test"

import type { Instance, InstanceReport, Instances } from "../../src/store/contract/instances.ts"
import { Fleet } from "../../src/upkeep/fleet.ts"

const at = (second: number): string => new Date(Date.UTC(2026, 0, 2, 3, 4, second)).toISOString()
const REPORT = { name: "a", version: "1", address: "http://a", since: at(0), streams: 0, crew: [] }

/** The servers of one database. The second value of `now` belongs to the database. */
class Known implements Instances {
  readonly own = "own"
  readonly others: Instance[] = []
  now = 0
  #self: Instance | undefined

  async write(report: InstanceReport): Promise<void> {
    this.#self = { ...report, id: this.own, seen_at: at(this.now) }
  }

  async all(): Promise<readonly Instance[]> {
    return [...(this.#self ? [this.#self] : []), ...this.others]
  }
}

test("a server lists the others that were seen within 15 s, and never itself", async () => {
  const known = new Known()
  const seen: string[][] = []
  const fleet = new Fleet(known, {
    report: () => REPORT,
    onOthers: (others) => void seen.push(others.map(({ id }) => id)),
    onError: (error) => expect(error).toBeUndefined(),
  })
  await fleet.round()
  known.others.push({ ...REPORT, id: "one", seen_at: at(0) }, { ...REPORT, id: "two", seen_at: at(5) })
  for (const now of [14, 15, 19, 20]) {
    known.now = now
    await fleet.round()
  }
  expect(seen).toEqual([[], ["one", "two"], ["two"], ["two"], []])
  // A request for all of them also gets those that stopped not long ago.
  expect((await fleet.all()).map(({ id }) => id)).toEqual(["own", "one", "two"])
})

test("a server knows the others, and they know it, as soon as it has started", async () => {
  const known = new Known()
  known.others.push({ ...REPORT, id: "one", seen_at: at(0) })
  const seen: string[][] = []
  const fleet = new Fleet(known, {
    report: () => REPORT,
    onOthers: (others) => void seen.push(others.map(({ id }) => id)),
    onError: (error) => expect(error).toBeUndefined(),
  })
  await fleet.start()
  expect(seen).toEqual([["one"]])
  expect((await known.all()).map(({ id }) => id)).toEqual(["own", "one"])
  await fleet.stop()
})
