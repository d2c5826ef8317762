import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"

import type { Plan, Scenario } from "./bench.ts"
import { cpu, machine, projectRoot, run } from "./machine.ts"
import { foreignCpu } from "./noise.ts"
import { type Peers, peerVersions } from "./peers.ts"
import { markdownTable, type Row } from "./table.ts"

const document = join(projectRoot, "docs/performance.md")
const bounds = join(import.meta.dir, "bounds.md")

function ourVersion(): string {
  const { version } = JSON.parse(readFileSync(join(projectRoot, "package.json"), "utf8")) as {
    version: string
  }
  const commit = run(["git", "rev-parse", "--short", "HEAD"])
  return commit.ok ? `${version} (${commit.text})` : version
}

function list(lines: string[]): string {
  return lines.map((line) => `- ${line}`).join("\n")
}

/** How often each figure was measured, in words. */
const howOften = ({ runs, manyRuns }: Plan): string =>
  manyRuns === 1
    ? "each figure is of one run"
    : `figures are medians (B, D, G and M of ${manyRuns} runs, E of one, the others of ${runs})`

const methodOf = (plan: Plan): string => `
Each server is pinned to one CPU and all load to another, but in M, where a render, the server and \`run\` share both.
Every run starts the server afresh; runs of ours and of the peers take turns; ${howOften(plan)}. Ours is the compiled binary with the whole product path: HTTP PUT, validation, a
transaction with \`synchronous=FULL\` that is on the disk before the answer, history, and the fan-out. Peers are sent bare messages and keep none on the disk, but for BullMQ, whose
Redis appends with fsync always. Each update has at least 250 bytes of data. Every update that a reader gets is counted and
checked for loss, order and, for ours, consecutive IDs; a wrong answer fails the row whatever its speed. Latency is from
the moment the publisher sends an update to the moment a reader has it. Ratios matter more than the numbers beside them.
`

/** Writes docs/performance.md from a run of all scenarios and gives its path. */
export function writeDocument(...run: Parameters<typeof documentText>): string {
  mkdirSync(dirname(document), { recursive: true })
  writeFileSync(document, documentText(...run))
  return document
}

/** The document of a run of all scenarios by a plan. */
export function documentText(
  rows: Row[],
  scenarios: Scenario[],
  peers: Peers,
  plan: Plan,
  tookMinutes: number,
): string {
  const cpus = cpu.server === cpu.client ? ", only one of them allowed: servers and load shared it" : ""
  const parts = [
    "# Performance",
    "Written by `bun run bench`; not edited by hand.",
    markdownTable(rows),
    `## How it was measured\n${methodOf(plan)}`,
    list([
      `${new Date().toISOString().slice(0, 10)}, ${tookMinutes.toFixed(0)} minutes`,
      machine() + cpus,
      `other processes of the machine used ${foreignCpu()}`,
      `Track Studio Orchestrator ${ourVersion()}, Bun ${Bun.version}`,
      ...peerVersions(peers),
    ]),
    "## Run it again",
    ["```sh", "bun run bench", ...scenarios.map(commandOf), "```"].join("\n"),
    ...(existsSync(bounds) ? [readFileSync(bounds, "utf8").trim()] : []),
  ]
  return `${parts.map((part) => part.trim()).join("\n\n")}\n`
}

function commandOf({ letter, name, title }: Scenario): string {
  return `bun run bench ${`${name}`.padEnd(8)} # ${letter}: ${title}`
}
