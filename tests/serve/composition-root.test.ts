import { expect, test } from "bun:test"

import { Glob } from "bun"

import { SERVE_SETTINGS } from "../../src/settings/settings.ts"
import { ClockedServer } from "../queue/clocked.ts"

test("each setting of serve is used where a server is put together", async () => {
  const sources = await Promise.all(
    [...new Glob("src/serve/*.ts").scanSync()].map((file) => Bun.file(file).text()),
  )
  const names = Object.keys(SERVE_SETTINGS).map((name) =>
    name.replace(/-([a-z])/g, (_match, letter: string) => letter.toUpperCase()),
  )
  // The linter refuses a name that is taken out of the configuration and not used.
  const isUsed = (name: string): boolean => {
    const use = new RegExp(
      String.raw`\bsettings\.${name}\b|\{[^{}]*\b${name}\b[^{}]*\}(?:: ServeSettings| = settings)\b`,
    )
    return sources.some((source) => use.test(source))
  }
  expect(names.filter((name) => !isUsed(name))).toEqual([])
})

test("claims of one client may wait with as many different sets of tags as the settings say", async () => {
  await using server = await ClockedServer.start({ "max-tag-sets": "1" })
  const claim = (tag: string): Promise<unknown> =>
    server.ask("POST", "/queue/claim", { worker: tag, tags: [tag], wait: 5 }).catch(String)
  // One of these waits until the server ends, so at least one of the other two is refused.
  const [, ...others] = ["cpu", "gpu", "tpu"].map(claim)
  expect(await Promise.race(others)).toContain("which is the limit")
})
