import { expect, setDefaultTimeout, test } from "bun:test"
import { mkdirSync } from "node:fs"
import { join } from "node:path"

import { dice } from "../item/estimate/chance.ts"
import { figure, size } from "../proof.ts"
import { Reader } from "../reader.ts"
import { temporaryFolder } from "../server.ts"
import { cuts, recorded } from "./powercut.ts"
import { FaultyServer, WITHOUT_SHIM } from "./shim.ts"

setDefaultTimeout(600_000)

const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 31))

test.skipIf(WITHOUT_SHIM !== undefined)(
  `a power cut at any moment leaves a whole database with all that was acknowledged${
    WITHOUT_SHIM === undefined ? "" : `: ${WITHOUT_SHIM}`
  }`,
  async () => {
    using folder = temporaryFolder()
    const record = join(folder.path, "record")
    const updates = size(400, 3000)
    let next = 0
    // Each start after the first one writes its mark without a sync.
    for (const end of [updates / 2, (3 * updates) / 4, updates]) {
      await using faulty = await FaultyServer.start(folder.path, { record })
      const { server } = faulty
      const ids = [await server.add(), await server.add()]
      const reader = await Reader.open(`${server.url}/api/v1/progress/stream`)
      await reader.first("live")
      const writer = async (): Promise<void> => {
        while (next < end) {
          const n = next++
          await server.put(ids[n % 2] ?? 0, { message: `ack-${n}-` })
        }
      }
      await Promise.all(Array.from({ length: 8 }, writer))
      reader.leave()
    }
    const did = recorded(record)
    const cut = join(folder.path, "cut")
    mkdirSync(cut)
    const random = dice(seed)
    const found = [...cuts(did, { count: size(40, 400), folder: cut, random })]
    const bad = found.filter(({ isWhole, lost }) => !isWhole || lost.length > 0)
    const lying = [...cuts(did, { count: 10, folder: cut, random, hasSyncs: false })]
    figure(
      `${found.length} power cuts in a recording of three servers and ${updates} updates (${did.length} writes, syncs and answers): ` +
        `${bad.length} with a loss; on a disk that forgets its syncs ${lying.filter(({ lost }) => lost.length > 0).length} of ${lying.length}`,
    )
    expect([seed, bad]).toEqual([seed, []])
    expect(lying.some(({ lost }) => lost.length > 0)).toBe(true)
  },
)
