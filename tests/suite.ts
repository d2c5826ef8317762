/**
 * The whole test suite: format, types, lint, then every test: those that start the program against the compiled
 * binary, and the rest, with a part of those of the commands, against the source. (`bun test` alone runs all against the source.)
 * Four runs are under way at a time, each of one file against the binary or of some files against the source.
 * Ends with the line `N passed, N failed, N skipped`; exit code 1 when anything failed.
 *
 * `--prove` runs the long forms of the proofs instead, against the binary, and prints their figures: those of the files
 * that are named, and otherwise all of them.
 */
import { dirname, join } from "node:path"

import { Glob } from "bun"

const prove = process.argv.includes("--prove")
const named = process.argv.slice(2).filter((word) => !word.startsWith("--"))
const binary = "dist/track-studio"

interface Totals {
  passed: number
  failed: number
  skipped: number
}

/**
 * Runs a step. Returns whether it succeeded, and what it printed. With `live` its output is passed on as it
 * comes.
 */
async function step(
  title: string,
  command: readonly string[],
  env: Record<string, string> = {},
  live = true,
): Promise<[boolean, string]> {
  const startedMs = performance.now()
  if (live) process.stdout.write(`\n== ${title}\n`)
  const child = Bun.spawn([...command], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    env: { ...process.env, FORCE_COLOR: "0", ...env },
  })
  const output = (await Promise.all([text(child.stdout, live), text(child.stderr, live)])).join("")
  const code = await child.exited
  if (!live) process.stdout.write(`\n== ${title}\n${output}`)
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1)
  process.stdout.write(`== ${title}: ${code === 0 ? "ok" : `exit ${code}`}, ${seconds} s\n`)
  return [code === 0, output]
}

async function text(stream: ReadableStream<Uint8Array>, live: boolean): Promise<string> {
  const decoder = new TextDecoder()
  let all = ""
  for await (const chunk of stream) {
    if (live) process.stdout.write(chunk)
    all += decoder.decode(chunk, { stream: true })
  }
  return all
}

const total: Totals = { passed: 0, failed: 0, skipped: 0 }

/** A step that is one check: it passes or fails. */
async function check(title: string, command: readonly string[], live = true): Promise<void> {
  const [ok] = await step(title, command, {}, live)
  total[ok ? "passed" : "failed"] += 1
}

/** A test file in which tests failed, how many, and the environment that it had. */
interface Failed {
  readonly file: string
  readonly count: number
  readonly env: Record<string, string>
}

const failed: Failed[] = []

/** The files in which tests failed, as `bun test` printed them. */
function failedIn(output: string, env: Record<string, string>): Failed[] {
  const counts = new Map<string, number>()
  let file = ""
  for (const line of output.split("\n")) {
    file = /^(tests\/\S+\.test\.ts):$/.exec(line)?.[1] ?? file
    // The summary repeats them.
    if (/^\d+ tests? failed:$/.test(line)) break
    if (line.startsWith("(fail)")) counts.set(file, (counts.get(file) ?? 0) + 1)
  }
  return [...counts].map(([name, count]) => ({ file: name, count, env }))
}

/** So long a test may take, on a machine that does several things at once. */
const LIMIT = "--timeout=180000"

/** Failures in more files than this are no accident. A file counts once: a test that fails may take others with it. */
const MOST_AGAIN = 6

/**
 * Runs the files of a few failed tests once more, with nothing beside them: four runs side by side on two processors can
 * keep a test waiting longer than any user would wait. What passes then counts as passed, and is named; what fails again
 * has failed.
 */
async function again(): Promise<void> {
  const known = failed.reduce((sum, { count }) => sum + count, 0)
  if (failed.length > MOST_AGAIN || known !== total.failed) return
  for (const { file, count, env } of failed) {
    const [ok] = await step(`once more: ${file}`, ["bun", "test", LIMIT, file], env)
    if (!ok) continue
    total.failed -= count
    total.passed += count
    process.stdout.write(
      `== ${count} failed in ${file} beside other tests, and passed with nothing beside it\n`,
    )
  }
}

/** A run of `bun test`, which has its own counts. */
async function tests(
  title: string,
  files: readonly string[],
  env: Record<string, string>,
  live = true,
): Promise<void> {
  const [ok, output] = await step(title, ["bun", "test", LIMIT, ...files], env, live)
  const count = (word: string): number => Number(new RegExp(`^ *(\\d+) ${word}$`, "m").exec(output)?.[1] ?? 0)
  total.passed += count("pass")
  total.skipped += count("skip")
  failed.push(...failedIn(output, env))
  // A run that was broken off has counted nothing, and must not look like a success.
  total.failed += Math.max(count("fail"), ok ? 0 : 1)
}

/** This measures how fast the binary starts, so nothing else may run at the same time. */
const ALONE = "tests/binary.test.ts"

/** These take the longest, so they begin first, and nothing waits for them at the end. */
const LONGEST = [
  "tests/contracts/compiled.test.ts",
  "tests/demo-learned.test.ts",
  "tests/runner/cases.test.ts",
]

/** So many runs are under way at a time, because tests wait more than they compute. */
const SIDE_BY_SIDE = 4

/** So many files against the source share a run, which loads the source and starts PostgreSQL once for all of them. */
const FILES_OF_A_RUN = 30

