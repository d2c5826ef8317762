import { expect, test } from "bun:test"
import { join } from "node:path"

import { eventually, figure, historyOf, type Kept, memory, quantile, size, sockets, write } from "./proof.ts"
import { start, temporaryFolder, type TestServer } from "./server.ts"
import { SocketReader } from "./sockets.ts"

const STREAM = "/progress/stream"
const MINUTE_MS = 60_000

const addItems = (server: TestServer, count: number): Promise<number[]> =>
  Promise.all(Array.from({ length: count }, () => server.add()))

/** Opens streams over sockets, a few at a time. */
async function openAll(server: TestServer, paths: readonly string[]): Promise<SocketReader[]> {
  const readers: SocketReader[] = []
  for (let at = 0; at < paths.length; at += 50) {
    const some = paths.slice(at, at + 50).map((path) => SocketReader.open(server.url, path))
    readers.push(...(await Promise.all(some)))
  }
  return readers
}

const from1 = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1)

test(
  "streams opened at random moments see every update after their live, in order, none twice",
  async () => {
    await using server = await start()
    const items = await addItems(server, 10)
    const count = size(500, 2000)
    const streams = size(60, 200)
    const moments = new Map<number, number[]>()
    for (let stream = 0; stream < streams * 1.5; stream += 1) {
      const moment = Math.floor(Math.random() * count)
      moments.set(moment, [...(moments.get(moment) ?? []), stream])
    }
    const opening: Promise<{ reader: SocketReader; item: number | undefined }>[] = []
    const before = (index: number): void => {
      for (const stream of moments.get(index) ?? []) {
        // Two of three watch everything, and the third one watches one item.
        const item = stream < streams ? undefined : items[stream % items.length]
        const path = item === undefined ? STREAM : `${STREAM}/${item}`
        opening.push(SocketReader.open(server.url, path).then((reader) => ({ reader, item })))
      }
    }
    await write(server, items, { count, before })
    const histories = await Promise.all(
      items.map(async (item) => [item, await historyOf(server, item)] as const),
    )
    const ofItem = new Map(histories.map(([item, kept]) => [item, kept.map(({ id }) => id)]))
    const all = histories.flatMap(([, kept]) => kept.map(({ id }) => id)).sort((a, b) => a - b)
    expect(all).toEqual(from1(items.length + count))
    const lives = new Set<number>()
    for (const { reader, item } of await Promise.all(opening)) {
      const wanted = item === undefined ? all : (ofItem.get(item) ?? [])
      const { id: live = -1 } = await reader.first("live")
      lives.add(live)
      const expected = wanted.filter((id) => id > live)
      await reader.until(({ updates }) => expected.length === 0 || updates.at(-1)?.id === expected.at(-1))
      const at = reader.seen.findIndex(({ event }) => event === "live")
      expect(reader.seen.slice(at + 1).map(({ id }) => id)).toEqual(expected)
      // The snapshot is the state at `live`: the latest update of each item up to that event ID.
      const state = (item === undefined ? items : [item]).map(
        (one) => ofItem.get(one)?.findLast((id) => id <= live) ?? 0,
      )
      expect(reader.seen.slice(0, at).map(({ id }) => id)).toEqual(state.sort((a, b) => a - b))
      reader.leave()
    }
    figure(
      `${streams} streams of all items and ${opening.length - streams} of one, opened at ${lives.size} places of ` +
        `${count} updates: each saw the state there, then every update once, in order`,
    )
  },
  5 * MINUTE_MS,
)

