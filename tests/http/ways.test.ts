import { expect, setDefaultTimeout, test } from "bun:test"

import { isAllowed } from "../../src/access/roles.ts"
import { NEEDS } from "../../src/http/needed-rights.ts"
import { start } from "../server.ts"
import { bearer, known, tokenOf } from "./tokens.ts"

// This test sends more than a thousand requests.
setDefaultTimeout(180_000)

/** Other ways to write a path. Some programs regard some of them as the same path. */
const WAYS: readonly ((path: string) => string)[] = [
  (path) => path,
  (path) => `${path}/`,
  (path) => `${path}//`,
  (path) => `/${path}`,
  (path) => path.slice(1).replaceAll("/", "//").replace(/^/, "/"),
  (path) => path.toUpperCase(),
  (path) => path.replace(/\w(?=\w*$)/, (char) => `%${char.charCodeAt(0).toString(16)}`),
  (path) => path.replace(/\/(?=[^/]*$)/, "%2f"),
  (path) => `/.${path}`,
  (path) => `/x/..${path}`,
  (path) => `/health/%2e%2e${path}`,
  (path) => `/client.js/..${path}`,
  (path) => `${path};x=1`,
  (path) => `${path}%00`,
  (path) => `${path}%20`,
  (path) => `${path}?`,
  (path) => `${path}?x#y`,
  (path) => path.replaceAll("/", "\\"),
  (path) => `http://localhost${path}`,
]

const UPGRADE =
  "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
const PLAIN = "Connection: close\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"

/**
 * The status of the answer to a request that is sent unchanged; empty if the connection is closed instead.
 */
async function statusOf(url: string, request: string): Promise<string> {
  const { hostname, port } = new URL(url)
  const answered = Promise.withResolvers<string>()
  const socket = await Bun.connect({
    hostname,
    port: Number(port),
    socket: {
      data: (_socket, bytes) => answered.resolve(bytes.toString("latin1").slice(9, 12)),
      close: () => answered.resolve(""),
      error: (_socket, error) => answered.reject(error),
    },
  })
  socket.write(request)
  const status = await answered.promise
  socket.end()
  return status
}

test("however a route is asked for, a caller gets nothing that its role may not have", async () => {
  await using server = await start({ args: ["--requests-per-address", "0", "--requests-per-token", "0"] })
  const id = await server.add({ song_id: 1, title: "Unheard" })
  const viewer = await tokenOf(server, "viewer")
  await known(server, viewer)
  const { authorization = "" } = bearer(viewer)
  const odd: string[] = []
  const statuses = new Set<string>()
  const ask = async (method: string, path: string, header: string): Promise<void> => {
    const isUpgrade = path.includes("/ws")
    const head = `${method} ${path} HTTP/1.1\r\nHost: localhost\r\n${header}${isUpgrade ? UPGRADE : PLAIN}\r\n`
    const status = await statusOf(server.url, isUpgrade ? head : `${head}{}`)
    statuses.add(status)
    if (!/^4\d\d$/.test(status)) odd.push(`${method} ${path}: ${status}`)
  }
  for (const [route, need] of Object.entries(NEEDS)) {
    if (need === "nothing") continue
    const [method = "", path = ""] = route.split(" ")
    const asked = path.replace(/:id|:song_id/, String(id)).replace(/:\w+/, "ffmpeg")
    // If only a viewer may do it, a caller without a token may not.
    const header = isAllowed({ role: "viewer" }, need, () => true)
      ? ""
      : `Authorization: ${authorization}\r\n`
    for (const way of WAYS)
      for (const each of method === "GET" ? ["GET", "HEAD"] : [method]) await ask(each, way(asked), header)
  }
  expect(odd).toEqual([])
  expect([...statuses].sort()).toEqual(["400", "401", "403", "404", "405"])
})
