import { expect, spyOn, test } from "bun:test"

import { RedisClient } from "bun"

import { LocalBus } from "../../src/bus/bus.ts"
import { Reasons } from "../../src/degraded-reasons.ts"
import { openBus } from "../../src/serve/open-bus.ts"
import { serveSettings } from "../../src/settings/read-settings.ts"

test("a bell that cannot be reached makes the server degraded, until one is heard", async () => {
  let isAway = true
  let hear = (_words: string, _channel: string): void => undefined
  using _close = spyOn(RedisClient.prototype, "close").mockImplementation(() => undefined)
  using _connect = spyOn(RedisClient.prototype, "connect").mockImplementation(async () => {
    if (isAway) throw new Error("no network")
  })
  using subscribed = spyOn(RedisClient.prototype, "subscribe").mockImplementation(
    (async (_channel: string, heard: typeof hear) => void (hear = heard)) as never,
  )
  using _publish = spyOn(RedisClient.prototype, "publish").mockImplementation(
    (async (channel: string, words: string) => void hear(words, channel)) as never,
  )
  const held = Promise.withResolvers<void>()
  const over = Promise.withResolvers<void>()
  const reasons = new Reasons((_reason, holds) => (holds ? held : over).resolve())
  const settings = serveSettings({ bus: "redis://127.0.0.1:1" }, {})
  const { bus, services, shared } = await openBus(settings, "0123456789abcdef-and-more", reasons)
  for (const service of services) await service.start()
  await held.promise
  expect(reasons.held).toMatchObject([{ reason: "bell_lost", detail: expect.stringContaining("no network") }])
  isAway = false
  await over.promise
  expect(reasons.current).toEqual([])
  expect(String(subscribed.mock.calls[0]?.[0])).toBe("track_studio_0123456789abcdef")
  expect([bus instanceof LocalBus, services.length, shared !== undefined]).toEqual([true, 2, true])
  for (const service of services) await service.stop()
})

test("a server that is alone on its database rings within its process", async () => {
  const { bus, services, shared } = await openBus(serveSettings({}, {}), "one", new Reasons())
  expect([bus, services, shared]).toEqual([new LocalBus(), [], undefined])
})
