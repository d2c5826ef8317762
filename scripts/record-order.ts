/**
 * Starts a compiled server and stops it, so that Bun records which functions that takes:
 *   bun scripts/record-order.ts BINARY FILE
 * `bun build --bytecode-order=FILE` then puts these together at the front of the next binary, which starts sooner and takes
 * less memory. Nothing happens here whose order could differ, so that the same commit gives the same binary.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"

const [binary = "", file = ""] = process.argv.slice(2)
const folder = mkdtempSync(join(tmpdir(), "track-studio-order-"))

const server = Bun.spawn([resolve(binary), "serve", "--port", "0", "--database", join(folder, "order.db")], {
  stdin: "ignore",
  stdout: "pipe",
  env: { PATH: process.env["PATH"], TMPDIR: process.env["TMPDIR"], BUN_BYTECODE_ORDER_OUT: resolve(file) },
})

/** The address that the server's first line says. */
async function addressOf(output: ReadableStream<Uint8Array>): Promise<string> {
  let text = ""
  for await (const bytes of output) {
    text += new TextDecoder().decode(bytes)
    const [, url] = /"url":"(http:[^"]+)"/.exec(text) ?? []
    if (url !== undefined) return url
  }
  throw new Error(`the server has ended: ${text}`)
}

try {
  const answer = await fetch(`${await addressOf(server.stdout)}/health`)
  if (!answer.ok) throw new Error(`the server's health: ${answer.status}`)
} finally {
  server.kill("SIGTERM")
  await server.exited
  rmSync(folder, { recursive: true, force: true })
}
