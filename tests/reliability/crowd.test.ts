import { expect, setDefaultTimeout, test } from "bun:test"

import { compile, Readers } from "../bench/load.ts"
import { Target } from "../bench/processes.ts"
import { descriptors, figure, memory, size } from "../proof.ts"
import { start } from "../server.ts"

setDefaultTimeout(15 * 60_000)

const STREAMS = size(300, 10_000)
const LASTS_MS = size(2000, 10 * 60_000)
const EVERY_MS = 500

const complaint = Bun.which("gcc") && Bun.which("taskset") ? compile() : "no gcc or taskset"
if (complaint !== undefined) console.warn(`skipped: the load client needs ${complaint}`)

test.skipIf(complaint !== undefined)(
  "very many streams all get every update once and in order, for a long time, at the same cost",
  async () => {
    await using server = await start({ args: ["--streams-per-client", "0"] })
    const id = await server.add()
    const target = new Target(
      "crowd",
      Number(new URL(server.url).port),
      {
        stream: { path: "/api/v1/progress/stream", live: true },
        write: { method: "PUT", path: `/api/v1/queue/${id}`, body: "{}" },
      },
      [],
    )
    const emptyMb = memory(server)
    const limitSeconds = LASTS_MS / 1000 + 60
    const readers = await Readers.open(target, { count: STREAMS, quietMs: 1000, limitSeconds })
    const costs: { megabytes: number; descriptors: number }[] = []
    const startedMs = performance.now()
    let updates = 0
    while (performance.now() - startedMs < LASTS_MS) {
      // The load client reads the time at which an update was sent from its message.
      await server.put(id, {
        message: `ts=${Math.round((performance.timeOrigin + performance.now()) * 1000)}`,
      })
      updates += 1
      costs.push({ megabytes: memory(server), descriptors: descriptors(server) })
      await Bun.sleep(EVERY_MS)
    }
    const { live, lost, events, holes, disorder, min, max, lat_us } = await readers.finish()
    const quarter = Math.ceil(costs.length / 4)
    const [early, late] = [costs.slice(quarter, 2 * quarter), costs.slice(-quarter)].map((some) => ({
      megabytes: Math.max(...some.map(({ megabytes }) => megabytes)),
      descriptors: Math.max(...some.map((one) => one.descriptors)),
    }))
    figure(
      `${STREAMS} streams for ${Math.round(LASTS_MS / 1000)} s, ${updates} updates, ${events} deliveries: ` +
        `${live} open at the end, ${holes} holes, ${disorder} out of order; ` +
        `p50 ${(lat_us.p50 / 1000).toFixed(0)} ms, p99 ${(lat_us.p99 / 1000).toFixed(0)} ms, ` +
        `at most ${(lat_us.max / 1000).toFixed(0)} ms; ${emptyMb.toFixed(0)} MB before, ` +
        `${early?.megabytes.toFixed(0)} then ${late?.megabytes.toFixed(0)} MB with them, ` +
        `${early?.descriptors} then ${late?.descriptors} descriptors`,
    )
    expect({ live, lost, holes, disorder, min, max }).toEqual({
      live: STREAMS,
      lost: 0,
      holes: 0,
      disorder: 0,
      min: updates,
      max: updates,
    })
    expect(late?.descriptors ?? Infinity).toBeLessThan((early?.descriptors ?? 0) + 20)
    expect(late?.megabytes ?? Infinity).toBeLessThan((early?.megabytes ?? 0) + 30)
    await server.connectedClients(0)
  },
)
