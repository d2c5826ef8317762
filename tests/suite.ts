/**
 * The whole test suite: format, types, lint, then every test against the source and against the compiled binary.
 * Ends with the line `N passed, N failed, N skipped`; exit code 1 when anything failed.
 *
 * `--prove` runs the long forms of the proofs instead, against the binary, and prints their figures.
 */
const prove = process.argv.includes("--prove")
const binary = "dist/track-studio"

interface Totals {
  passed: number
  failed: number
  skipped: number
}

/** Runs a step with its output passed on; answers whether it went well, and what it printed. */
async function step(
  title: string,
  command: readonly string[],
  env: Record<string, string> = {},
): Promise<[boolean, string]> {
  process.stdout.write(`\n== ${title}\n`)
  const startedMs = performance.now()
  const child = Bun.spawn([...command], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    env: { ...process.env, FORCE_COLOR: "0", ...env },
  })
  const output = await Promise.all([pass(child.stdout), pass(child.stderr)])
  const code = await child.exited
  process.stdout.write(
    `== ${title}: ${code === 0 ? "ok" : `exit ${code}`}, ${Math.round(performance.now() - startedMs)} ms\n`,
  )
  return [code === 0, output.join("")]
}

async function pass(stream: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder()
  let all = ""
  for await (const chunk of stream) {
    process.stdout.write(chunk)
    all += decoder.decode(chunk, { stream: true })
  }
  return all
}

const total: Totals = { passed: 0, failed: 0, skipped: 0 }

/** A step that is one check: passed or failed. */
async function check(title: string, ...command: string[]): Promise<void> {
  const [ok] = await step(title, command)
  total[ok ? "passed" : "failed"] += 1
}

/** A run of `bun test`: its own counts. */
async function tests(title: string, files: readonly string[], env: Record<string, string>): Promise<void> {
  const [ok, output] = await step(title, ["bun", "test", ...files], env)
  const count = (word: string): number => Number(new RegExp(`^ *(\\d+) ${word}$`, "m").exec(output)?.[1] ?? 0)
  total.passed += count("pass")
  total.skipped += count("skip")
  // A run that broke off has counted nothing, and must not look like a success.
  total.failed += Math.max(count("fail"), ok ? 0 : 1)
}

if (prove) {
  await check("build", "bun", "run", "build")
  const env = { TRACK_STUDIO_PROVE: "1", TRACK_STUDIO_BINARY: binary }
  await tests("the long forms, against the binary", ["tests/proof.test.ts"], env)
} else {
  await check("format", "bun", "fmt", "--check")
  await check("types", "bun", "check")
  await check("lint", "bun", "x", "oxlint", "--deny-warnings", "src", "tests", "examples")
  await check("build", "bun", "run", "build")
  await tests("tests against the source", [], {})
  await tests("tests against the binary", [], { TRACK_STUDIO_BINARY: binary })
  await check("no collapse beside the peers", "bun", "tests/bench/main.ts", "--guard")
}
process.stdout.write(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped\n`)
process.exit(total.failed === 0 ? 0 : 1)

// Top-level await wants a module.
export {}
