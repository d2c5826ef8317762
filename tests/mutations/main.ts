/**
 * Puts small mistakes into a copy of the source, one at a time, and counts those that the tests notice, with the
 * test that noticed. Exit code 1 when fewer than 95 of 100 are noticed, or a mistake does not fit the source any
 * more. A mistake whose tests fail without it as well is not noticed by them; the test that fails is named.
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

/** What failed in the output of `bun test`: a test, or a file that could not be loaded. */
const failedIn = (output: string): string =>
  /^\(fail\) (.*?)(?: \[[\d.]+ms\])?$/m.exec(output)?.[1] ??
  /^(?:\w*[eE]rror: ?.*)$/m.exec(output)?.[0] ??
  "the tests could not be run"

/** The test that fails on the source in this folder; undefined if all pass. */
async function failing(folder: string, tests: readonly string[]): Promise<string | undefined> {
  const child = Bun.spawn(["bun", "test", "--timeout=20000", "--bail", ...tests], {
    cwd: folder,
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
    // It has a group of its own, because processes that a test has started do not end when the test is ended.
    detached: true,
    env: { ...process.env, TRACK_STUDIO_BINARY: undefined, TRACK_STUDIO_PROVE: undefined },
  })
  const output = new Response(child.stderr).text()
  // A mistake that makes a test hang is noticed as well.
  const timer = setTimeout(() => child.kill("SIGKILL"), LIMIT_MS)
  const code = await child.exited
  clearTimeout(timer)
  endGroup(child.pid)
  if (code === 0) return undefined
  return child.signalCode === null ? failedIn(await output) : `no end within ${LIMIT_MS / 1000} s`
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
for (const name of ["src", "tests", "docs", "packaging", "package.json", "tsconfig.json", "bunfig.toml"]) {
  cpSync(name, join(folder.path, name), { recursive: true })
}
symlinkSync(resolve("node_modules"), join(folder.path, "node_modules"))
/** What fails without a mistake, by the file of the test. */
const unsound = new Map<string, string | undefined>()

/** What fails of these tests without a mistake; each file runs once. */
async function failingAnyway(tests: readonly string[]): Promise<string | undefined> {
  for (const file of tests) {
    if (!unsound.has(file)) {
      const failed = await failing(folder.path, [file])
      unsound.set(file, failed)
      if (failed !== undefined) console.log(`  FAILS WITHOUT A MISTAKE: ${file}: ${failed}`)
    }
  }
  return tests.map((file) => unsound.get(file)).find((failed) => failed !== undefined)
}

/** Whether the tests notice the mistake; prints the test that does. */
async function isNoticed(mistake: Mistake): Promise<boolean> {
  const what = `${mistake.name} (${mistake.file})`
  const anyway = await failingAnyway(mistake.tests)
  if (anyway !== undefined) {
    console.log(`  NOT JUDGED: ${what}, as its tests fail without it: ${anyway}`)
    return false
  }
  const undo = applied(folder.path, mistake)
  const by = await failing(folder.path, mistake.tests)
  undo()
  console.log(by === undefined ? `  NOT NOTICED: ${what}` : `  noticed: ${what}, by: ${by}`)
  return by !== undefined
}

let noticed = 0
for (const mistake of chosen) if (await isNoticed(mistake)) noticed += 1
console.log(`${noticed} of ${chosen.length} mistakes noticed`)
process.exit(noticed >= WANTED * chosen.length ? 0 : 1)
