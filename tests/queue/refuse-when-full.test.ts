import { expect, test } from "bun:test"

import { AppError } from "../../src/errors.ts"
import { RefuseWhenFull } from "../../src/queue/refuse-when-full.ts"

/** What a check refuses, with its code. */
function refusal(check: () => void): string {
  try {
    check()
    return "nothing"
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    return `${error.code}: ${error.message.split(" --")[0]?.split(";")[0]}`
  }
}

const DISK = "unavailable: the disk of the database is full"
const FULL = "unavailable: the database is as large as"
const LARGER = "unavailable: the database is a tenth larger than"

test.each<[state: Partial<RefuseWhenFull>, add: string, claim: string, take: string]>([
  [{}, "nothing", "nothing", "nothing"],
  [{ isFull: true }, FULL, "nothing", "nothing"],
  [{ isFull: true, isFarTooLarge: true }, FULL, LARGER, LARGER],
  [{ isDiskFull: true }, DISK, DISK, "nothing"],
  [{ isDiskFull: true, isFull: true, isFarTooLarge: true }, DISK, DISK, LARGER],
])(
  "with %j an add, a claim and the claim of a number are refused for the reason that counts",
  (state, add, claim, take) => {
    const room = Object.assign(new RefuseWhenFull(), state)
    const checks = [() => room.check(), () => room.checkClaim(), () => room.checkTake()]
    expect(checks.map(refusal)).toEqual([add, claim, take])
  },
)
