import { expect, setDefaultTimeout, test } from "bun:test"

import type { Claimed } from "../../src/client/client.ts"
import { start } from "../server.ts"
import { attempt, claim } from "../worker.ts"

setDefaultTimeout(180_000)

test("serve --one-per-song gives a waiting worker the next item of a song when the one before has ended", async () => {
  await using server = await start({ args: ["--one-per-song"] })
  const [first, second] = [await server.add({ song_id: 7 }), await server.add({ song_id: 7 })]
  const claimed = (wait: number): Promise<Response> =>
    server.api("POST", "/queue/claim", { worker: "box", wait })
  const held: Claimed = await (await claimed(0)).json()
  expect(held.item.id).toBe(first)
  expect((await claimed(0)).status).toBe(204)
  const waiting = claimed(20)
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

test("with serve --one-per-song an item is forecast to start when the one of its song has ended", async () => {
  await using server = await start({ args: ["--one-per-song"] })
  await (await attempt(server, { kind: "song", totals: { seconds: 1 } })).say("complete")
  const add = (song_id: number, seconds: number): Promise<number> =>
    server.add({ song_id, kind: "song", totals: { seconds } })
  await add(7, 1e6)
  const long = await claim(server, { worker: "a", lease: 600 })
  const [next] = [await add(7, 1), await add(8, 1)]
  await claim(server, { worker: "b", lease: 600 })
  // An item that was started by PUT, without a worker, keeps none of its song waiting.
  const started = await server.add({ song_id: 9 })
  await server.api("PUT", `/queue/${started}`, { status: "processing" })
  const free = await add(9, 1)
  const { forecast }: { forecast: { id: number; starts_in_seconds: number }[] } = await (
    await server.api("GET", "/queue/forecast")
  ).json()
  expect(forecast.map(({ id }) => id)).toEqual([free, next])
  const [, last] = forecast
  expect(last?.starts_in_seconds).toBeGreaterThan(0.9 * (long?.item.eta_seconds ?? Infinity))
  expect(long?.item.eta_seconds).toBeGreaterThan(100)
})
