import { basename } from "node:path"

/** Programs that run the command after their own arguments, and pass their file descriptors on to it. */
const WRAPPERS = new Set(
  (
    "catchsegv chrt cpulimit dbus-run-session env firejail gamemoderun ionice mangohud nice nohup numactl optirun " +
    "prime-run setarch setsid stdbuf strace systemd-inhibit taskset time timeout xvfb-run"
  ).split(" "),
)
/**
 * Programs like `WRAPPERS` that run the command elsewhere, as another user, or without our file descriptors.
 */
const DISTANT = new Set(
  "apptainer distrobox docker doas flatpak nerdctl podman singularity snap srun ssh sudo systemd-run toolbox".split(
    " ",
  ),
)

/** A renderer, found in a command. */
export interface FoundProgram {
  /** The index of its word in the command. */
  readonly index: number
  /** Whether it may run in a container, or otherwise without our files and file descriptors. */
  readonly isDistant: boolean
}

/**
 * Matches a program by its name, with a version or without, or as the image of a container or the ID of an
 * application.
 */
const named = (name: string): RegExp =>
  new RegExp(`^(?:[a-z]+\\.${name}\\.)?${name}(?:-?\\d[\\d.]*)?(?:[:@].*)?(?:\\.exe)?$`, "i")

const [FFMPEG, BLENDER] = [named("ffmpeg"), named("blender")]

/**
 * Finds a program in a command: as the first word, or after programs that run it; undefined if it is not
 * there.
 */
function find(command: readonly string[], program: RegExp): FoundProgram | undefined {
  const index = command.findIndex((word) => program.test(basename(word)))
  const [first = ""] = command
  if (index < 0) return undefined
  if (index > 0 && !WRAPPERS.has(basename(first)) && !DISTANT.has(basename(first))) return undefined
  return { index, isDistant: command.slice(0, index).some((word) => DISTANT.has(basename(word))) }
}

/** Finds ffmpeg in a command. */
export const ffmpegIn = (command: readonly string[]): FoundProgram | undefined => find(command, FFMPEG)

/** Finds Blender in a command. */
export const blenderIn = (command: readonly string[]): FoundProgram | undefined => find(command, BLENDER)
