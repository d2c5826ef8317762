import { expect, setDefaultTimeout, test } from "bun:test"
import { readFileSync } from "node:fs"

import { PROGRAM, start } from "../server.ts"
import { Program } from "./programs.ts"

setDefaultTimeout(180_000)

/** As in a container: the command is the first process of its own process namespace. */
const CONTAINER = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
const canContain =
  process.getuid?.() === 0 && Bun.which("unshare") !== null && Bun.spawnSync([...CONTAINER, "true"]).success

if (!canContain) console.warn("skipped: a space of processes of our own needs root and unshare")

/** The states of all processes that are children of this one. */
function childrenOf(pid: number): string[] {
  const pids = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").filter(Boolean)
  return pids.map((each) => readFileSync(`/proc/${each}/stat`, "utf8").replace(/^.*\) /s, "")[0] ?? "")
}

test.skipIf(!canContain)(
  "a worker that is the first process of a container keeps no dead process of a render; only root can try",
  async () => {
    await using server = await start()
    const ids = [await server.add(), await server.add()]
    const command = [
      ...CONTAINER,
      ...PROGRAM,
      "work",
      "--exec",
      "setsid -f true; setsid -f sleep 0.2; sleep 0.5",
    ]
    const worker = new Program(command, server.url)
    for (const id of ids) await worker.prints(`queue item ${id}: completed`)
    const [inside = 0] = readFileSync(`/proc/${worker.child.pid}/task/${worker.child.pid}/children`, "utf8")
      .trim()
      .split(" ")
      .map(Number)
    const untilMs = performance.now() + 10_000
    while (childrenOf(inside).includes("Z") && performance.now() < untilMs) await Bun.sleep(50)
    expect(childrenOf(inside)).not.toContain("Z")
    worker.kill("SIGKILL")
    await worker.ends()
  },
)
