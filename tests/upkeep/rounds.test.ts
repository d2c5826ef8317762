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

/** Stands for all that the services need; here it only matters when their rounds come. */
const any: never = new Proxy({}, { get: () => () => Number.NaN }) as never

test.each<[name: string, seconds: number, service: Repeating]>([
  ["RescueAndStall", 1, new RescueAndStall(any, any, any)],
  ["DatabaseCheck", 1, new DatabaseCheck(any, any, any)],
  ["Descriptors", 1, new Descriptors(any, any)],
  ["EventLoop", 1, new EventLoop(any, any)],
  ["Ballast", 1, new Ballast(any)],
  ["SizeLimit", 2, new SizeLimit(any, any, any, any)],
  ["Fleet", 2, new Fleet(any, any)],
  ["MissedRings", 6, new MissedRings(any, any)],
  ["DiskLowWarning", 1, new DiskLowWarning(any, any)],
  ["Backups", 60, new Backups(any)],
  ["Compaction", 60, new Compaction(any)],
  ["Retention", 60, new Retention(any, any, any, any)],
])("%s takes its rounds every %d s, or up to a fifth sooner", async (_name, seconds, service) => {
  let nowMs = 0
  let ring = (): void => undefined
  using _clock = spyOn(performance, "now").mockImplementation(() => nowMs)
  using _timer = spyOn(globalThis, "setTimeout").mockImplementation(
    ((run: () => void) => (ring = run)) as never,
  )
  using round = spyOn(service, "round").mockImplementation(() => undefined)
  const roundsAfter = (times: number): number => {
    nowMs = times * seconds * 1000
    ring()
    return round.mock.calls.length
  }
  await Repeating.prototype.start.call(service)
  expect([roundsAfter(0.79), roundsAfter(1)]).toEqual([0, 1])
  await new Promise(setImmediate)
  expect([roundsAfter(1.59), roundsAfter(2)]).toEqual([1, 2])
  await service.stop()
})
