import { chmodSync, chownSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** How long an engine may take until it answers. */
const READY_MS = 30_000

const OLDEST_POSTGRES = 15

const isRoot = process.getuid?.() === 0

/** The folder with the programs of the newest PostgreSQL; null if none that is new enough is installed. */
function postgresFolder(): string | null {
  try {
    const [newest = 0] = readdirSync("/usr/lib/postgresql")
      .map(Number)
      .sort((a, b) => b - a)
    return newest < OLDEST_POSTGRES ? null : `/usr/lib/postgresql/${newest}/bin`
  } catch {
    return null
  }
}

const PROGRAMS = {
  postgres: () => postgresFolder(),
  "redis-server": () => Bun.which("redis-server"),
  pgbouncer: () => Bun.which("pgbouncer"),
  nginx: () => Bun.which("nginx"),
  openssl: () => Bun.which("openssl"),
  prometheus: () => Bun.which("prometheus"),
  promtool: () => Bun.which("promtool"),
  "qemu-aarch64": () => Bun.which("qemu-aarch64"),
}

/** Debian's packages with the programs of the tests, if their names differ or the program alone is not enough. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  postgres: ["postgresql"],
  promtool: ["prometheus"],
  "qemu-aarch64": ["qemu-user", "libc6-arm64-cross"],
}

/**
 * The path of a program of Debian. It is installed if possible; null if it is not possible, or if there is no
 * `setpriv`, which ends an engine together with the tests that started it.
 */
export function found(name: keyof typeof PROGRAMS): string | null {
  if (Bun.which("setpriv") === null) return null
  if (PROGRAMS[name]() === null && isRoot && Bun.which("apt-get") !== null) {
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" }
    const options = { env, timeout: 240_000 }
    Bun.spawnSync(["apt-get", "update"], options)
    // Other tests may be installing something at the same time.
    const install = ["apt-get", "install", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120"]
    Bun.spawnSync([...install, ...(PACKAGES[name] ?? [name])], options)
  }
  return PROGRAMS[name]()
}

/** A port that is free now. */
export function freePort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => undefined } })
  listener.stop(true)
  return listener.port
}

/** The user for engines that refuse to run as root; undefined if we are not root. */
function servant(): { readonly uid: number; readonly gid: number } | undefined {
  if (!isRoot) return undefined
  const [, uid = "", gid = ""] =
    /^postgres:[^:]*:(\d+):(\d+)/m.exec(readFileSync("/etc/passwd", "utf8")) ?? []
  return { uid: Number(uid || 65534), gid: Number(gid || 65534) }
}

/** Runs a program so that it ends when the tests end, in whatever way they end. */
function spawned(command: readonly string[], signal: string): Bun.Subprocess<"ignore", "ignore", "ignore"> {
  const user = servant()
  const as = user ? [`--reuid=${user.uid}`, `--regid=${user.gid}`, "--clear-groups"] : []
  return Bun.spawn(["setpriv", ...as, "--pdeathsig", signal, ...command], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "ignore",
  })
}

interface EngineOptions {
  /** The files of the engine; they are removed at its end. */
  readonly folder: string
  /** How to run it in the foreground. */
  readonly command: (port: number) => readonly string[]
  /** Whether it answers. */
  readonly isReady: (port: number) => Promise<boolean>
  /** The beginning of its URL. */
  readonly scheme: string
  /** The end of its URL; empty by default. */
  readonly path?: string
  /** The signal that ends it and its children at once, like a crash. */
  readonly crash: "SIGQUIT" | "SIGKILL"
}

/** A program to which others connect, on a port of its own. Its folder stays while it is stopped. */
export class Engine implements AsyncDisposable {
  readonly port = freePort()
  readonly folder: string
  /** The address for clients. */
  readonly url: string
  readonly #command: readonly string[]
  readonly #options: EngineOptions
  #child: ReturnType<typeof spawned> | undefined

  constructor(options: EngineOptions) {
    this.folder = options.folder
    this.url = `${options.scheme}127.0.0.1:${this.port}${options.path ?? ""}`
    this.#command = options.command(this.port)
    this.#options = options
  }

