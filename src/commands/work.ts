import { AppError } from "../errors.ts"
import { planned } from "../runner/progress-arguments.ts"
import { endSoon, exit, takeSignals } from "../runner/signals.ts"
import { toStderr } from "../runner/stderr.ts"
import { Worker, type WorkerOptions } from "../runner/worker.ts"
import { forgetZombies } from "../runner/zombies.ts"
import { stateFolder } from "../settings/environment.ts"
import { setting, textFlag } from "../settings/read-settings.ts"
import { version } from "../version.ts"
import { clientOf, type Command, namesFlag, tagsFlag, wholeFlag } from "./command.ts"
import { KIND_FLAG, RENDER_FLAGS, renderFlags, reportWithinFlag } from "./render-flags.ts"
import { type Arguments, refuseMoreWords } from "./usage.ts"

const MAX_CONCURRENCY = 256
/** A day: an outage of one night loses no render. */
const REPORT_WITHIN_S = 86_400

/** @throws AppError `invalid` */
function workerOptions(given: Arguments): WorkerOptions {
  refuseMoreWords(given, 0)
  const exec = textFlag(given.flags, "exec") ?? ""
  if (exec.trim() === "")
    throw new AppError(
      "invalid",
      "missing command; give it with --exec, as in: track-studio work --exec ./render.sh",
    )
  const flags = renderFlags(given, REPORT_WITHIN_S)
  return {
    ...flags,
    client: clientOf(given),
    version,
    server: setting("server", given.flags),
    plan: planned(["/bin/sh", "-c", exec], { renderer: flags.renderer ?? "lines" }),
    stateFolder: stateFolder(),
    kind: textFlag(given.flags, "kind"),
    tags: tagsFlag(given) ?? [],
    steps: namesFlag(given, "steps") ?? [],
    concurrency: wholeFlag(given, "concurrency", { least: 1, most: MAX_CONCURRENCY, fallback: 1 }),
  }
}

/** Renders queued items. */
export const workCommand: Command = {
  usage: {
    line: "work --exec COMMAND",
    about: `Takes items from the queue and runs a shell command for each. The command gets the item as JSON on
its standard input and in TRACK_STUDIO_ITEM; TRACK_STUDIO_ITEM_ID, TRACK_STUDIO_SONG_ID and
TRACK_STUDIO_LEASE are its ID, its song and its lease. The command's output is read for progress. In
a script, use "track-studio run --total 212.5 -- ffmpeg ..."; a plain ffmpeg needs -nostdin or
</dev/null, or it reads the JSON as key presses. Exit code 0 completes the item; 64 or 65 fails it
without a retry. On SIGTERM the worker finishes its items and exits with 0; a second SIGTERM returns
them to the queue. It also finishes and exits when it is drained: "track-studio workers --drain NAME".`,
    settings: ["server", "token-file"],
    flags: {
      exec: { type: "string", placeholder: "COMMAND", help: "shell command that renders one item" },
      concurrency: { type: "string", placeholder: "N", help: "items at a time; default 1" },
      tags: {
        type: "string",
        placeholder: "TAG,...",
        help: "tags that this worker offers; it skips items that need others",
      },
      ...KIND_FLAG,
      steps: {
        type: "string",
        placeholder: "NAME,...",
        help: 'the steps of each render: each "track-studio run" in the script is the next one',
      },
      ...RENDER_FLAGS,
      "report-within": reportWithinFlag(REPORT_WITHIN_S),
    },
  },
  async run(given) {
    const options = workerOptions(given)
    const worker = new Worker(options)
    using _signals = takeSignals({
      onEnd: () => worker.signal(),
      onSuspend: (isSuspended) => worker.suspend(isSuspended),
    })
    using _zombies = forgetZombies()
    toStderr(`taking items from ${options.server} as ${options.worker}`)
    await worker.run().catch((error: unknown) => {
      endSoon()
      throw error
    })
    // Exit even though a request to a server that never answers may still be open.
    return exit(0, true)
  },
}
