import { writeFileSync } from "node:fs"
import { join } from "node:path"

import { start, temporaryFolder, type TestServer } from "../server.ts"

/** What the disk or the clock does now. `clock SECONDS` moves the wall clock by this much. */
export type Fault = "ok" | "full" | "readonly" | "broken" | "unsynced" | "slow" | "stuck" | `clock ${number}`

/** The reason why the faults cannot be tried here; undefined if they can. */
export const WITHOUT_SHIM =
  process.platform !== "linux"
    ? "the faults are for Linux"
    : Bun.which("gcc") === null
      ? "gcc is not installed"
      : undefined

const shim = temporaryFolder()
process.on("exit", () => shim[Symbol.dispose]())
let compiled: string | undefined

/** The library to preload, compiled once. */
function library(): string {
  if (compiled !== undefined) return compiled
  const file = join(shim.path, "shim.so")
  const source = join(import.meta.dir, "shim.c")
  const made = Bun.spawnSync(["gcc", "-shared", "-fPIC", "-O2", "-o", file, source, "-ldl"])
  if (made.exitCode !== 0) throw new Error(made.stderr.toString())
  return (compiled = file)
}

/** A server whose disk and clock are controlled by the test. */
export class FaultyServer implements AsyncDisposable {
  readonly server: TestServer
  readonly #control: string

  private constructor(server: TestServer, control: string) {
    this.server = server
    this.#control = control
  }

  /**
   * Starts a server with its database in `folder`. All writes and answers are recorded in `record`, if it is
   * given.
   */
  static async start(
    folder: string,
    { args = [], record }: { readonly args?: readonly string[]; readonly record?: string } = {},
  ): Promise<FaultyServer> {
    const control = join(folder, "control")
    writeFileSync(control, "ok")
    const server = await start({
      args,
      database: join(folder, "queue.db"),
      env: {
        LD_PRELOAD: library(),
        SHIM_FILES: join(folder, "queue.db"),
        SHIM_CONTROL: control,
        ...(record !== undefined && { SHIM_RECORD: record }),
      },
    })
    return new FaultyServer(server, control)
  }

  /** Sets what happens from now on. */
  now(fault: Fault): void {
    writeFileSync(this.#control, fault)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]()
  }
}