/** These also run against the source: commands that a newcomer runs before anything is built. */
const FROM_SOURCE = "tests/commands/command.test.ts"

/** These contracts are held for the code in the binary (`tests/contracts/compiled.test.ts`), on the same databases. */
const COMPILED = /^tests\/store\/(?:sqlite|postgres)\/contracts\.test\.ts$/

/** The exports of `tests/server.ts` that a test can use without starting the program. */
const HARMLESS = /^(type .*|temporaryFolder|textOf)$/

/** Whether a test file, or a test file that it imports, starts the program. */
async function startsProgram(file: string, seen = new Set<string>()): Promise<boolean> {
  if (seen.has(file) || !file.startsWith("tests/")) return false
  seen.add(file)
  const source = await Bun.file(file).text()
  if (source.includes("TRACK_STUDIO_BINARY")) return true
  for (const [, names = "", from = ""] of source.matchAll(/^import (?!type)([^"]+) from "(\.[^"]+)"/gm)) {
    const imported = join(dirname(file), from)
    const taken = names.replaceAll(/[{}]/g, "").split(",")
    if (imported === "tests/server.ts") {
      if (taken.some((name) => name.trim() !== "" && !HARMLESS.test(name.trim()))) return true
    } else if (imported.endsWith(".ts") && (await startsProgram(imported, seen))) return true
  }
  return false
}

/** A run that is still to be made. */
type Run = () => Promise<void>

/** A run of one file against the binary. */
function againstBinary(file: string): Run {
  return () => tests(file, [file], { TRACK_STUDIO_BINARY: binary }, false)
}

/** Runs of files against the source. The last come first, because those of the stores take the longest. */
function againstSource(files: readonly string[]): Run[] {
  const parts: string[][] = []
  for (let i = 0; i < files.length; i += FILES_OF_A_RUN) parts.push(files.slice(i, i + FILES_OF_A_RUN))
  return parts
    .map((part, i) => () => tests(`against the source, part ${i + 1} of ${parts.length}`, part, {}, false))
    .toReversed()
}

/**
 * The files in an order in which those of each folder are spread over the whole time: those with a browser compute most,
 * others wait most, and side by side they use the processors evenly.
 */
function spread(files: readonly string[]): string[] {
  const folders = Map.groupBy(files, (file) => file.split("/", 2).join("/"))
  return [...folders.values()]
    .flatMap((all) => all.map((file, i) => ({ file, at: (i + 0.5) / all.length })))
    .toSorted((a, b) => a.at - b.at)
    .map(({ file }) => file)
}

/** Makes one run after the other until none is left. */
async function drain(runs: Run[]): Promise<void> {
  for (let run = runs.shift(); run !== undefined; run = runs.shift()) await run()
}

/** The tests that have a long form. */
const PROOFS = [
  "tests/proof.test.ts",
  "tests/queue/ingest-cases.test.ts",
  "tests/runner/cases.test.ts",
  "tests/runner/proof.test.ts",
  "tests/runner/truth.test.ts",
  "tests/runner/draining.test.ts",
  "tests/upkeep/year.test.ts",
  "tests/store/postgres/later.test.ts",
  "tests/stream/orders.test.ts",
  "tests/http/gone-websockets.test.ts",
  "tests/reliability/",
  "tests/next.test.ts",
  "tests/packaging/arm64.test.ts",
  "tests/packaging/release.test.ts",
  "tests/packaging/systemd.test.ts",
  "tests/fleet/chaos.test.ts",
]

if (prove) {
  await check("build", ["bun", "run", "build"])
  const env = { TRACK_STUDIO_PROVE: "1", TRACK_STUDIO_BINARY: binary }
  await tests("the long forms, against the binary", named.length > 0 ? named : PROOFS, env)
  if (named.length === 0) await check("small mistakes are noticed", ["bun", "tests/mutations/main.ts"])
} else {
  const lint = ["bun", "x", "oxlint", "--allow", "unicorn/no-useless-spread", "--deny-warnings"]
  // The build takes longer than the others together.
  await Promise.all([
    check("build", ["bun", "run", "build"], false),
    check("format", ["bun", "fmt", "--check"], false),
    check("types", ["bun", "check"], false),
    check("lint", [...lint, "src", "tests", "examples"], false),
  ])
  const files = await Array.fromAsync(new Glob("tests/**/*.test.ts").scan("."))
  const starts = await Promise.all(files.map((file) => startsProgram(file)))
  const programs = files.filter((file, i) => starts[i] && file !== ALONE).toSorted()
  const isOther = (file: string, i: number): boolean =>
    (!starts[i] || file === FROM_SOURCE) && !COMPILED.test(file)
  await tests("the binary alone", [ALONE], { TRACK_STUDIO_BINARY: binary })
  const runs = [
    ...LONGEST.map((file) => againstBinary(file)),
    ...againstSource(files.filter(isOther).toSorted()),
    ...spread(programs.filter((file) => !LONGEST.includes(file))).map((file) => againstBinary(file)),
  ]
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, () => drain(runs)))
  await again()
  await check("no collapse beside the peers", ["bun", "tests/bench/main.ts", "--guard"])
}
process.stdout.write(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped\n`)
process.exit(total.failed === 0 ? 0 : 1)