test(
  "kill -9 under writes loses no acknowledged update, and a reader that comes back sees each exactly once",
  async () => {
    using folder = temporaryFolder()
    const database = join(folder.path, "killed.db")
    const rounds = size(4, 1000)
    // Otherwise the oldest of these many updates would be removed.
    const args = ["--retain-per-item", "0"]
    const acknowledged: string[] = []
    const seen: (number | undefined)[] = []
    let items: number[] = []
    let lastEventId = "0"
    let unacknowledged = 0
    for (let round = 0; round < rounds; round += 1) {
      await using server = await start({ database, args })
      if (round === 0) items = await addItems(server, 4)
      const reader = await SocketReader.open(server.url, STREAM, {
        headers: { "last-event-id": lastEventId },
      })
      const writer = async (name: number): Promise<void> => {
        for (let i = 0; ; i += 1) {
          const message = `${round}-${name}-${i}`
          const answered = await server.api("PUT", `/queue/${items[name % items.length]}`, { message }).then(
            ({ ok }) => ok,
            () => false,
          )
          if (!answered) return
          acknowledged.push(message)
        }
      }
      const before = acknowledged.length
      const writing = Promise.all(Array.from({ length: 8 }, (_, name) => writer(name)))
      await reader.until(({ bytes }) => bytes > 0)
      // On a busy disk the first writes take longer than the sleep.
      await eventually(() => acknowledged.length > before)
      // This is the moment of the kill, and no wait for a state.
      await Bun.sleep(Math.random() * 250)
      await server.end("SIGKILL")
      await Promise.all([writing, reader.ended])
      seen.push(...reader.updates.map(({ id }) => id))
      lastEventId = String(reader.seen.findLast(({ id }) => id !== undefined)?.id ?? lastEventId)
    }
    await using server = await start({ database, args })
    const reader = await SocketReader.open(server.url, STREAM, { headers: { "last-event-id": lastEventId } })
    await reader.first("live")
    seen.push(...reader.updates.map(({ id }) => id))
    reader.leave()
    const histories: Kept[][] = await Promise.all(items.map((item) => historyOf(server, item)))
    const kept = histories.flat().filter(({ message }) => /^\d+-\d+-\d+$/.test(message))
    const times = Map.groupBy(kept, ({ message }) => message)
    expect(acknowledged.filter((message) => times.get(message)?.length !== 1)).toEqual([])
    unacknowledged = kept.length - acknowledged.length
    expect(seen).toEqual(from1(items.length + kept.length))
    expect(acknowledged.length).toBeGreaterThanOrEqual(rounds)
    figure(
      `${rounds} times kill -9: ${acknowledged.length} acknowledged updates, all in the history (and ` +
        `${unacknowledged} stored whose answer was lost); the reader saw ${seen.length} updates, each once`,
    )
  },
  20 * MINUTE_MS,
)

test(
  "readers that never read cost bounded memory, and healthy readers get everything",
  async () => {
    await using server = await start()
    const items = await addItems(server, 10)
    const message = "x".repeat(size(15_700, 3_000))
    const perMegabyte = Math.ceil(1_000_000 / (message.length + 250))
    const stopped = await openAll(
      server,
      Array.from({ length: 20 }, () => `${STREAM}?snapshot=false`),
    )
    await Promise.all(stopped.map((reader) => reader.first("live")))
    for (const reader of stopped) reader.pause()
    const healthy = await openAll(server, [STREAM, STREAM, STREAM])
    await Promise.all(healthy.map((reader) => reader.first("live")))
    let most = 0
    const sampling = setInterval(() => (most = Math.max(most, memory(server))), 50)
    // After this much, the sockets of readers that never read are full. The highest value so far is compared,
    // because the memory at one moment may be measured just after a garbage collection.
    await write(server, items, { count: 30 * perMegabyte, message })
    const warm = most
    const megabytes = size(30, 60)
    await write(server, items, { count: megabytes * perMegabyte, message })
    const last = items.length + (30 + megabytes) * perMegabyte
    await Promise.all(healthy.map((reader) => reader.until(({ seen }) => seen.at(-1)?.id === last)))
    clearInterval(sampling)
    const stats: { connected_clients: number } = await (await server.api("GET", "/progress/stats")).json()
    // A reader that has not read for a minute is cut, and on a busy machine writing takes longer than that.
    const open = stats.connected_clients - healthy.length
    for (const { updates } of healthy) expect(updates.map(({ id }) => id)).toEqual(from1(last))
    expect(Math.max(...stopped.map(({ bytes }) => bytes))).toBeLessThan(1_000_000)
    figure(
      `20 readers that never read, ${open} of them open at the end, ${megabytes} MB of updates (${megabytes * perMegabyte}): ${warm.toFixed(1)} MB ` +
        `after the warm-up, at most ${most.toFixed(1)} MB (${(most - warm).toFixed(1)} more); 3 healthy readers got all ${last}`,
    )
    expect(most - warm).toBeLessThan(30)
  },
  10 * MINUTE_MS,
)

