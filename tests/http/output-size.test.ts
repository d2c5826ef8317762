import { expect, test } from "bun:test"

import { start } from "../server.ts"
import { attempt } from "../worker.ts"

test("as much of the output is kept as the setting says, in units of 1,024 bytes", async () => {
  await using server = await start({ args: ["--keep-output-kb", "1"] })
  const { id, lease } = await attempt(server)
  const url = `${server.url}/api/v1/queue/${id}/output`
  const print = (body: string) => fetch(url, { method: "POST", body, headers: { lease: lease.token } })
  const kept = async (): Promise<string> => (await fetch(url)).text()
  await print("first\n")
  await print(`${"x".repeat(1021)}\n`)
  expect(await kept()).toStartWith("first\nx")
  await print("last\n")
  expect(await kept()).toStartWith("[6 bytes are not kept]\nx")
}, 180_000)
