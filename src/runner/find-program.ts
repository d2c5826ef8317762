import { basename } from "node:path"

/** Programs that run the command that follows them, with the file descriptors that they were given. */
const WRAPPERS = new Set(
  (
    "catchsegv chrt cpulimit dbus-run-session env firejail gamemoderun ionice mangohud nice nohup numactl optirun " +
    "prime-run setarch setsid stdbuf strace systemd-inhibit taskset time timeout xvfb-run"
  ).split(" "),
)
/** As `WRAPPERS`, but the command runs elsewhere, as another user, or without our file descriptors. */
const DISTANT = new Set(
  "apptainer distrobox docker doas flatpak nerdctl podman singularity snap srun ssh sudo systemd-run toolbox".split(
    " ",
  ),
)

/** A renderer, found in a command. */
export interface FoundProgram {
  /** Which word of the command it is. */
  readonly index: number
  /** Whether it may run in a container, or otherwise without our files and file descriptors. */
  readonly isDistant: boolean
}

/** A program by its name, its version, or as a container's image or an application's id. */
const named = (name: string): RegExp =>
  new RegExp(`^(?:[a-z]+\\.${name}\\.)?${name}(?:-?\\d[\\d.]*)?(?:[:@].*)?(?:\\.exe)?$`, "i")

const [FFMPEG, BLENDER] = [named("ffmpeg"), named("blender")]

/** Finds a program in a command: first, or after others that run it; undefined if it is not there. */
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
