// Writes like a render: megabytes one after the other, with fsync, into the named file, until SIGTERM. Then
// prints how fast it was.
import { closeSync, fsyncSync, openSync, writeSync } from "node:fs"

const blockBytes = 2 ** 20
const blocksPerSync = 32
const fileBlocks = 1024

const file = openSync(process.argv[2] ?? "bulk", "w")
const block = Buffer.alloc(blockBytes, 0xa5)
const startMs = performance.now()
let written = 0

process.on("SIGTERM", () => {
  const seconds = (performance.now() - startMs) / 1000
  console.log(JSON.stringify({ mb_per_s: (written * blockBytes) / 1e6 / seconds }))
  closeSync(file)
  process.exit(0)
})

for (;;) {
  for (let count = 0; count < blocksPerSync; count++) {
    writeSync(file, block, 0, blockBytes, (written++ % fileBlocks) * blockBytes)
  }
  fsyncSync(file)
  await new Promise((next) => setImmediate(next))
}
