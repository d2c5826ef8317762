import { expect, setDefaultTimeout, test } from "bun:test"

import type { Claimed } from "../../src/client/client.ts"
import { start } from "../server.ts"

setDefaultTimeout(30_000)

test("serve --one-per-song gives a waiting worker the next item of a song when the one before has ended", async () => {
  await using server = await start({ args: ["--one-per-song"] })
  const [first, second] = [await server.add({ song_id: 7 }), await server.add({ song_id: 7 })]
  const claim = (wait: number): Promise<Response> =>
    server.api("POST", "/queue/claim", { worker: "box", wait })
  const held: Claimed = await (await claim(0)).json()
  expect(held.item.id).toBe(first)
  expect((await claim(0)).status).toBe(204)
  const waiting = claim(20)
  await server.api("POST", `/queue/${first}/complete`, {}, { lease: held.lease.token })
  const next: Claimed = await (await waiting).json()
  expect(next.item.id).toBe(second)
})

test("serve gives workers several items of one song unless configured otherwise", async () => {
  await using server = await start()
  for (let index = 0; index < 2; index += 1) await server.add({ song_id: 7 })
  for (let index = 0; index < 2; index += 1) {
    expect((await server.api("POST", "/queue/claim", { worker: "box" })).status).toBe(200)
  }
})
