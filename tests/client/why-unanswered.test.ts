import { expect, test } from "bun:test"

import { Client } from "../../src/client/client.ts"
import { unanswered } from "../../src/client/why-unanswered.ts"

test.each([
  [
    "http://nohost:1",
    "ENOTFOUND",
    "no server answers at http://nohost:1: the host name nohost is not known here",
  ],
  ["http://box:80", "EAI_AGAIN", "the host name box is not known here; check the name and the network"],
  [
    "http://box:1",
    "ECONNREFUSED",
    "no server answers at http://box:1; does it run, and may this machine reach it?",
  ],
  [
    "http://127.0.0.1:1",
    "ECONNREFUSED",
    'no server answers at http://127.0.0.1:1; start one with "track-studio serve"',
  ],
  ["http://localhost:1", "", 'start one with "track-studio serve"'],
  [
    "https://box",
    "CERT_HAS_EXPIRED",
    'is not accepted (CERT_HAS_EXPIRED); see "track-studio doctor https://box"',
  ],
  ["https://box", "UNABLE_TO_VERIFY_LEAF_SIGNATURE", "the certificate of https://box is not accepted"],
  ["https://box", "ERR_TLS_CERT_ALTNAME_INVALID", "the certificate of https://box is not accepted"],
  ["https://box:1", "EPROTO", "no TLS connection to https://box:1; is it http://box:1?"],
  [
    "http://127.0.0.1:22",
    "HPE_INVALID_CONSTANT",
    "the program at http://127.0.0.1:22 is not a Track Studio server",
  ],
  ["http://box:1", "ECONNRESET", "no server answers at http://box:1: the connection was closed"],
])("a request to %s that fails with %s says why and what to do", (origin, code, words) => {
  expect(unanswered(origin, Object.assign(new TypeError("failed"), { code }))).toContain(words)
  // Node tells the code in the cause.
  const cause = Object.assign(new Error("other"), { code })
  expect(unanswered(origin, new TypeError("fetch failed", { cause }))).toContain(words)
})

test.each([
  ["SSH-2.0-OpenSSH_9.7\r\n"],
  ["220 mail ESMTP\r\n"],
  ["HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\n"],
  ["HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n"],
])("a program that answers %j is not taken for a server that does not run", async (says) => {
  using other = Bun.listen({
    port: 0,
    hostname: "127.0.0.1",
    socket: { data: (socket) => void socket.end(says) },
  })
  await expect(new Client(`http://127.0.0.1:${other.port}`).get(7)).rejects.toMatchObject({
    ...{ code: "unreachable", isPassing: true },
    message: expect.stringMatching(
      /^the program at \S+ is not a Track Studio server: it does not speak HTTP$/,
    ),
  })
})

test("what answers without TLS, or not at all, is not taken for a server that does not run", async () => {
  using plain = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("") })
  const tls = plain.url.href.replace("http:", "https:")
  await expect(new Client(tls).get(7)).rejects.toMatchObject({
    ...{ code: "unreachable", isPassing: true },
    message: expect.stringContaining(`is it http://${plain.url.host}?`),
  })
  using silent = Bun.listen({
    port: 0,
    hostname: "127.0.0.1",
    socket: { data: (socket) => void socket.end() },
  })
  await expect(new Client(`http://127.0.0.1:${silent.port}`).get(7)).rejects.toMatchObject({
    ...{ code: "unreachable", isPassing: true },
    message: expect.stringContaining(": the connection was closed"),
  })
})
