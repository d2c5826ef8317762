import { expect, test } from "bun:test"

import { figure, PROVE } from "../proof.ts"
import { PROGRAM, start } from "../server.ts"

/** The setting that `docs/installing.md` recommends. */
const RETRIES = 8

/** A network of its own, which exists as long as its process lives. */
const network = (): Bun.Subprocess => Bun.spawn(["unshare", "--net", "sleep", "600"])
const within = ({ pid }: Bun.Subprocess, ...command: readonly string[]): string[] => [
  "nsenter",
  `--target=${pid}`,
  "--net",
  ...command,
]

function sh(inside: Bun.Subprocess, script: string): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync(within(inside, "sh", "-euc", script))
  if (exitCode !== 0) throw new Error(`${script}: ${stderr.toString()}`)
  return stdout.toString()
}

const canDivide =
  process.getuid?.() === 0 &&
  ["unshare", "nsenter", "ip", "curl"].every((tool) => Bun.which(tool) !== null) &&
  Bun.spawnSync(["unshare", "--net", "true"]).success

if (PROVE && !canDivide) console.warn("skipped: networks need root, unshare, nsenter, ip and curl")

test.skipIf(!PROVE || !canDivide)(
  "viewers whose network drops every packet are gone within two minutes",
  async () => {
    const [near, far] = [network(), network()]
    await Bun.sleep(200)
    sh(near, `ip link set lo up; ip link add near type veth peer name far netns ${far.pid}`)
    sh(
      near,
      `ip addr add 10.99.0.1/24 dev near; ip link set near up; echo ${RETRIES} >/proc/sys/net/ipv4/tcp_retries2`,
    )
    sh(far, "ip addr add 10.99.0.2/24 dev far; ip link set far up")
    const args = ["--host", "10.99.0.1", "--open", "--keepalive-ms", "1000"]
    const server = await start({ program: within(near, ...PROGRAM), args })
    const clients = (): number =>
      Number(/"connected_clients":(\d+)/.exec(sh(near, `curl -s ${server.url}/api/v1/progress/stats`))?.[1])
    const watching = ["curl", "-sN", `${server.url}/api/v1/progress/stream`]
    const socket = `new WebSocket("${server.url.replace("http", "ws")}/api/v1/progress/ws")`
    const viewers = [watching, [process.execPath, "-e", socket]].map((command) =>
      Bun.spawn(within(far, ...command), { stdout: "ignore", stderr: "ignore" }),
    )
    while (clients() < 2) await Bun.sleep(100)
    const startedMs = performance.now()
    const gone: number[] = []
    sh(far, "ip link set far down")
    while (gone.length < 2) {
      await Bun.sleep(500)
      while (gone.length < 2 - clients()) gone.push((performance.now() - startedMs) / 1000)
    }
    figure(
      `vanished viewers: WebSocket gone after ${gone[0]?.toFixed(0)} s, stream after ${gone[1]?.toFixed(0)} s`,
    )
    expect(gone[0]).toBeLessThan(60)
    expect(gone[1]).toBeLessThan(130)
    for (const child of [...viewers, near, far]) child.kill("SIGKILL")
    await server[Symbol.asyncDispose]()
  },
  200_000,
)
