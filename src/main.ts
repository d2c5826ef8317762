import type { Command } from "./commands/command.ts"
import { helpOf, readArguments } from "./commands/usage.ts"
import { forServing } from "./config.ts"
import { AppError } from "./errors.ts"
import { printable } from "./text.ts"
import { commit, version } from "./version.ts"

/** Loaded one by one, so that a command does not pay for the others' start. */
const COMMANDS: Readonly<Record<string, { about: string; load: () => Promise<Command> }>> = {
  serve: {
    about: "run the server (the default)",
    load: async () => {
      forServing()
      return (await import("./commands/serve.ts")).serveCommand
    },
  },
  add: { about: "add a song to the queue", load: async () => (await import("./commands/add.ts")).addCommand },
  list: { about: "list the queue", load: async () => (await import("./commands/list.ts")).listCommand },
  set: { about: "change a queue item", load: async () => (await import("./commands/set.ts")).setCommand },
  watch: {
    about: "show progress live",
    load: async () => (await import("./commands/watch.ts")).watchCommand,
  },
  run: {
    about: "run a render, and report its progress",
    load: async () => (await import("./commands/run.ts")).runCommand,
  },
  work: {
    about: "render what is queued, item by item",
    load: async () => (await import("./commands/work.ts")).workCommand,
  },
}

const HELP = `track-studio ${version}: a render queue that shows its progress live

  track-studio [COMMAND] [--help] [--version]

${Object.entries(COMMANDS)
  .map(([name, { about }]) => `  ${name.padEnd(8)}${about}`)
  .join("\n")}
`

function fail(message: string, code: number): number {
  process.stderr.write(`track-studio: ${printable(message)}\n`)
  return code
}

async function run([first, ...rest]: readonly string[]): Promise<number> {
  const named = first !== undefined && !first.startsWith("-")
  const name = named ? first : "serve"
  const argv = named ? rest : first === undefined ? [] : [first, ...rest]
  // Without this a closed standard error would end us, and with us the watch over a render.
  process.stderr.on("error", () => undefined)
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    // Whoever read our output may have left: a server and a render run on, others have nobody to tell any more.
    if (name === "serve" || name === "run" || name === "work") return
    process.exit(error.code === "EPIPE" ? 0 : fail(`the output cannot be written: ${error.message}`, 1))
  })
  // What follows "--" is for the command that is run.
  const flags = argv.slice(0, argv.includes("--") ? argv.indexOf("--") : argv.length)
  if (flags.includes("--version")) {
    process.stdout.write(`track-studio ${version} (${commit})\n`)
    return 0
  }
  if (first === "help" || (!named && (flags.includes("--help") || flags.includes("-h")))) {
    process.stdout.write(HELP)
    return 0
  }
  const known = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (!known) return fail(`there is no command "${name}"; there are ${Object.keys(COMMANDS).join(", ")}`, 2)
  const command = await known.load()
  try {
    const given = readArguments(command.usage, argv)
    if (given.flags["help"] !== true) return await command.run(given)
    process.stdout.write(helpOf(command.usage))
    return 0
  } catch (error) {
    const isUsage = error instanceof AppError && error.code === "invalid"
    const later = named ? undefined : flags.find((word) => Object.hasOwn(COMMANDS, word))
    if (isUsage && later) return fail(`the command comes first: track-studio ${later} ${flags[0]} ...`, 2)
    if (error instanceof AppError) return fail(error.message, isUsage ? 2 : 1)
    return fail(error instanceof Error ? error.message : String(error), 1)
  }
}

process.exitCode = await run(process.argv.slice(2))
