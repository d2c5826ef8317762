import { expect, test } from "bun:test"

import { PROGRAM, start } from "../server.ts"
import { TestTerminal } from "../terminal.ts"

test("figures, kinds, an item and hints break between words where the terminal is narrow", async () => {
  await using server = await start()
  const env = { TRACK_STUDIO_SERVER: server.url }
  for (const [name, code] of [
    ["list", 0],
    ["workers", 0],
    ["tidy", 2],
  ] as const) {
    await using terminal = new TestTerminal([...PROGRAM, name], env, { columns: 40 })
    expect(await terminal.child.exited).toBe(code)
    await terminal.drawn()
    expect(terminal.raw.split("\r\n").filter((line) => line.length > 40)).toEqual([])
    expect(terminal.raw).toContain("\r\n")
  }
  const id = await server.add({ song_id: 7, title: "Northern Lights over a long road to the sea" })
  await server.put(id, { status: "processing" })
  const error = ["Traceback (most recent call last):", "MemoryError: no memory is left for the frame"]
  await server.put(id, { status: "failed", error_message: error.join("\n") })
  for (const args of [["stats"], ["kinds"], ["show", `${id}`]]) {
    await using terminal = new TestTerminal([...PROGRAM, ...args], env, { columns: 40 })
    expect(await terminal.child.exited).toBe(0)
    await terminal.drawn()
    // The terminal breaks longer lines in the middle of a word. An error stays as it was printed.
    const own = terminal.raw.split("\r\n").filter((line) => !error.some((one) => line.endsWith(one)))
    expect(own.length).toBeGreaterThan(2)
    expect(own.filter((line) => Bun.stringWidth(line) > 40 && !line.includes("http://"))).toEqual([])
  }
})
