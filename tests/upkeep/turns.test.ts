import { expect, spyOn, test } from "bun:test"

import { Repeating } from "../../src/background-work.ts"
import { RescueAndStall } from "../../src/queue/rescue-and-stall.ts"
import { Backups } from "../../src/upkeep/backups.ts"
import { Ballast } from "../../src/upkeep/ballast-for-full-disk.ts"
import { Compaction } from "../../src/upkeep/compaction.ts"
import { DatabaseCheck } from "../../src/upkeep/database-check.ts"
import { Descriptors } from "../../src/upkeep/descriptors.ts"
import { DiskLowWarning } from "../../src/upkeep/disk-low-warning.ts"
import { EventLoop } from "../../src/upkeep/event-loop-and-clock.ts"
import { Fleet } from "../../src/upkeep/fleet.ts"
import { MissedRings } from "../../src/upkeep/missed-rings.ts"
import { Retention } from "../../src/upkeep/retention.ts"
import { SizeLimit } from "../../src/upkeep/size-limit.ts"

/** Stands for all that the services need; here it only matters when their turns come. */
const any: never = new Proxy({}, { get: () => () => Number.NaN }) as never

test.each<[name: string, ms: number, service: Repeating]>([
  ["RescueAndStall", 900, new RescueAndStall(any, any, any)],
  ["DatabaseCheck", 900, new DatabaseCheck(any, any, any)],
  ["Descriptors", 900, new Descriptors(any, any)],
  ["EventLoop", 900, new EventLoop(any, any)],
  ["Ballast", 900, new Ballast(any)],
  ["SizeLimit", 1800, new SizeLimit(any, any, any, any)],
  ["Fleet", 2000, new Fleet(any, any)],
  ["MissedRings", 5400, new MissedRings(any, any)],
  ["DiskLowWarning", 9900, new DiskLowWarning(any, any)],
  ["Backups", 60_000, new Backups(any)],
  ["Compaction", 60_000, new Compaction(any)],
  ["Retention", 60_000, new Retention(any, any, any, any)],
])("%s takes a turn every %d ms, and none before", async (_name, ms, service) => {
  let nowMs = 0
  let ring = (): void => undefined
  using _clock = spyOn(performance, "now").mockImplementation(() => nowMs)
  using _timer = spyOn(globalThis, "setTimeout").mockImplementation(
    ((run: () => void) => (ring = run)) as never,
  )
  using turn = spyOn(service, "turn").mockImplementation(() => undefined)
  const turnsAt = (atMs: number): number => {
    nowMs = atMs
    ring()
    return turn.mock.calls.length
  }
  await Repeating.prototype.start.call(service)
  expect([turnsAt(ms - 1), turnsAt(ms)]).toEqual([0, 1])
  await new Promise(setImmediate)
  expect([turnsAt(2 * ms - 1), turnsAt(2 * ms)]).toEqual([1, 2])
  await service.stop()
})
