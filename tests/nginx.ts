import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const shipped = (name: string): string => readFileSync(join(import.meta.dir, "..", "packaging", name), "utf8")
const SHIPPED = shipped("nginx.conf")
const FLEET = shipped("nginx-fleet.conf")

/**
 * The path of nginx, which is installed by apt if that is allowed; otherwise the reason why there is none.
 */
export function nginxOrWhy(): { readonly path: string } | { readonly why: string } {
  const found = (): string | null => Bun.which("nginx", { PATH: `${process.env["PATH"]}:/usr/sbin` })
  const path = found()
  if (path !== null) return { path }
  if (process.getuid?.() !== 0 || Bun.which("apt-get") === null) {
    return { why: "nginx is not installed, and only root could do that, with apt" }
  }
  // In this run level Debian does not start what it installs. Other tests may be installing at the same time.
  const env = { ...process.env, RUNLEVEL: "1", DEBIAN_FRONTEND: "noninteractive" }
  const apt = (...args: readonly string[]): number | null =>
    Bun.spawnSync(["apt-get", "-qy", "-o", "DPkg::Lock::Timeout=120", ...args], { env, timeout: 120_000 })
      .exitCode
  apt("update")
  const exitCode = apt("install", "--no-install-recommends", "nginx")
  const installed = found()
  return installed === null ? { why: `apt could not install nginx (exit ${exitCode})` } : { path: installed }
}

/** So many different loopback ports that are free now. */
function freePorts(count: number): readonly number[] {
  using listeners = new DisposableStack()
  return Array.from({ length: count }, () => {
    const socket = { data: () => undefined }
    return listeners.use(Bun.listen({ hostname: "127.0.0.1", port: 0, socket })).port
  })
}

/** The configurations that are shipped, by their names. */
export const SHIPPED_CONFIGS: Readonly<Record<string, string>> = {
  "nginx.conf": SHIPPED,
  "nginx-fleet.conf": FLEET,
}

/** One site of the tested nginx: the shipped configuration with one change. */
export interface Site {
  /** The URL of the server behind it. */
  readonly upstream: string
  /** Changes the text of the configuration; default: no change. */
  readonly change?: (config: string) => string
  /** The files of a certificate and its key; default: plain HTTP. */
  readonly certificate?: { readonly file: string; readonly key: string }
}

/** The shipped configuration with a loopback port and other names. Everything else is as shipped. */
function siteOf({ upstream, change, certificate }: Site, port: number): string {
  const [kept = ""] = SHIPPED.split(/^server \{\n    listen 80;/m)
  const moved = kept
    .replaceAll("track_studio", `track_studio_${port}`)
    .replace("127.0.0.1:8080", new URL(upstream).host)
    .replace("listen 443 ssl;", `listen 127.0.0.1:${port}${certificate ? " ssl" : ""};`)
    .replace(/^ *listen \[::\].*\n/m, "")
    .replace(/^ *ssl_certificate .*$/m, certificate ? `ssl_certificate ${certificate.file};` : "")
    .replace(/^ *ssl_certificate_key .*$/m, certificate ? `ssl_certificate_key ${certificate.key};` : "")
  if (change === undefined) return moved
  const changed = change(moved)
  if (changed === moved) throw new Error(`the change changes nothing: ${change}`)
  return changed.replaceAll("{PORT}", String(port))
}

/** A configuration, and its loopback ports. */
interface Sites {
  readonly text: string
  readonly ports: readonly number[]
}

const MAX_TRIES = 5

/** One nginx with many sites, in the foreground and on free ports. */
export class Nginx {
  readonly #child: Bun.Subprocess
  readonly #folder: string
  /** The ports of the sites, in their order. */
  readonly ports: readonly number[]

  private constructor(child: Bun.Subprocess, folder: string, ports: readonly number[]) {
    this.#child = child
    this.#folder = folder
    this.ports = ports
  }

  /** Starts it; resolves when it answers. */
  static async start(path: string, sites: readonly Site[]): Promise<Nginx> {
    return Nginx.#run(path, () => {
      const ports = freePorts(sites.length)
      return { ports, text: sites.map((site, at) => siteOf(site, ports[at] ?? 0)).join("\n") }
    })
  }

  /** Starts it with the shipped configuration of a fleet, in front of instances on these loopback ports. */
  static async startFleet(path: string, instances: readonly number[]): Promise<Nginx> {
    const [one, two] = ["server one:8080", "server two:8080"]
    const lines = instances.map((instance) => `    server 127.0.0.1:${instance} max_fails=1 fail_timeout=1s;`)
    const before = FLEET.replace(new RegExp(`^ *${one}.*\n *${two}.*$`, "m"), lines.join("\n"))
    if (before.includes(one) || !before.includes("listen 80;"))
      throw new Error("packaging/nginx-fleet.conf has changed")
    return Nginx.#run(path, () => {
      const [port = 0] = freePorts(1)
      return { ports: [port], text: before.replace("listen 80;", `listen 127.0.0.1:${port} backlog=4096;`) }
    })
  }

  /** A free port may be taken by another program before nginx has it. Then other ports are tried. */
  static async #run(path: string, made: () => Sites): Promise<Nginx> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await Nginx.#once(path, made())
      } catch (error) {
        if (tries === MAX_TRIES) throw error
      }
    }
  }

  static async #once(path: string, { text, ports }: Sites): Promise<Nginx> {
    const folder = mkdtempSync(join(tmpdir(), "track-studio-nginx-"))
    const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    writeFileSync(
      join(folder, "nginx.conf"),
      `daemon off; master_process off; pid nginx.pid; error_log stderr crit;
      events { worker_connections 4096; }
      http {
        access_log off; variables_hash_max_size 4096; proxy_cache_path cache keys_zone=kept:1m;
        ${temporary.map((name) => `${name}_temp_path ${name};`).join(" ")}
        ${text}
      }`,
    )
    // It must end when the tests end, in whatever way they end.
    const tied = Bun.which("setpriv") === null ? [] : ["setpriv", "--pdeathsig", "KILL"]
    const child = Bun.spawn([...tied, path, "-p", folder, "-c", "nginx.conf", "-e", "stderr"], {
      stdin: "ignore",
      stdout: "ignore",
      stderr: "inherit",
    })
    const nginx = new Nginx(child, folder, ports)
    while (child.exitCode === null && !(await isOpen(ports[0] ?? 0)));
    if (child.exitCode !== null) throw new Error(`nginx did not start: exit ${child.exitCode}`)
    return nginx
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL")
    await this.#child.exited
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

const isOpen = (port: number): Promise<boolean> =>
  Bun.connect({ hostname: "127.0.0.1", port, socket: { data: () => undefined } }).then(
    (socket) => {
      socket.end()
      return true
    },
    () => Bun.sleep(10).then(() => false),
  )
