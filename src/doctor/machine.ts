import { execFile } from "node:child_process"

import { isShortage } from "../errors.ts"
import { FOR_STREAMS, systemText } from "../machine/machine.ts"
import { isPostgres, shownDatabase } from "../store/database-address.ts"
import { printable } from "../text.ts"
import { examinedDisk } from "./disk.ts"
import { faulty, type Finding, good, note, unknown } from "./finding.ts"

/** The file descriptors for ten thousand streams, and for the server itself. */
const LEAST_DESCRIPTORS = 12_500

const ANSWER_MS = 10_000

/** Why a program printed nothing. */
interface ProgramFailure {
  /** Its exit code, or the name of the error that kept it from starting. */
  readonly code?: unknown
  /** Whether it was ended because it took too long. */
  readonly killed?: boolean | undefined
}

/** What a program prints on standard output, or why it does not. */
const said = (program: string, args: readonly string[]): Promise<string | ProgramFailure> =>
  new Promise((resolve) => {
    try {
      execFile(program, args, { timeout: ANSWER_MS }, (error, text) => resolve(error ?? text))
    } catch (error) {
      // A file that this machine cannot run is refused at once.
      resolve(Object(error))
    }
  })

/** Why a program that was found does not run. */
const brokenOf = ({ code }: ProgramFailure): string => {
  if (code === "ENOEXEC") return "it is a program for another kind of machine, or damaged"
  return code === "EACCES" ? "this user may not run it" : `it ended with ${code}`
}

/** That a program could not be started, for a reason that says nothing about it. */
const notTried = ({ code }: ProgramFailure): string =>
  `not tried: no other program can be started now (${code}); raise ulimit -n, or end other programs`

/** How many files a process may open. `limits` is the text of `/proc/self/limits`; the server takes the hard limit. */
export function descriptors(limits: string): Finding {
  const about = "descriptors"
  const [, hard] = /^Max open files +\S+ +(\S+)/m.exec(limits) ?? []
  if (hard === undefined) return unknown(about, "this system does not show how many files may be open")
  const most = hard === "unlimited" ? Number.POSITIVE_INFINITY : Number(hard)
  const says = `a process started from this shell may open ${hard} files`
  if (most >= LEAST_DESCRIPTORS) return good(about, says)
  return faulty(about, "descriptors_few", `${says}, so ${Math.floor(most * FOR_STREAMS)} streams`)
}

/**
 * With this many tries, the kernel gives up a vanished viewer after about 100 s. With its default of 15, this
 * takes 16 minutes.
 */
const FEW_TRIES = 8

/** How soon a vanished viewer is noticed. `tries` is the text of `/proc/sys/net/ipv4/tcp_retries2`. */
export function vanishing(tries: string): Finding {
  const about = "vanished viewers"
  const count = Number(tries.trim() || "NaN")
  if (Number.isNaN(count)) return unknown(about, "this system does not say how long it tries")
  if (count <= FEW_TRIES) return good(about, "their streams end within two minutes")
  return note(
    about,
    "their streams stay open for up to 16 minutes; sysctl net.ipv4.tcp_retries2=8 shortens that to two",
  )
}

/** The programs that renders need, with the arguments that print their version. */
const PROGRAMS = [
  { about: "ffmpeg", args: ["-version"], need: "renders that use it fail" },
  { about: "ffprobe", args: ["-version"], need: "videos are not checked when they are finished" },
  { about: "blender", args: ["--version"], need: "renders that use it fail" },
] as const

/** What it means that a program printed no version; `need` says what needs it. */
export function silentProgram(about: string, need: string, failure: ProgramFailure): Finding {
  if (isShortage(failure)) return unknown(about, notTried(failure))
  // A large program takes as long to start where other programs keep processors and disk busy.
  if (failure.killed)
    return unknown(
      about,
      `printed no version within ${ANSWER_MS / 1000} s: it hangs, or this machine is very busy`,
    )
  if (failure.code === "ENOENT") return note(about, `not found: on a machine that renders, ${need}`)
  return faulty(about, "program_broken", `does not run: ${brokenOf(failure)}`)
}

/** Which of the programs are installed, and in which version. */
const programs = (): Promise<Finding[]> =>
  Promise.all(
    PROGRAMS.map(async ({ about, args, need }) => {
      const text = await said(about, args)
      if (typeof text !== "string") return silentProgram(about, need, text)
      return good(about, printable(/\d[\w.+~:-]*/.exec(text)?.[0] ?? "found"))
    }),
  )

const UNITS = ["track-studio", "track-studio-worker"] as const

/** The state of the units of systemd. */
const units = (): Promise<Finding[]> => Promise.all(UNITS.map(unit))

async function unit(name: string): Promise<Finding> {
  const text = await said("systemctl", [
    "show",
    name,
    "--property",
    "LoadState,ActiveState,SubState,UnitFileState",
  ])
  if (typeof text !== "string")
    return isShortage(text) ? unknown(name, notTried(text)) : note(name, "systemd does not run here")
  const stateOf = (key: string): string => new RegExp(`^${key}=(.*)$`, "m").exec(text)?.[1] ?? ""
  if (stateOf("LoadState") === "not-found")
    return note(name, "not installed; packaging/install.sh installs it")
  const state = `${stateOf("ActiveState")} (${stateOf("SubState")})`
  // A machine may be only for the server, or only for a worker. A unit that should run is enabled.
  if (stateOf("ActiveState") === "inactive" && stateOf("UnitFileState") === "disabled")
    return note(name, "installed, and not in use here; systemctl enable --now starts it")
  return stateOf("ActiveState") === "active" ? good(name, state) : faulty(name, "unit_down", state)
}

/** Examines this machine: what a server with this database needs, and what renders need. */
export async function* examinedMachine(database: string): AsyncGenerator<Finding, void, undefined> {
  const mounts = systemText("/proc/self/mountinfo")
  if (isPostgres(database)) {
    const what = `${printable(shownDatabase(database))} was not checked`
    yield note("database", `${what}: a server reports at its start what is wrong with it`)
  } else yield* examinedDisk(database, mounts)
  yield descriptors(systemText("/proc/self/limits"))
  yield vanishing(systemText("/proc/sys/net/ipv4/tcp_retries2"))
  yield* await programs()
  yield* await units()
}
