import { environment } from "../settings/environment.ts"

const PROBE_MS = 30_000
/** Formats that contain a single picture. */
const STILL = /^(?:image2|[a-z0-9]+_pipe)$/

/** What ffprobe found in a file. */
export type Probe =
  | {
      /** A medium with a duration, such as a video. */
      readonly kind: "lasting"
      /** Its duration in seconds; null if the file does not say it. */
      readonly seconds: number | null
    }
  | {
      /** A still picture. */
      readonly kind: "still"
    }
  | {
      /** A file that ffprobe cannot open. */
      readonly kind: "broken"
      /** The reason, in ffprobe's words. */
      readonly reason: string
    }
  | {
      /** Nothing is known about the file: ffprobe is not installed, or took longer than 30 s. */
      readonly kind: "unknown"
      /** Whether ffprobe took too long. */
      readonly isLate: boolean
    }

function probeOf(text: string): Probe {
  try {
    const found: { format?: { format_name?: unknown; duration?: unknown }; streams?: unknown[] } =
      JSON.parse(text)
    const { format_name: format, duration } = found.format ?? {}
    if (!found.streams?.length) return { kind: "broken", reason: "it has no streams" }
    if (STILL.test(String(format))) return { kind: "still" }
    const seconds = Number(duration)
    return { kind: "lasting", seconds: seconds > 0 ? seconds : null }
  } catch {
    return UNKNOWN
  }
}

const UNKNOWN: Probe = { kind: "unknown", isLate: false }
/** ffprobe's exit code for a file that it cannot open. With another code, ffprobe itself does not work. */
const NO_MEDIUM = 1

/** Starts a program whose output is read; undefined if the system cannot start it. */
function started(command: string[], withinMs: number) {
  try {
    return Bun.spawn(command, {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      env: environment({}),
      timeout: withinMs,
      killSignal: "SIGKILL",
    })
  } catch {
    return undefined
  }
}

/** Asks ffprobe what a file is. ffprobe has 30 s by default; `program` and `withinMs` are for tests. */
export async function probe(path: string, program = "ffprobe", withinMs = PROBE_MS): Promise<Probe> {
  const ffprobe = Bun.which(program)
  if (ffprobe === null) return UNKNOWN
  const show = ["-show_entries", "format=format_name,duration:stream=codec_type", "-of", "json"]
  const child = started([ffprobe, "-v", "error", ...show, `file:${path}`], withinMs)
  if (!child) return UNKNOWN
  const [out, error] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  if (child.signalCode !== null) return { kind: "unknown", isLate: true }
  if (child.exitCode === 0) return probeOf(out)
  if (child.exitCode !== NO_MEDIUM) return UNKNOWN
  const reason = error.trim().split("\n").at(-1)?.replaceAll(`file:${path}`, path)
  return { kind: "broken", reason: reason || "ffprobe does not say why" }
}
