import { expect, test } from "bun:test"

import { type Client, ServerError } from "../../src/client/client.ts"
import { OutputSender } from "../../src/runner/output-sender.ts"

const HELD = { id: 7, token: "t" }

/** A sender whose server answers the prints with these errors, one after the other, and takes what follows. */
function sender(...errors: ServerError[]): { readonly one: OutputSender; readonly printed: string[] } {
  const printed: string[] = []
  const client: unknown = {
    print: async (_held: object, bytes: Uint8Array) => {
      const error = errors.shift()
      if (error) throw error
      printed.push(new TextDecoder().decode(bytes))
      return { attempt: 1, end: bytes.length }
    },
  }
  const one = new OutputSender(client as Client, new AbortController().signal, () => false)
  one.push(new TextEncoder().encode("the last\n"), 1)
  return { one, printed }
}

test("the last output is kept while the server is away, and sent once it is back", async () => {
  const { one, printed } = sender(new ServerError(0, "away"))
  await expect(one.finish(HELD)).rejects.toThrow("away")
  await one.finish(HELD)
  expect(printed).toEqual(["the last\n"])
})

test("the last output keeps no result from a server that refuses the output", async () => {
  const { one, printed } = sender(new ServerError(404, "no such route", { code: "not_found" }))
  await one.finish(HELD)
  expect(printed).toEqual([])
})
