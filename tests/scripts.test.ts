import { describe, expect, setDefaultTimeout, test } from "bun:test"

import { expectWholeRender, history, itemOf, nowhere, Script, seenIn } from "./script.ts"
import { start } from "./server.ts"

// A render takes its time on a busy machine, and the first one may have to install ffmpeg.
setDefaultTimeout(240_000)

const NAMES = ["test-sse.sh", "demo-sse.sh", "demo-render.sh", "demo-learned.sh"] as const

describe.each(NAMES)("%s", (name) => {
  test("explains itself", async () => {
    await using script = new Script(name, ["--help"], "")
    expect(await script.ended).toBe(0)
    expect(script.stdout).toStartWith(`scripts/${name} `)
    expect(script.stdout).toContain("TRACK_STUDIO_SERVER")
    expect(script.stderr).toBe("")
  })

  test("refuses an option it does not know, in one line", async () => {
    await using script = new Script(name, ["--wrong"], "")
    expect(await script.ended).toBe(2)
    expect(script.stderr).toMatch(/^.*there is no option --wrong.*\n$/)
  })

  test("says in one line that no server answers, and how to start one", async () => {
    const url = await nowhere()
    await using script = new Script(name, [], url)
    expect(await script.ended).toBe(1)
    const errors = script.stderr.split("\n").filter((line) => line.startsWith(name.slice(0, -3)))
    expect(errors).toHaveLength(1)
    expect(errors[0]).toContain(`no server answers at ${url}; start one with "dist/track-studio serve"`)
  })

  test.skipIf(Bun.which("shellcheck") === null)("passes shellcheck", async () => {
    const check = Bun.spawn(["shellcheck", `scripts/${name}`], { stdout: "inherit" })
    expect(await check.exited).toBe(0)
  })
})

describe("test-sse.sh", () => {
  test("shows all items byte for byte, and ends cleanly at Ctrl-C", async () => {
    await using server = await start()
    await using script = new Script("test-sse.sh", [], server.url)
    await script.until("event: live")
    expect(script.stderr).toContain(`Following all queue items at ${server.url}/api/v1/progress/stream `)
    const id = await server.add()
    await server.put(id, { status: "processing", current_step: "Testing", progress: 50 })
    await server.put(id, { status: "completed" })
    await script.until('"progress":100')
    expect(script.stdout).toMatch(/\nid: 2\ndata: \{"queue_id":1,.*"progress":50,.*\}\n\n/)
    script.child.kill("SIGINT")
    expect(await script.ended).toBe(0)
    await server.connectedClients(0)
  })

  test("shows one item alone, as text when asked", async () => {
    await using server = await start()
    const [other, watched] = [await server.add(), await server.add()]
    await using script = new Script("test-sse.sh", ["--format", "text", String(watched)], server.url)
    await script.until("# live")
    await server.put(other, { status: "processing", progress: 10 })
    await server.put(watched, { status: "processing", progress: 20 })
    await script.until("20%")
    expect(script.stdout).not.toContain(`#${other} `)
  })

  test("shows why the server refuses", async () => {
    await using server = await start()
    const id = await server.add()
    await server.api("DELETE", `/queue/${id}`)
    await using script = new Script("test-sse.sh", [String(id)], server.url)
    expect(await script.ended).toBe(1)
    expect(script.stdout).toContain(`queue item ${id} does not exist`)
  })

  test("says that the server ended the stream", async () => {
    await using server = await start()
    await using script = new Script("test-sse.sh", [], server.url)
    await script.until("event: live")
    await server.end()
    expect(await script.ended).toBe(0)
    expect(script.stdout).toContain("event: shutdown")
    expect(script.stderr).toEndWith("The server ended the stream.\n")
  })
})

describe("demo-sse.sh", () => {
  test("plays a render in its steps, and shows a viewer each of them", async () => {
    await using server = await start()
    await using script = new Script("demo-sse.sh", ["--pause", "0"], server.url)
    expect(await script.ended).toBe(0)
    const viewer = script.lines("viewer")
    expectWholeRender(seenIn(viewer))
    expect(viewer.at(-1)).toBe("# completed")
    expect(viewer.find((line) => line.includes("45%"))).toEndWith(
      "Generating background images - Creating image 3 of 5",
    )
    const updates = await history(server, 1)
    expect(seenIn(viewer)).toEqual(updates.map(({ status, progress }) => [status, progress]))
    expect([...new Set(updates.map(({ current_step }) => current_step))]).toEqual([
      "",
      "Analyzing audio",
      "Processing lyrics",
      "Generating background images",
      "Rendering video",
      "Finishing",
      "Done",
    ])
  })

  test("leaves no item in progress when it is interrupted", async () => {
    await using server = await start()
    await using script = new Script("demo-sse.sh", ["--pause", "60"], server.url)
    await script.until("5%  Analyzing audio")
    script.child.kill("SIGINT")
    expect(await script.ended).toBe(130)
    expect(await itemOf(server, 1)).toMatchObject({
      status: "failed",
      error_message: "The demo was interrupted",
    })
    await server.connectedClients(0)
  })
})
