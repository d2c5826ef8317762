import { expect, test } from "bun:test"
import { readdirSync, readFileSync, readlinkSync } from "node:fs"

import { NewConnections } from "../../src/serve/new-connections.ts"

/** What the poll instances of this process wait for. */
function polled(): string[] {
  return readdirSync("/proc/self/fd").flatMap((descriptor) => {
    try {
      if (readlinkSync(`/proc/self/fd/${descriptor}`) !== "anon_inode:[eventpoll]") return []
      const lines = readFileSync(`/proc/self/fdinfo/${descriptor}`, "latin1").split("\n")
      return lines.filter((line) => line.startsWith("tfd:")).sort()
    } catch {
      // The descriptor was that of the folder itself.
      return []
    }
  })
}

test.skipIf(process.platform !== "linux")(
  "new connections can be made to wait again and again, and twice is the same as once",
  async () => {
    await using server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("here") })
    const door = new NewConnections(server.port ?? 0)
    const open = polled()
    const seen = (["close", "close", "open", "open", "close", "open"] as const).map((act) => {
      door[act]()
      return Bun.deepEquals(polled(), open) ? "open" : "closed"
    })
    expect(seen).toEqual(["closed", "closed", "open", "open", "closed", "open"])
    expect(await (await fetch(server.url)).text()).toBe("here")
  },
)
