import { closeSync, writeSync } from "node:fs"

import { every, type Repetition } from "../background-work.ts"
import { isRead, pipe } from "../machine/libc.ts"
import { brandOf } from "./process-brand.ts"

/**
 * Waits until its standard input ends, which happens when our process ends, even if it is killed. Then it
 * ends the commands that the last line lists as "NUMBER:BRAND:PID ...", with "-" for a PID that is not known
 * yet. It sends SIGTERM, and SIGKILL after 2 s, to each session, to all processes that carry the command's
 * mark in their environment or its brand as a limit, to the processes that were found before, and to
 * everything that any of these has started. $1 is the beginning of all marks. $2, our PID, is for people who
 * look at the list of processes.
 *
 * It is a shell script because a shell is small, starts at once, and runs even when our binary was replaced
 * or memory is short. A shell gives a background job no standard input, so the input is passed on as
 * descriptor 4.
 */
export const GUARD_SCRIPT = `
exec 4<&0
(
trap '' HUP INT QUIT TERM
mark=$1 commands= line= found=
while IFS= read -r line; do commands=$line; done
marked() {
  [ -n "$commands" ] || return
  set --
  for command in $commands; do set -- "$@" -e "$mark.\${command%%:*}."; done
  grep -lsF "$@" /proc/[0-9]*/environ
  set --
  for command in $commands; do
    brand=\${command#*:}
    set -- "$@" -e "^Max file locks  *[0-9]*\${brand%%:*}[0-9]* "
  done
  grep -ls "$@" /proc/[0-9]*/limits
}
# The running processes as "PID:PARENT:SESSION:START".
running() {
  for file in /proc/[0-9]*/stat; do
    { IFS= read -r stat <"$file"; } 2>/dev/null || continue
    pid=\${stat%% *}
    set -- \${stat##*) }
    [ "$1" = Z ] || echo "$pid:$2:$4:\${20}"
  done
}
has() { case $1 in *"$2"*) true ;; *) false ;; esac; }
# Sets found to all that is to be ended, as "PID:START".
look() {
  pids=" "
  for file in $(marked); do
    file=\${file#/proc/}
    pids="$pids\${file%%/*} "
  done
  all=$(running) now=" " before=
  while [ "$now" != "$before" ]; do
    before=$now
    for process in $all; do
      pid=\${process%%:*} start=\${process##*:} rest=\${process#*:}
      parent=\${rest%%:*} rest=\${rest#*:}
      ! has "$now" " $pid:$start " || continue
      if has "$commands " ":\${rest%%:*} " || has "$found" " $pid:$start " ||
        has "$pids" " $pid " || has "$pids" " $parent "; then
        now="$now$pid:$start " pids="$pids$pid "
      fi
    done
  done
  found=$now
}
# Ends what was found: gently what is new, and after 2 s by force. On a busy machine a look takes long, so time counts.
# A second SIGTERM would cut off a command that is just ending.
end() {
  clock
  [ "$tries" -gt 0 ] || began_cs=$now_cs
  if [ "$((now_cs - began_cs))" -ge 200 ] || [ "$tries" -ge 10 ]; then
    for process in $found; do kill -KILL "\${process%%:*}" 2>/dev/null; done
    return
  fi
  for process in $found; do
    has "$asked" " $process " && continue
    kill -TERM "\${process%%:*}" 2>/dev/null
    kill -CONT "\${process%%:*}" 2>/dev/null
    asked="$asked$process "
  done
}
# The time since the machine started, in hundredths of a second.
clock() {
  now_cs=0
  IFS=". " read -r seconds hundredths rest <"/proc/uptime" && now_cs=$seconds$hundredths
}
tries=0 asked=" "
while look; [ "$found" != " " ] && [ "$tries" -lt 100 ]; do
  end
  tries=$((tries + 1))
  sleep 0.2
done
) <&4 4<&- &
`

/** How often to check that the guard still runs. */
const LOOK_MS = 1000

/** A command that the guard watches. */
export interface Guarded extends Disposable {
  /**
   * The text that the guard searches in the environment of processes. The brand that it searches is `brandOf`
   * this text.
   */
  readonly mark: string
  /** Tells the guard which session the command leads. Call it when the command was started. */
  readonly started: (pid: number) => void
}

/**
 * A second process. If we are killed, it ends our commands and everything that they started, so that no
 * render goes on unreported and two renders never write one file.
 */
export class KillGuard {
  readonly #id = crypto.randomUUID()
  readonly #commands = new Map<string, number | undefined>()
  readonly #lease: () => number | undefined
  #input: number | undefined
  #looking: Repetition | undefined
  #count = 0

  /**
   * `lease` returns the descriptor of a locked file. The file stays locked until the guard has done its work.
   * Default: no file.
   */
  constructor(lease: () => number | undefined = () => undefined) {
    this.#lease = lease
    this.#start()
  }

  #start(): void {
    const ends = pipe()
    if (!ends) return
    const lease = this.#lease()
    try {
      const child = Bun.spawn(
        ["/bin/sh", "-c", GUARD_SCRIPT, "track-studio-guard", this.#id, `${process.pid}`],
        {
          stdio: [ends.from, "ignore", "ignore", ...(lease === undefined ? [] : [lease])],
          env: { PATH: "/usr/local/bin:/usr/bin:/bin" },
          cwd: "/",
          // A signal to our process group, or a terminal that is closed, must not end the guard.
          detached: true,
        },
      )
      child.unref()
      this.#input = ends.to
    } catch {
      closeSync(ends.to)
    } finally {
      closeSync(ends.from)
    }
  }

  /** Watches a command that is about to be started. Disposing of the result ends the watching. */
  watch(): Guarded {
    const number = (this.#count += 1)
    const mark = `${this.#id}.${number}.`
    const name = `${number}:${brandOf(mark)}`
    const started = (pid?: number): void => {
      this.#commands.set(name, pid)
      this.#tell()
      // If this fails, it is tried again at the next check.
      this.#looking ??= every(
        LOOK_MS,
        () => this.#look(),
        () => undefined,
      )
    }
    // This happens before the command starts: if we are killed at that moment, the guard finds the command by
    // its mark.
    started()
    return {
      mark,
      started,
      [Symbol.dispose]: () => {
        this.#commands.delete(name)
        this.#tell()
        if (this.#commands.size > 0) return
        void this.#looking?.stop()
        this.#looking = undefined
      },
    }
  }

  /** Starts another guard if the guard was killed, for example because memory was short. */
  #look(): void {
    if (this.#input === undefined || !isRead(this.#input)) this.#tell()
  }

  #tell(): void {
    if (this.#send()) return
    this.#start()
    this.#send()
  }

  /** Sends the list of commands to the guard; returns whether there is a guard. */
  #send(): boolean {
    if (this.#input === undefined) return false
    const list = [...this.#commands].map(([name, pid]) => `${name}:${pid ?? "-"}`)
    try {
      writeSync(this.#input, `${list.join(" ")}\n`)
      return true
    } catch {
      closeSync(this.#input)
      this.#input = undefined
      return false
    }
  }
}
