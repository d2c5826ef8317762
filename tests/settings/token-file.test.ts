import { expect, test } from "bun:test"
import { chmodSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"

import { setting } from "../../src/settings/read-settings.ts"
import { tokenIn, tokenInOrNew, valueIn } from "../../src/settings/token-file.ts"
import { temporaryFolder } from "../server.ts"

const TOKEN = `tsk_${"a".repeat(43)}`
const refused = (): string => {
  throw new Error("a file that holds a token needs no other")
}

test.each([0o644, 0o666])(
  "a token is written for its owner alone, also into an empty file of mode %o",
  (mode) => {
    using folder = temporaryFolder()
    const file = join(folder.path, "token")
    writeFileSync(file, "\n")
    chmodSync(file, mode)
    expect(tokenInOrNew(file, () => TOKEN)).toBe(TOKEN)
    expect([statSync(file).mode & 0o777, readFileSync(file, "utf8")]).toEqual([0o600, `${TOKEN}\n`])
    expect(tokenInOrNew(file, refused)).toBe(TOKEN)
  },
)

test("a setting is what its flag says, otherwise its variable, the file that a variable names, or the default", () => {
  using folder = temporaryFolder()
  const file = join(folder.path, "value")
  writeFileSync(file, "7003\n")
  const [own, named] = [{ TRACK_STUDIO_PORT: "7002" }, { TRACK_STUDIO_PORT_FILE: file }]
  expect(setting("port", { port: "7001" }, { ...own, ...named })).toBe(7001)
  expect(setting("port", {}, { ...own, ...named })).toBe(7002)
  expect(setting("port", {}, { ...own, TRACK_STUDIO_PORT_FILE: "/no/such/file" })).toBe(7002)
  expect(setting("port", {}, { TRACK_STUDIO_PORT: "", ...named })).toBe(7003)
  expect(setting("port", {}, { TRACK_STUDIO_PORT_FILE: "" })).toBe(8080)
  writeFileSync(file, "https://a.example/hook, https://b.example/hook\n")
  const urls = ["https://a.example/hook", "https://b.example/hook"]
  expect(setting("webhook", {}, { TRACK_STUDIO_WEBHOOK_FILE: file })).toEqual(urls)
})

test("an endless file is read only up to the length of a setting", () => {
  using folder = temporaryFolder()
  const file = join(folder.path, "token")
  writeFileSync(file, "")
  truncateSync(file, 1024 ** 4)
  for (const read of [tokenIn, valueIn, (path: string) => tokenInOrNew(path, refused)])
    expect(() => read(file)).toThrow(`the file ${file} has 64 KiB or more`)
})

test("no token is written to a path that is no file, and its mode is not changed", () => {
  // This file stands for /dev/null, which a test as root would make unusable for all others.
  using folder = temporaryFolder()
  const pipe = join(folder.path, "pipe")
  expect(Bun.spawnSync(["mkfifo", "-m", "666", pipe]).exitCode).toBe(0)
  const writer = Bun.spawn(["sh", "-c", ': > "$0"', pipe])
  expect(() => tokenInOrNew(pipe, refused)).toThrow(`the token file ${pipe} is not a file`)
  expect(statSync(pipe).mode & 0o777).toBe(0o666)
  writer.kill()
})

test("a pipe without a writer counts as empty, and if there is a writer its data is awaited", async () => {
  using folder = temporaryFolder()
  const pipe = join(folder.path, "pipe")
  expect(Bun.spawnSync(["mkfifo", pipe]).exitCode).toBe(0)
  expect(() => valueIn(pipe)).toThrow(`the file ${pipe} is empty`)
  const script = 'exec 3<> "$0"; echo ready; sleep 0.3; echo "$1" >&3; exec 3>&-'
  const writer = Bun.spawn(["sh", "-c", script, pipe, TOKEN], { stdout: "pipe" })
  await writer.stdout.getReader().read()
  expect(tokenIn(pipe)).toBe(TOKEN)
  await writer.exited
})
