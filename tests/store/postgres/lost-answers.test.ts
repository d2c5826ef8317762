import { expect, test } from "bun:test"

import { APPEND } from "../../../src/store/postgres/append-statement.ts"
import type { PostgresConnections } from "../../../src/store/postgres/connections.ts"
import { DatabaseClock } from "../../../src/store/postgres/database-clock.ts"
import { DoubleWriteFence } from "../../../src/store/postgres/double-write-fence.ts"
import { LateError } from "../../../src/store/postgres/faults.ts"
import { RolledBackCheck } from "../../../src/store/postgres/rolled-back-database.ts"

/** A note of a group, as the database stores it. */
interface Note {
  readonly no: number
  readonly kept: string
}

/** An instance on a database that the test plays. `append` answers each group that is sent; `notes` are what it finds. */
function played(
  append: (sent: number) => { readonly me: number; readonly kept: string },
  notes: readonly Note[] = [],
) {
  const asked = {
    groups: 0,
    entries: 0,
    marks: [] as unknown[],
    forgotten: [] as unknown[],
    transactions: [] as string[],
  }
  const ask = async (text: string, parameters: readonly unknown[] = []): Promise<unknown[]> => {
    if (text === APPEND) return [{ ...append((asked.groups += 1)), head: 0, now: 0 }]
    if (text === "BEGIN" || text === "ROLLBACK") asked.transactions.push(text)
    if (text.startsWith("SELECT no")) return notes.filter(({ no }) => parameters.slice(1).includes(no))
    if (text.startsWith("DELETE FROM groups")) asked.forgotten.push(parameters[1])
    if (!text.includes("INSERT INTO instances")) return []
    asked.marks.push(parameters[2])
    return [{ epoch: (asked.entries += 1), era: 0, lost: "[0,0]" }]
  }
  const link: unknown = {
    ask,
    // Once an answer is lost, the work is done again.
    async patiently(work: () => Promise<unknown>) {
      try {
        return await work()
      } catch (error) {
        if (!(error instanceof LateError)) throw error
        return await work()
      }
    },
  }
  const ignore = (): void => undefined
  const fence = new DoubleWriteFence(
    link as PostgresConnections,
    new RolledBackCheck(0, ignore),
    new DatabaseClock(ignore),
  )
  return { asked, fence, send: () => fence.send([], 0, 0) }
}

/** The answer to the first group comes, and that to the second is lost. */
const secondIsLost = (sent: number): { readonly me: number; readonly kept: string } => {
  if (sent === 2) throw new LateError("no answer in time")
  return { me: 1, kept: `[${sent}]` }
}

test("a group whose answer was lost is not sent again if its note is there, and what that says was stored", async () => {
  const { send, asked } = played(secondIsLost, [
    { no: 1, kept: "[1]" },
    { no: 2, kept: "[7,8]" },
  ])
  expect(await send()).toEqual(new Set([1]))
  expect(await send()).toEqual(new Set([7, 8]))
  expect(asked).toMatchObject({ groups: 2, entries: 2 })
  // The next one is sent without entering again.
  expect(await send()).toEqual(new Set([3]))
  expect(asked).toMatchObject({ groups: 3, entries: 2, marks: [0, null] })
})

test("a group whose answer was lost is sent again if only the note of the group before is there", async () => {
  const { send, asked } = played(secondIsLost, [{ no: 1, kept: "[1]" }])
  await send()
  expect(await send()).toEqual(new Set([3]))
  expect(asked).toMatchObject({ groups: 3, entries: 2 })
})

test("a group whose answer was lost is not sent again without any note, because nobody knows whether it was stored", async () => {
  const { send, asked } = played(secondIsLost)
  await send()
  await expect(send()).rejects.toThrow("it is not known whether this change was stored")
  expect(asked.groups).toBe(2)
})

test("an instance that was shut out enters again, and what it has sent must be decided again", async () => {
  const { send, asked } = played((sent) => ({ me: sent === 2 ? 0 : 1, kept: `[${sent}]` }))
  await send()
  expect(await send()).toEqual(new Set())
  // It makes a note of its own in place of the one that may be gone.
  expect(asked).toMatchObject({ groups: 2, entries: 2, marks: [0, 1] })
  expect(await send()).toEqual(new Set([3]))
  expect(asked.entries).toBe(2)
})

test("the notes of earlier groups are removed after each five hundred", async () => {
  const { send, asked } = played(() => ({ me: 1, kept: "[]" }))
  for (let group = 0; group < 1001; group += 1) await send()
  expect(asked.forgotten).toEqual([500, 1000])
})

test("a transaction that is begun again, because its first read failed, is rolled back before, and once", async () => {
  const { asked, fence } = played(secondIsLost)
  await fence.begin()
  await fence.begin()
  await fence.rollBack()
  await fence.rollBack()
  expect(asked.transactions).toEqual(["BEGIN", "ROLLBACK", "BEGIN", "ROLLBACK"])
})

test("an instance that is shut out after an answer was lost notes its group before it decides again", async () => {
  const { send, asked } = played(
    (sent) => (sent === 3 ? { me: 0, kept: "[]" } : secondIsLost(sent)),
    [{ no: 1, kept: "[1]" }],
  )
  await send()
  expect(await send()).toEqual(new Set())
  expect(asked.marks).toEqual([0, null, 1])
})
