import { expect, test } from "bun:test"

import { Viewer } from "./chaos-viewer.ts"

const update = (id: number): string => `id: ${id}\ndata: {"timestamp":"${new Date().toISOString()}"}\n\n`

// The control of the chaos test: its viewer must notice each kind of fault.
test.each([
  ["every update once and in order", [update(1), update(2), update(3)], []],
  ["an update that is missing", [update(1), update(3)], ["3 after 1"]],
  ["an update that comes twice", [update(1), update(1)], ["1 after 1"]],
  ["updates in the wrong order", [update(2), update(1)], ["2 after 0", "1 after 2"]],
  ["a gap", ["event: gap\ndata: {}\n\n"], ["event: gap\ndata: {}"]],
])("a viewer of the chaos notices %s", async (_what, frames, faults) => {
  const sent = Promise.withResolvers<void>()
  const listener = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data(socket) {
        socket.write(`HTTP/1.0 200 OK\r\n\r\nretry: 1000\n\n${frames.join("")}id: 9\ndata: {}\n\n`)
        sent.resolve()
      },
    },
  })
  const viewer = new Viewer(`http://127.0.0.1:${listener.port}`)
  viewer.watch()
  await sent.promise
  while (viewer.last < 9) await new Promise(setImmediate)
  viewer.stop()
  listener.stop(true)
  expect(viewer.faults.slice(0, -1)).toEqual(faults)
})
