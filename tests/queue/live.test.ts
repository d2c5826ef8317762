import { expect, setDefaultTimeout, test } from "bun:test"

import { type Attempt, histories } from "../item/estimate/histories.ts"
import { median, type Score, scoreOf } from "../item/estimate/replay.ts"
import { ClockedServer } from "./clocked.ts"

setDefaultTimeout(180_000)

/** How many times as fast the renders are replayed. */
const SPEED = 10
const RENDERS = 8

/** Replays a real render to the server, and checks the answer to each of its reports. */
async function played(server: ClockedServer, { worker, seconds, reports }: Attempt): Promise<Score> {
  const { id } = await server.ask("POST", "/queue", { song_id: 1 })
  const { lease } = await server.ask("POST", "/queue/claim", { worker, id })
  const startedAt = server.seconds
  const said = []
  for (const { at, progress, ...sign } of reports) {
    server.seconds = startedAt + at / SPEED
    const media = sign.media && { media: { fps: null, speed: null, ...sign.media } }
    const report = { ...sign, ...media, ...(progress !== undefined && progress < 99 && { progress }) }
    const { item } = await server.ask("POST", `/queue/${id}/progress`, report, lease?.token)
    const { time_progress = null, eta_seconds = null, eta_low_seconds, eta_high_seconds } = item ?? {}
    if (time_progress === null || eta_seconds === null) continue
    const band = { low: eta_low_seconds ?? Number.NaN, high: eta_high_seconds ?? Number.NaN }
    said.push({ at: at / SPEED, left: eta_seconds, ...band })
    expect(time_progress).toBeLessThan(100)
  }
  server.seconds = startedAt + seconds / SPEED
  await server.ask("POST", `/queue/${id}/complete`, {}, lease?.token)
  return scoreOf(seconds / SPEED, said)
}

test.concurrent.each(["song", "inner"])(
  "from the second render on the bar is at most 5 points off on average in each one: %s",
  async (kind) => {
    await using server = await ClockedServer.start()
    const scores = []
    const attempts = (histories().get(kind) ?? []).slice(0, RENDERS)
    for (const attempt of attempts) scores.push(await played(server, attempt))
    const [, ...known] = scores
    expect(known).toHaveLength(RENDERS - 1)
    for (const { barMean } of known) expect(barMean).toBeLessThan(5)
    expect(median(known.flatMap(({ errors }) => errors))).toBeLessThan(15)
    const held = known.flatMap((score) => score.held)
    expect(held.filter(Boolean).length / held.length).toBeGreaterThan(0.85)
  },
)
