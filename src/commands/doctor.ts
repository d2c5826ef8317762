import { examined } from "../doctor/doctor.ts"
import type { Finding } from "../doctor/finding.ts"
import { examinedMachine } from "../doctor/machine.ts"
import { AppError } from "../errors.ts"
import { nonBlockingOutput } from "../non-blocking-output.ts"
import { isLively } from "../settings/colour-and-motion.ts"
import { setting, token } from "../settings/read-settings.ts"
import { type Tone } from "../terminal/terminal.ts"
import { counted, safeJson } from "../text.ts"
import { type Command, say, styleOn, wholeFlag } from "./command.ts"
import { refuseMoreWords } from "./usage.ts"

/** The longest time for an answer that should come at once, in milliseconds. */
const PATIENCE_MS = 5000

/**
 * Longer than the longest keepalive, and than the 60 s after which proxies by default end a silent
 * connection.
 */
const IDLE_S = 65
const MAX_IDLE_S = 3600

const MARKS: Readonly<Record<Finding["verdict"], readonly [mark: string, tone: Tone]>> = {
  good: ["✔", "good"],
  note: ["•", "dim"],
  fault: ["✘", "bad"],
  unknown: ["?", "warn"],
}

/** As wide as the longest name of a check. */
const WIDTH = "track-studio-worker".length

/** A finding as lines for people: what was seen, and below a fault the lines that fix it. */
function linesOf({ about, verdict, says, remedy }: Finding): string {
  const style = styleOn()
  const [mark, tone] = MARKS[verdict]
  const found = `${style(mark, tone)} ${about.padEnd(WIDTH)}  ${says}`
  return [found, ...remedy.map((line) => `${" ".repeat(WIDTH + 4)}${style(line, "bold")}`)].join("\n")
}

/** Prints findings as they come; returns how many of them are faults. */
async function printed(findings: AsyncGenerator<Finding, void, undefined>, idleS: number): Promise<number> {
  const [waiting, clear] = isLively(process.stdout)
    ? [idleS > 0 ? `… this takes up to ${idleS} s` : "…", "\r\u001b[K"]
    : ["", ""]
  let faults = 0
  nonBlockingOutput(1).write(waiting)
  for await (const finding of findings) {
    say(`${clear}${linesOf(finding)}`)
    nonBlockingOutput(1).write(waiting)
    if (finding.verdict === "fault") faults += 1
  }
  nonBlockingOutput(1).write(clear)
  return faults
}

/** The address that was typed; an address without a scheme means plain HTTP. @throws AppError `invalid` */
function urlOf(typed: string): URL {
  const url = URL.parse(typed.includes("://") ? typed : `http://${typed}`)
  if (url && /^https?:$/.test(url.protocol) && url.hostname !== "") {
    // An address that was copied from a browser may name a view of the page.
    url.search = ""
    url.hash = ""
    return url
  }
  throw new AppError("invalid", `URL must be an address such as https://studio.example, not "${typed}"`)
}

/** Looks at a server through its public address, or at this machine. */
export const doctorCommand: Command = {
  usage: {
    line: "doctor [URL]",
    about: `Checks a server through its public address, as browsers, commands and renderers reach it. It reports what a
proxy in between does wrong, and prints the configuration lines that fix it. Without a URL it checks this
machine: disk, file descriptors, programs, systemd units. It changes nothing. Exits with 1 if there is a fault.`,
    settings: ["database", "token-file"],
    flags: {
      idle: {
        type: "string",
        placeholder: "S",
        help: `seconds to watch idle streams and requests, more than --keepalive-ms; 0 skips these checks; default ${IDLE_S}`,
      },
      json: { type: "boolean", help: "print the findings as JSON" },
    },
  },
  async run(given) {
    refuseMoreWords(given, 1)
    const [address] = given.words
    if (address === undefined && given.flags["idle"] !== undefined) {
      throw new AppError("invalid", "--idle needs a URL: without one, doctor checks this machine alone")
    }
    const idleS = wholeFlag(given, "idle", { least: 0, most: MAX_IDLE_S, fallback: IDLE_S })
    const findings =
      address === undefined
        ? examinedMachine(setting("database", given.flags))
        : examined({
            url: urlOf(address),
            token: token(given.flags),
            patienceMs: PATIENCE_MS,
            idleMs: idleS * 1000,
            now: Date.now,
          })
    if (given.flags["json"]) {
      const all = await Array.fromAsync(findings)
      say(safeJson({ findings: all }))
      return all.some(({ verdict }) => verdict === "fault") ? 1 : 0
    }
    const faults = await printed(findings, address === undefined ? 0 : idleS)
    say(faults === 0 ? "No fault was found." : `${counted(faults, "fault")}.`)
    return faults === 0 ? 0 : 1
  },
}
