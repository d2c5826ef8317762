import { expect, setDefaultTimeout, test } from "bun:test"

import { figure, historyOf, memory, size } from "../proof.ts"
import { start, type TestServer } from "../server.ts"
import { SocketReader } from "../sockets.ts"

setDefaultTimeout(15 * 60_000)

const FROZEN_MS = size(2500, 10 * 60_000)
const STREAM = "/progress/stream"

/** Reads a stream to its `live`, and stops reading. */
async function frozen(server: TestServer, id: number): Promise<SocketReader> {
  const reader = await SocketReader.open(server.url, `${STREAM}/${id}`)
  await reader.first("live")
  reader.pause()
  return reader
}

/**
 * Reads the rest of a frozen stream, and resumes it if it was cut. Returns the event IDs, and whether it was
 * cut.
 */
async function thawed(server: TestServer, id: number, reader: SocketReader, last: number) {
  reader.resume()
  const isCut = await Promise.race([
    reader.ended.then(() => true),
    reader
      .until(({ updates }) => updates.at(-1)?.id === last)
      .then(
        () => false,
        () => true,
      ),
  ])
  const ids = reader.updates.map((update) => update.id)
  if (isCut) {
    const lastEventId = String(reader.seen.findLast((one) => one.id !== undefined)?.id)
    const again = await SocketReader.open(server.url, `${STREAM}/${id}`, {
      headers: { "last-event-id": lastEventId },
    })
    await again.until(({ updates }) => updates.at(-1)?.id === last || ids.at(-1) === last)
    expect(again.seen.filter(({ event }) => event === "gap")).toEqual([])
    ids.push(...again.updates.map((update) => update.id))
    again.leave()
  }
  reader.leave()
  return { ids, isCut }
}

test("a reader that is frozen for long sees every update once when it reads on, and costs nothing meanwhile", async () => {
  // Everything is kept that a reader may come back for.
  await using server = await start({ args: ["--retain-per-item", "0"] })
  const [quiet, busy] = [await server.add(), await server.add()]
  const patient = await SocketReader.open(server.url, `${STREAM}/${busy}`)
  const readers = [await frozen(server, quiet), await frozen(server, busy)] as const
  const startedMs = performance.now()
  // Much more than a socket holds, in a fifth of the time. Then only a little, so that a new stream is not
  // cut.
  const message = "x".repeat(15_000)
  const quietEveryMs = FROZEN_MS / 5
  let quietMs = 0
  let warmMb = 0
  let mostMb = 0
  let updates = 0
  while (performance.now() - startedMs < FROZEN_MS) {
    const passedMs = performance.now() - startedMs
    await server.put(busy, { message })
    updates += 1
    if (passedMs >= quietMs) {
      await server.put(quiet, { message: `at ${Math.round(passedMs / 1000)} s` })
      quietMs += quietEveryMs
    }
    const megabytes = memory(server)
    if (passedMs < FROZEN_MS / 5) warmMb = Math.max(warmMb, megabytes)
    mostMb = Math.max(mostMb, megabytes)
    await Bun.sleep(size(1, 50))
  }
  const results = []
  for (const [index, id] of [quiet, busy].entries()) {
    const kept = (await historyOf(server, id)).map((update) => update.id)
    const reader = readers[index]
    if (!reader) throw new Error("no reader")
    const { ids, isCut } = await thawed(server, id, reader, kept.at(-1) ?? 0)
    expect(ids).toEqual(kept)
    results.push({ isCut, seen: ids.length })
  }
  await patient.until((one) => one.updates.length === updates + 1)
  patient.leave()
  figure(
    `two readers frozen for ${Math.round(FROZEN_MS / 1000)} s: ` +
      `${results.map(({ seen, isCut }) => `${seen} updates, each once${isCut ? ", after it was cut" : ""}`).join("; ")}; ` +
      `memory at most ${warmMb.toFixed(0)} MB in the first fifth and ${mostMb.toFixed(0)} MB at all`,
  )
  expect(mostMb - warmMb).toBeLessThan(size(80, 30))
})