  /** The id of its process; undefined while it is stopped. */
  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** Starts it; resolves when it answers. */
  async start(): Promise<this> {
    const child = spawned(this.#command, this.#options.crash.slice(3))
    this.#child = child
    const giveUpMs = performance.now() + READY_MS
    while (!(await this.#options.isReady(this.port))) {
      if (child.exitCode !== null || performance.now() > giveUpMs) {
        throw new Error(`${this.#command.join(" ")} did not come up (exit code ${child.exitCode})`)
      }
      await Bun.sleep(20)
    }
    return this
  }

  /** Ends it like a crash; resolves when it is gone. */
  async crash(): Promise<void> {
    this.#child?.kill(this.#options.crash)
    await this.#child?.exited
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.crash()
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** A folder that the engine's user can write. */
function engineFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "track-studio-engine-"))
  const user = servant()
  if (user) chownSync(folder, user.uid, user.gid)
  chmodSync(folder, 0o700)
  return folder
}

/** Whether a port accepts a connection and answers with something that begins with `answer`. */
async function answers(port: number, said: string, answer: string): Promise<boolean> {
  const heard = Promise.withResolvers<boolean>()
  const late = setTimeout(heard.resolve, 1000, false)
  try {
    const socket = await Bun.connect({
      hostname: "127.0.0.1",
      port,
      socket: {
        open: (opened) => void opened.write(said),
        data: (_, bytes) => heard.resolve(bytes.toString().startsWith(answer)),
        close: () => heard.resolve(false),
      },
    })
    const isAnswered = await heard.promise
    socket.end()
    return isAnswered
  } catch {
    return false
  } finally {
    clearTimeout(late)
  }
}

const KEEPS_NOTHING = ["--save", "", "--appendonly", "no"]

/** A Redis of its own; `given` are more of its arguments. */
export function startRedis(program: string, given: readonly string[] = KEEPS_NOTHING): Promise<Engine> {
  const folder = engineFolder()
  const command = (port: number): string[] => [
    ...[program, "--port", String(port), "--bind", "127.0.0.1", "--dir", folder, ...given],
  ]
  const isReady = (port: number): Promise<boolean> => answers(port, "PING\r\n", "+PONG")
  return new Engine({ folder, command, isReady, scheme: "redis://", crash: "SIGKILL" }).start()
}

/** Where PostgreSQL's log is, below its folder. */
export const POSTGRES_LOG = "log"

/** The owner of a PostgreSQL and its first database. */
export interface Owner {
  /** The user. */
  readonly user: string
  /** The user's password, which everybody must give; default: no password. */
  readonly password?: string
}

/**
 * A PostgreSQL of its own with an empty database. A crash loses nothing that was committed. `changed` are
 * settings.
 */
export async function startPostgres(
  bin: string,
  changed: Readonly<Record<string, string>> = {},
  { user, password }: Owner = { user: "fleet" },
): Promise<Engine> {
  const folder = engineFolder()
  const data = join(folder, "data")
  const passwordFile = join(folder, "password")
  writeFileSync(passwordFile, password ?? "")
  const auth = password === undefined ? ["-A", "trust"] : ["-A", "scram-sha-256", `--pwfile=${passwordFile}`]
  const setUp = spawned(
    [join(bin, "initdb"), "-D", data, ...auth, "-U", user, "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"],
    "KILL",
  )
  if ((await setUp.exited) !== 0) throw new Error(`initdb failed: exit code ${setUp.exitCode}`)
  const settings = {
    listen_addresses: "127.0.0.1",
    unix_socket_directories: "",
    max_connections: "100",
    // The machine does not lose power during a test.
    fsync: "off",
    logging_collector: "on",
    log_directory: folder,
    log_filename: POSTGRES_LOG,
    ...changed,
  }
  const given = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`])
  const command = (port: number): string[] => [
    join(bin, "postgres"),
    "-D",
    data,
    "-p",
    String(port),
    ...given,
  ]
  const isReady = async (port: number): Promise<boolean> => {
    const asked = [join(bin, "pg_isready"), "-q", "-h", "127.0.0.1", "-p", String(port), "-U", user]
    return (await Bun.spawn(asked).exited) === 0
  }
  return new Engine({
    folder,
    command,
    isReady,
    scheme: `postgres://${user}${password === undefined ? "" : `:${password}`}@`,
    crash: "SIGQUIT",
    path: "/postgres",
  }).start()
}
