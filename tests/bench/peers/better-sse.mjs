// better-sse on Node's own HTTP server: GET /stream subscribes, POST /pub broadcasts the body to every stream.
import { createServer } from "node:http"

import { createChannel, createSession } from "better-sse"

const channel = createChannel()

const server = createServer((request, response) => {
  if (request.method === "GET") {
    createSession(request, response).then((session) => channel.register(session))
    return
  }
  let body = ""
  request.setEncoding("utf8")
  request.on("data", (part) => (body += part))
  request.on("end", () => {
    channel.broadcast(body)
    response.writeHead(204).end()
  })
})

server.keepAliveTimeout = 600_000
server.listen({ host: "127.0.0.1", port: Number(process.argv[2]), backlog: 4096 })
