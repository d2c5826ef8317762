import { expect, setDefaultTimeout, test } from "bun:test"

import { dice } from "../item/estimate/chance.ts"
import { figure, memory, size } from "../proof.ts"
import { capture, CAPTURES } from "../renderers/captures.ts"
import { faultsOf, historyOf, itemOf } from "../runner/programs.ts"
import { start, type TestServer } from "../server.ts"

setDefaultTimeout(900_000)

const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 31))
const random = dice(seed)
const below = (limit: number): number => Math.floor(random() * limit)
const oneOf = <Value>(values: readonly [Value, ...Value[]]): Value =>
  values[below(values.length)] ?? values[0]

/**
 * Texts that are difficult for a reader: numbers beyond all bounds, line ends, control characters, broken
 * UTF-8, other words.
 */
const PIECES: readonly [string, ...string[]] = [
  "999999999999999999999999",
  "-1",
  "1e309",
  "NaN",
  "N/A",
  "\0",
  "\r",
  "\n",
  "\u2028",
  "\x1b[2K\x1b[1A",
  "100%|█████| 20/20\r",
  "progress=end\n",
  "out_time_us=-9223372036854775807\n",
  "time=99:99:99.99",
  "Fra:2147483648 Mem:1M | Rendered 9/1 Tiles\n",
  "frame 0 of 0\n",
  "x".repeat(70_000),
  "=".repeat(3000),
]
const BROKEN = [0x00, 0xff, 0xc0, 0x80, 0xed, 0xa0, 0xf8]

/** A text in which some bytes are changed, removed, doubled, or mixed with those of another text. */
function spoiled(text: Buffer, other: Buffer): Buffer {
  let bytes = text.subarray(0, 200_000)
  for (let times = 1 + below(8); times > 0; times -= 1) {
    const [at, length] = [below(bytes.length + 1), below(400)]
    const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)]
    const from = below(other.length)
    bytes = Buffer.concat(
      oneOf([
        [before, after.subarray(length)],
        [before, after.subarray(0, length), after],
        [before, other.subarray(from, from + 10 * length), after],
        [before, Buffer.from(oneOf(PIECES)), after],
        [
          before,
          Buffer.from(Array.from({ length: 1 + below(20) }, () => BROKEN[below(BROKEN.length)] ?? 0)),
          after,
        ],
        [before, Buffer.from(Array.from({ length }, () => below(256))), after.subarray(length)],
        [before],
      ]),
    )
  }
  return bytes
}

/** The bytes in pieces of any length. */
function inPieces(bytes: Buffer): ReadableStream<Uint8Array> {
  let at = 0
  return new ReadableStream({
    pull(controller) {
      const end = at + 1 + below(5000)
      controller.enqueue(bytes.subarray(at, end))
      at = end
      if (at >= bytes.length) controller.close()
    },
  })
}

/** Sends an output for a new item. Returns what is wrong with the answer and with the item. */
async function sent(server: TestServer, bytes: Buffer): Promise<string[]> {
  const id = await server.add()
  const name = oneOf(["ffmpeg", "blender", "lines"])
  const total = oneOf(["", "10", "268.5", "1", "999999999"])
  const isFinal = name !== "lines" && total !== "" && below(2) === 0
  const query = `${total && `total=${total}`}${isFinal ? "&finish=true" : ""}`
  const url = `${server.url}/api/v1/queue/${id}/ingest/${name}?${query}`
  const answer = await fetch(url, {
    method: "POST",
    body: below(2) === 0 ? new Uint8Array(bytes) : inPieces(bytes),
  })
  const said = await answer.text()
  const item = await itemOf(server, id)
  const faults = faultsOf(await historyOf(server, id))
  if (answer.status !== 200) faults.push(`${answer.status} ${said}`)
  if (!Number.isInteger(item.progress) || item.progress < 0 || item.progress > 100)
    faults.push(`it has progress ${item.progress}`)
  if (item.eta_seconds !== null && !(item.eta_seconds >= 0)) faults.push(`it ends in ${item.eta_seconds} s`)
  if (isFinal && item.status === "processing") faults.push("it goes on")
  return faults.map((fault) => `${name}?${query}: ${fault}`)
}

test("whatever a renderer prints, its item stays legal and the server goes on", async () => {
  await using server = await start({ args: ["--requests-per-address", "0"] })
  const texts = await Promise.all(
    CAPTURES.map(async ([name, rest]) => Buffer.from(await capture(`${name}-${rest}`))),
  )
  const [first = Buffer.alloc(0), ...others] = texts
  const count = size(40, 5000)
  const faults: string[] = []
  let megabytes = 0
  let [warmMb, mostMb] = [0, 0]
  for (let i = 0; i < count; i += 1) {
    const bytes = spoiled(oneOf([first, ...others]), oneOf([first, ...others]))
    megabytes += bytes.length / 1e6
    for (const fault of await sent(server, bytes)) faults.push(`SEED=${seed}, output ${i}: ${fault}`)
    if (i < count / 4) warmMb = Math.max(warmMb, memory(server))
    else mostMb = Math.max(mostMb, memory(server))
  }
  figure(
    `${count} spoiled outputs of renderers, ${megabytes.toFixed(0)} MB, seed ${seed}: ${faults.length} faults; ` +
      `${warmMb.toFixed(0)} MB at most in the first quarter, then ${mostMb.toFixed(0)} MB`,
  )
  expect(faults).toEqual([])
  expect(mostMb - warmMb).toBeLessThan(60)
})
