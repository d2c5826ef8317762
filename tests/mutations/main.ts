/**
 * Puts small mistakes into a copy of the source, one at a time, and counts those that the tests notice.
 * Exit code 1 when fewer than 95 of 100 are noticed, or a mistake does not fit the source any more.
 *
 * `bun tests/mutations/main.ts [TEXT]`: with a text only the mistakes whose file or name contains it.
 */
import { cpSync, readFileSync, symlinkSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"

import { temporaryFolder } from "../server.ts"
import type { Mistake } from "./mistake.ts"
import { MISTAKES } from "./mistakes.ts"

const LIMIT_MS = 120_000
const WANTED = 0.95

/** Whether the tests fail on the source in this folder. */
async function isNoticed(folder: string, tests: readonly string[]): Promise<boolean> {
  const child = Bun.spawn(["bun", "test", "--timeout=20000", "--bail", ...tests], {
    cwd: folder,
    stdin: "ignore",
    stdout: "ignore",
    stderr: "ignore",
    // It has a group of its own, because processes that a test has started do not end when the test is ended.
    detached: true,
    env: { ...process.env, TRACK_STUDIO_BINARY: undefined, TRACK_STUDIO_PROVE: undefined },
  })
  // A mistake that makes a test hang is noticed as well.
  const timer = setTimeout(() => child.kill("SIGKILL"), LIMIT_MS)
  const code = await child.exited
  clearTimeout(timer)
  endGroup(child.pid)
  return code !== 0
}

/** Ends everything that is left of a process group. */
function endGroup(leader: number): void {
  try {
    process.kill(-leader, "SIGKILL")
  } catch {
    // Nothing is left.
  }
}

/** Puts a mistake into the source, and returns a function that removes it again. */
function applied(folder: string, { file, from, to }: Mistake): () => void {
  const path = join(folder, file)
  const source = readFileSync(path, "utf8")
  if (source.split(from).length !== 2) throw new Error(`${file} does not contain once: ${from}`)
  writeFileSync(
    path,
    source.replace(from, () => to),
  )
  return () => writeFileSync(path, source)
}

const wanted = process.argv[2] ?? ""
const chosen = MISTAKES.filter(({ file, name }) => `${file} ${name}`.includes(wanted))
using folder = temporaryFolder()
for (const name of ["src", "tests", "package.json", "tsconfig.json", "bunfig.toml"]) {
  cpSync(name, join(folder.path, name), { recursive: true })
}
symlinkSync(resolve("node_modules"), join(folder.path, "node_modules"))
let noticed = 0
for (const mistake of chosen) {
  const undo = applied(folder.path, mistake)
  const isCaught = await isNoticed(folder.path, mistake.tests)
  undo()
  if (isCaught) noticed += 1
  console.log(`  ${isCaught ? "noticed" : "NOT NOTICED"}: ${mistake.name} (${mistake.file})`)
}
console.log(`${noticed} of ${chosen.length} mistakes noticed`)
process.exit(noticed >= WANTED * chosen.length ? 0 : 1)
