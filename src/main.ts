import { adviceAsCommands } from "./commands/advice-as-commands.ts"
import { COMMANDS } from "./commands/commands.ts"
import { didYouMean } from "./commands/did-you-mean.ts"
import { helpList, helpOf, readArguments, usageLine, wrapped } from "./commands/usage.ts"
import { codeOf, reasonOf } from "./errors.ts"
import { nonBlockingOutput } from "./non-blocking-output.ts"
import { passProxy } from "./settings/proxy.ts"
import { printable } from "./text.ts"
import { withoutSecrets } from "./token-format.ts"
import { commit, version } from "./version.ts"

const NAMES = Object.keys(COMMANDS)

/** The help of the program, in lines of at most `columns` characters. */
const helpOfAll = (columns: number): string =>
  [
    wrapped(`track-studio ${version}: a render queue that shows its progress live`, columns).join("\n"),
    "  track-studio [COMMAND] [--help] [--version]",
    helpList(
      Object.entries(COMMANDS).map(([name, { about }]) => [name, about]),
      columns,
    ),
    wrapped('"track-studio help COMMAND" explains a command. Without one, the server runs.', columns).join(
      "\n",
    ),
  ].join("\n\n") + "\n"

/** Words after `help` that name no command: they ask for the help of the program, or of the command beside them. */
const ABOUT_ALL = new Set(["help", "--help", "-h"])

/** Flags that make a command print something and end. */
const TOLD = new Set(["--help", "-h", "--version", "-v"])

/** Commands whose work continues even if nobody reads their output any more. */
const LASTING = new Set(["run", "work"])

/** Prints a message of one line without secrets; commands to paste may follow below it, indented. */
function fail(message: string, code: number): number {
  const lines = withoutSecrets(message)
    .split(/\n(?= {2}track-studio )/)
    .map(printable)
  nonBlockingOutput(2).write(`track-studio: ${lines.join("\n")}\n`)
  return code
}

/** The width for text on an output; on anything but a terminal lines may be of any length. */
const widthOf = ({ isTTY, columns }: NodeJS.WriteStream): number =>
  isTTY ? columns || 80 : Number.POSITIVE_INFINITY

/** Prints what was wrong, and then how the program is used. */
function misused(message: string, usage: string): number {
  fail(message, 2)
  nonBlockingOutput(2).write(`${wrapped(usage, widthOf(process.stderr)).join("\n")}\n`)
  return 2
}

const unknown = (name: string): number =>
  misused(
    `unknown command "${name}"${didYouMean(name, [...NAMES, "help", "--version"])}`,
    `commands: ${NAMES.join(", ")} (more: track-studio --help)`,
  )

const entryOf = (name: string) => (Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined)

/** Prints the help of the program, or of one command. */
async function help(name: string | undefined): Promise<number> {
  const entry = name === undefined ? undefined : entryOf(name)
  if (name !== undefined && !entry) return unknown(name)
  const width = widthOf(process.stdout)
  nonBlockingOutput(1).write(entry ? helpOf((await entry.load()).usage, width) : helpOfAll(width))
  return 0
}

/** Wrong usage, whether this program or the server noticed it. */
const isMisuse = (error: unknown): error is Error => error instanceof Error && codeOf(error) === "invalid"

/** If nobody reads the output: continues if there is other work, and otherwise ends the program. */
function outliveReaders(isLasting: boolean): void {
  // Without a listener, a closed standard error would end the process, and with it the watch over a render.
  nonBlockingOutput(2).on("error", () => undefined)
  nonBlockingOutput(1).on("error", (error) => {
    if (isLasting) return
    process.exit(error.code === "EPIPE" ? 0 : fail(`cannot write the output: ${error.message}`, 1))
  })
}

async function run([first, ...rest]: readonly string[]): Promise<number> {
  const isNamed = first !== undefined && !first.startsWith("-")
  const name = isNamed ? first : "serve"
  const argv = isNamed ? rest : first === undefined ? [] : [first, ...rest]
  // The arguments after "--" are for the command that is run.
  const flags = argv.slice(0, argv.includes("--") ? argv.indexOf("--") : argv.length)
  // A server prints only its log, which handles the loss of its readers by itself.
  if (name !== "serve" || flags.some((flag) => TOLD.has(flag))) outliveReaders(LASTING.has(name))
  // Without its "--", a later flag of `run` may be meant for the command: ffmpeg has a -v.
  const ours = name === "run" ? flags.slice(0, 1) : flags
  if (ours.includes("--version") || ours.includes("-v")) {
    nonBlockingOutput(1).write(`track-studio ${version} (${commit})\n`)
    return 0
  }
  if (name === "help") {
    const [asked, extra] = rest.filter((word) => !ABOUT_ALL.has(word))
    const usage = "usage: track-studio help [COMMAND] (more: track-studio --help)"
    return extra === undefined ? help(asked) : misused(`unexpected argument "${extra}"`, usage)
  }
  if (!isNamed && (flags.includes("--help") || flags.includes("-h"))) return help(undefined)
  const entry = entryOf(name)
  if (!entry) return unknown(name)
  const command = await entry.load()
  try {
    const given = readArguments(command.usage, argv)
    if (given.flags["help"] === true) return await help(name)
    // The binary interprets the code that a start needs. A server continues like this until it is used.
    if (name !== "serve") Bun.unsafe.setJITPolicy(1)
    return await command.run(given)
  } catch (error) {
    const later = isNamed ? undefined : flags.find((word) => entryOf(word))
    if (!isMisuse(error)) return fail(adviceAsCommands(reasonOf(error)), 1)
    const meant = later === undefined ? undefined : await entryOf(later)?.load()
    if (!meant) return misused(error.message, usageLine(command.usage))
    return misused(`the command comes first: track-studio ${later} ${flags[0]} ...`, usageLine(meant.usage))
  }
}

passProxy()
process.exitCode = await run(process.argv.slice(2))