test(
  "a stream without traffic stays open",
  async () => {
    // This is the default and also the maximum: it must stay below the time after which a silent socket is
    // cut.
    const long = [15_000, 52_000].map((ms) => ({ ms, openMs: 5 * MINUTE_MS + 5000 }))
    const forms = size(0, 1) === 1 ? long : [{ ms: 40, openMs: 1000 }]
    await Promise.all(
      forms.map(async ({ ms, openMs }) => {
        await using server = await start({ args: ["--keepalive-ms", String(ms)] })
        const id = await server.add()
        const [all, one] = await openAll(server, [STREAM, `${STREAM}/${id}`])
        const startedMs = performance.now()
        const readers = [all, one].filter((reader) => reader !== undefined)
        const wanted = Math.floor(openMs / (ms + 1100))
        await Promise.all(
          readers.map((reader) =>
            reader.until(({ comments }) => comments > wanted && performance.now() - startedMs >= openMs),
          ),
        )
        await server.put(id, { message: "at last" })
        await Promise.all(readers.map((reader) => reader.until(({ updates }) => updates.length === 2)))
        const seconds = ((performance.now() - startedMs) / 1000).toFixed(1)
        figure(
          `a keepalive every ${ms} ms: two silent streams open after ${seconds} s, with ` +
            `${readers.map(({ comments }) => comments - 1).join(" and ")} keepalives`,
        )
        for (const reader of readers) reader.leave()
      }),
    )
  },
  10 * MINUTE_MS,
)

test(
  "clients that connect and leave, again and again, leave no stream, socket or timer behind",
  async () => {
    await using server = await start()
    const id = await server.add()
    const cycles = size(200, 1000)
    const cycle = async (i: number): Promise<void> => {
      const reader = await SocketReader.open(server.url, i % 2 === 0 ? STREAM : `${STREAM}/${id}`)
      // Every fifth one leaves before a byte has come.
      if (i % 5 !== 0) await reader.first("live")
      if (i % 3 === 0) reader.reset()
      else reader.leave()
      await reader.ended
    }
    const run = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i += 20)
        await Promise.all(Array.from({ length: 20 }, (_, k) => cycle(i + k)))
      await server.connectedClients(0)
    }
    await run(100)
    const [open, megabytes] = [sockets(server), memory(server)]
    await run(cycles)
    await eventually(() => sockets(server) <= open)
    const grown = memory(server) - megabytes
    const startedMs = performance.now()
    // A remaining timer or stream would keep the process alive.
    expect(await server.end()).toBe(0)
    const endMs = performance.now() - startedMs
    figure(
      `${cycles} times connected and left: 0 streams, ${open} sockets as before, memory ` +
        `${grown < 0 ? "" : "+"}${grown.toFixed(1)} MB; then stopped within ${endMs.toFixed(0)} ms`,
    )
    expect(grown).toBeLessThan(15)
    expect(endMs).toBeLessThan(size(6000, 850))
  },
  5 * MINUTE_MS,
)

test(
  "a client that goes away is gone from connected_clients within 100 ms, also on a silent stream",
  async () => {
    await using server = await start({ args: ["--keepalive-ms", "52000"] })
    const id = await server.add()
    await server.connectedClients(0)
    const took: number[] = []
    for (let i = 0; i < size(20, 100); i += 1) {
      const reader = await SocketReader.open(server.url, i % 2 === 0 ? STREAM : `${STREAM}/${id}`)
      await reader.first("live")
      await server.connectedClients(1)
      const startedMs = performance.now()
      if (i % 4 < 2) reader.leave()
      else reader.reset()
      await server.connectedClients(0)
      took.push(performance.now() - startedMs)
    }
    const median = quantile(took, 0.5)
    figure(
      `${took.length} clients gone from a silent stream: noticed after ${median.toFixed(1)} ms (median), ` +
        `${Math.max(...took).toFixed(1)} ms at most, the question itself included`,
    )
    // On a busy machine one answer may come late, but most of them may not.
    expect(quantile(took, size(0.5, 0.9))).toBeLessThan(100)
  },
  MINUTE_MS,
)

test(
  "SIGTERM with very many streams open: exit 0 within 2 s, and every reader sees a clean end",
  async () => {
    await using server = await start()
    const items = await addItems(server, 20)
    const streams = size(300, 1000)
    const paths = Array.from({ length: streams }, (_, i) =>
      i % 2 === 0 ? STREAM : `${STREAM}/${items[i % 20]}`,
    )
    const readers = await openAll(server, paths)
    await server.connectedClients(streams)
    const startedMs = performance.now()
    const code = await server.end()
    const endMs = performance.now() - startedMs
    const clean = (await Promise.all(readers.map(({ ended }) => ended))).filter(Boolean).length
    const told = readers.filter(({ seen }) => seen.at(-1)?.event === "shutdown").length
    figure(
      `SIGTERM with ${streams} streams open: exit ${code} after ${endMs.toFixed(0)} ms, ${clean} clean ends`,
    )
    expect({ code, clean, told }).toEqual({ code: 0, clean: streams, told: streams })
    expect(endMs).toBeLessThan(size(6000, 2000))
  },
  MINUTE_MS,
)
