import { expect, test } from "bun:test"

import { AppError } from "../../../src/errors.ts"
import type { RolledBack } from "../../../src/store/contract/store.ts"
import { Outages } from "../../../src/store/outages-extend-leases.ts"
import { withoutChange } from "../../../src/store/postgres/connections.ts"
import { GroupCommit, type GroupOptions } from "../../../src/store/postgres/group-commit.ts"
import { RolledBackCheck } from "../../../src/store/postgres/rolled-back-database.ts"
import { draft, START_MS } from "../../contracts/store.contract.ts"

test.each<[what: string, seen: number, lost: readonly number[], told: RolledBack["lost"]]>([
  ["what it has seen", 50, [10, 1_000_050], { from: 11, to: 50 }],
  ["nothing, if it has seen no more than is left", 5, [10, 1_000_010], null],
  ["what was lost before an earlier era", 40, [10, 1_000_050, 1_000_060, 2_000_060], { from: 11, to: 50 }],
  [
    "all up to the end of an era",
    1_000_050,
    [10, 1_000_050, 1_000_060, 2_000_060],
    { from: 11, to: 1_000_050 },
  ],
])("an instance tells of a database that went back, as lost: %s", (_what, seen, lost, told) => {
  const backs: RolledBack[] = []
  const check = new RolledBackCheck(0, (back) => backs.push(back))
  check.note(seen)
  const era = lost.at(-1) ?? 0
  check.begin({ era, lost: JSON.stringify(lost) })
  expect(backs).toEqual([{ idsBeginAbove: era, lost: told }])
  // It tells of each era once.
  check.begin({ era, lost: JSON.stringify(lost) })
  expect([backs.length, check.era]).toEqual([1, era])
})

test("an instance tells what was lost also if the new era begins below the one that it knows", () => {
  const backs: RolledBack[] = []
  const check = new RolledBackCheck(5_000_000, (back) => backs.push(back))
  check.note(2_500_000)
  check.begin({ era: 3_000_000, lost: "[10,3000000]" })
  expect(backs).toEqual([{ idsBeginAbove: 3_000_000, lost: { from: 11, to: 2_500_000 } }])
})

test("an error of a write that was not sent says that nothing was changed, and any other error stays as it is", () => {
  const away = new AppError("unavailable", "the database cannot be reached")
  expect(withoutChange(away)).toMatchObject({
    code: "unavailable",
    message: "the database cannot be reached; nothing was changed",
  })
  const refused = new AppError("illegal_move", "no")
  expect(withoutChange(refused)).toBe(refused)
})

test("a group is sent with the era in which its reads began, although the database goes back while it reads", async () => {
  const era = 1_000_010
  const backCheck = new RolledBackCheck(0, () => undefined)
  const sent: unknown[] = []
  const options: unknown = {
    link: {
      patiently: (work: () => Promise<unknown>) => work(),
      async ask(statement: string) {
        if (!statement.includes("nextval")) return []
        backCheck.begin({ era, lost: "[]" })
        return [{ id: 7 }]
      },
    },
    fence: {
      async send(parameters: readonly unknown[]) {
        sent.push(...parameters)
        return new Set([7])
      },
    },
    backCheck,
    clock: { now: () => START_MS, steadyMs: () => START_MS },
    outages: new Outages(),
    measured: { now: () => START_MS },
    observed: {},
  }
  await new GroupCommit(options as GroupOptions).run({
    ids: [],
    look: (look) => look.forAdding(undefined),
    decide: (decisions) => decisions.add(() => draft(), undefined),
  })
  expect(backCheck.era).toBe(era)
  expect(sent).toContain(0)
  expect(sent).not.toContain(era)
})
