import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"

import { compile, program } from "./load.ts"
import { folder, freePort, run } from "./machine.ts"
import { type Contender, Process, type Protocol, ready, Target } from "./processes.ts"

const home = join(import.meta.dir, "peers")

/** The peers that could be installed, and why the others could not. */
export interface Peers {
  nchan?: Contender
  betterSse?: Contender
  bullmq?: Contender
  floor?: Contender
  missing: string[]
}

const debianPackages: Record<string, string[]> = {
  gcc: ["gcc", "libc6-dev"],
  nginx: ["nginx", "libnginx-mod-nchan"],
  "redis-server": ["redis-server"],
  node: ["nodejs"],
}

function nchanModules(): string | undefined {
  const modules = /--modules-path=(\S+)/.exec(run(["nginx", "-V"]).text)?.[1]
  return modules && existsSync(join(modules, "ngx_nchan_module.so")) ? modules : undefined
}

function has(tool: string): boolean {
  return tool === "nginx" ? nchanModules() !== undefined : run(["sh", "-c", `command -v ${tool}`]).ok
}

function installDebian(): void {
  const wanted = Object.keys(debianPackages).filter((tool) => !has(tool))
  if (wanted.length === 0 || process.getuid?.() !== 0 || !run(["sh", "-c", "command -v apt-get"]).ok) return
  console.error(`installing ${wanted.join(", ")}`)
  run(["apt-get", "update", "-q"], { timeoutMs: 60_000 })
  const packages = wanted.flatMap((tool) => debianPackages[tool] ?? [])
  run(["apt-get", "install", "-q", "-y", "--no-install-recommends", ...packages], { timeoutMs: 180_000 })
}

function installModules(): boolean {
  const stamp = join(home, "node_modules/.installed")
  const wanted = readFileSync(join(home, "package.json"), "utf8")
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return true
  console.error("installing better-sse, bullmq, fastify")
  const installed = run([process.execPath, "install", "--frozen-lockfile"], {
    cwd: home,
    timeoutMs: 120_000,
  }).ok
  if (installed) writeFileSync(stamp, wanted)
  return installed
}

/** Installs what is missing, as far as it can, and gives the peers that can run. */
export function installPeers(): Peers {
  installDebian()
  const missing = Object.keys(debianPackages).filter((tool) => !has(tool))
  const peers: Peers = { missing }
  const complaint = missing.includes("gcc") ? "no gcc" : compile()
  if (complaint !== undefined) {
    if (!missing.includes("gcc")) missing.push(`the C programs (${complaint})`)
    return peers
  }
  peers.floor = { name: "floor", start: startFloor }
  if (!missing.includes("nginx")) peers.nchan = { name: "nchan", start: startNchan }
  if (!installModules()) missing.push("the npm packages")
  else if (!missing.includes("node")) {
    peers.betterSse = { name: "better-sse", start: startBetterSse }
    if (!missing.includes("redis-server")) peers.bullmq = { name: "BullMQ", start: startBullmq }
  }
  return peers
}

// 19 characters are the mark and the time stamp.
const message = `ts=%T${"x".repeat(250 - 19)}`
const bare: Protocol = {
  stream: { path: "/stream", live: false },
  write: { method: "POST", path: "/pub", body: message },
}

async function startFloor(): Promise<Target> {
  const port = freePort()
  const server = Process.start("floor", [program("floor"), `${port}`], { on: "server" })
  await ready(port, [server])
  return new Target("floor", port, bare, [server])
}

async function startNchan(): Promise<Target> {
  const port = freePort()
  const prefix = folder("run", "nchan")
  const template = readFileSync(join(home, "nchan.conf"), "utf8")
  const config = join(prefix, "nchan.conf")
  writeFileSync(
    config,
    template.replace("{MODULES}", nchanModules() ?? "modules").replace("{PORT}", `${port}`),
  )
  const argv = ["nginx", "-p", prefix, "-c", config, "-e", "stderr"]
  const server = Process.start("nchan", argv, { on: "server", cwd: prefix })
  await ready(port, [server])
  return new Target("nchan", port, bare, [server])
}

function startNode(script: string, ...ports: number[]): Process {
  const env = { NODE_ENV: "production" }
  return Process.start(script, ["node", join(home, script), ...ports.map(String)], { on: "server", env })
}

async function startBetterSse(): Promise<Target> {
  const port = freePort()
  const server = startNode("better-sse.mjs", port)
  await ready(port, [server])
  return new Target("better-sse", port, bare, [server])
}

async function startBullmq(): Promise<Target> {
  const port = freePort()
  const redisPort = freePort()
  const cwd = mkdtempSync(join(folder("run"), "redis-"))
  const durable = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
  const argv = ["redis-server", "--bind", "127.0.0.1", "--port", `${redisPort}`, "--dir", cwd, ...durable]
  const redis = Process.start("redis", argv, { on: "server", cwd })
  void redis.exited.then(() => rmSync(cwd, { recursive: true, force: true }))
  await ready(redisPort, [redis])
  const server = startNode("bullmq.mjs", port, redisPort)
  await ready(port, [server, redis])
  const body = JSON.stringify({ status: "processing", progress: 50, message })
  const protocol: Protocol = { stream: bare.stream, write: { method: "PUT", path: "/queue/1", body } }
  return new Target("BullMQ", port, protocol, [redis, server])
}

/** Versions of what was measured beside ours, one a line. */
export function peerVersions(peers: Peers): string[] {
  const debian = (name: string): string => {
    const { ok, text } = run(["dpkg-query", "-W", "-f", "${Version}", name])
    return ok ? text : "unknown version"
  }
  const npm = (name: string): string => {
    const text = readFileSync(join(home, "node_modules", name, "package.json"), "utf8")
    return (JSON.parse(text) as { version: string }).version
  }
  const node = run(["node", "--version"]).text
  return [
    ...(peers.nchan ? [`nchan ${debian("libnginx-mod-nchan")} in nginx ${debian("nginx")}`] : []),
    ...(peers.betterSse ? [`better-sse ${npm("better-sse")} on Node ${node}`] : []),
    ...(peers.bullmq
      ? [`BullMQ ${npm("bullmq")} behind Fastify ${npm("fastify")}, Redis ${debian("redis-server")}`]
      : []),
    ...(peers.floor
      ? ["floor: a C program that writes the same bytes to every socket (tests/bench/native)"]
      : []),
  ]
}
