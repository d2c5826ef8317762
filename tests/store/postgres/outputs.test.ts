import { expect, test } from "bun:test"

import { IDLE } from "../../../src/item/stored.ts"
import type { PostgresConnections } from "../../../src/store/postgres/connections.ts"
import type { itemReads } from "../../../src/store/postgres/group-reads.ts"
import { PostgresOutputs } from "../../../src/store/postgres/outputs.ts"
import { draft } from "../../contracts/store.contract.ts"

/** The item of the test, as it is read. */
const row = { id: 1, ...draft(), ...IDLE, attempt: 1, version: 1 }

/** Outputs on a database that the test plays: it refuses as many pieces as `others` has, which others store first. */
function played(others: readonly number[]) {
  const [ends, sent] = [[...others], [] as unknown[]]
  let end = 0
  const link: unknown = {
    patiently: (work: () => Promise<unknown>) => work(),
    async ask(text: string, parameters: readonly unknown[]): Promise<unknown[]> {
      if (!text.includes("INSERT INTO outputs")) return [{ until: end, printed: others.length - ends.length }]
      sent.push([parameters[3], parameters[7]])
      const other = ends.shift()
      if (other === undefined) return [{ n: 1 }]
      end = other
      return [{ n: 0 }]
    },
  }
  const reads: unknown = { byId: { execute: async () => [row] } }
  const outputs = new PostgresOutputs(link as PostgresConnections, reads as ReturnType<typeof itemReads>)
  const pieces = [
    { from: 0, to: 4, text: "one\n" },
    { from: 4, to: 8, text: "two\n" },
  ]
  return { sent, append: () => outputs.append(1, pieces, 1000, ({ item }) => item.attempt) }
}

test("output that is not stored, because another server has stored some first, is decided again and sent as it is needed then", async () => {
  const { append, sent } = played([0, 4])
  expect(await append()).toEqual({ attempt: 1, end: 8 })
  expect(sent).toEqual([
    [[4, 8], 0],
    [[4, 8], 1],
    [[8], 2],
  ])
})

test("output that another server has stored meanwhile is not sent again", async () => {
  const { append, sent } = played([8])
  expect(await append()).toEqual({ attempt: 1, end: 8 })
  expect(sent).toHaveLength(1)
})
