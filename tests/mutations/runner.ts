import { type Mistake, of } from "./mistake.ts"

/** Mistakes in running commands and reporting on them. */
export const RUNNER: readonly Mistake[] = [
  ...of(
    "src/runner/zombies.ts",
    ["tests/runner/zombies.test.ts"],
    [["dead processes of a container stay", "forget(pid)", "void pid"]],
  ),
  ...of(
    "src/runner/lease-file.ts",
    ["tests/runner/lease-file-listed.test.ts"],
    [
      [
        "a damaged mark ends other programs",
        "Type.String({ pattern: MARK.source })",
        "Type.String({ minLength: 1 })",
      ],
    ],
  ),
  ...of(
    "src/runner/verdict.ts",
    ["tests/commands/work.test.ts"],
    [["a command that cannot be found is tried again", "!FINAL_CODES.includes(end.code)", "end.code > 0"]],
  ),
  ...of(
    "src/runner/attempt.ts",
    ["tests/runner/attempt.test.ts"],
    [
      [
        "a worker that stops tries longer to report than it was asked to",
        "Math.min(this.#reportWithinMs, ms)",
        "ms",
      ],
    ],
  ),
  ...of(
    "src/runner/command-variables.ts",
    ["tests/runner/command-variables.test.ts"],
    [
      [
        "the command of an item with much metadata cannot be started",
        "json && Buffer.byteLength(json) <= MAX_VARIABLE_LENGTH ? json : undefined",
        "json",
      ],
    ],
  ),
  ...of(
    "src/runner/expected-files.ts",
    ["tests/runner/expected-files.test.ts"],
    [
      [
        "a file that was there before counts as written",
        "before.mtimeNs !== after.mtimeNs ||\n  before.ctimeNs !== after.ctimeNs",
        "before.mtimeNs === after.mtimeNs ||\n  before.ctimeNs !== after.ctimeNs",
      ],
    ],
  ),
  ...of(
    "src/runner/leases-of-killed-workers.ts",
    ["tests/runner/leases-of-killed-workers.test.ts", "tests/runner/worker-leases.test.ts"],
    [
      [
        "an earlier result counts for an item that was retried since",
        "isOursAfterRetry: () => this.#isForgotten",
        "isOursAfterRetry: () => true",
      ],
      [
        "an earlier result is given up while its own claim may hold the item",
        "this.#lease.isPerhapsOurs",
        "false",
      ],
    ],
  ),
  ...of(
    "src/runner/item-source.ts",
    ["tests/runner/item-source.test.ts"],
    [
      ["a run that goes on with a kept lease begins no declared step", "      isContinued = true\n", ""],
      [
        "after a restore the next step of a render is refused",
        "{ worker, lease: leaseS, ...known }, before)",
        "{ worker, lease: leaseS, ...known }, undefined)",
      ],
    ],
  ),
  ...of(
    "src/runner/last-lines.ts",
    ["tests/runner/last-lines.test.ts"],
    [["an error message holds text that was drawn over", 'line.slice(line.lastIndexOf("\\r") + 1)', "line"]],
  ),
  ...of(
    "src/runner/lease-file.ts",
    ["tests/runner/lease-file.test.ts"],
    [
      [
        "the leases of another server are taken over",
        "addressOf(server) !== addressOf(this.#server) || all.some(isKept)",
        "all.some(isKept)",
      ],
      ["leases that were taken over stay where they were", "        this.#isWritten = false\n", ""],
      [
        "a lease that was kept for another server is used",
        "const isOurs = of !== undefined && addressOf(of) === addressOf(server)",
        "const isOurs = of !== undefined",
      ],
    ],
  ),
  ...of(
    "src/runner/lease-file.ts",
    ["tests/commands/steps.test.ts"],
    [
      [
        "a lease that is kept for a next step is taken over",
        "addressOf(server) !== addressOf(this.#server) || all.some(isKept)",
        "addressOf(server) !== addressOf(this.#server)",
      ],
    ],
  ),
  ...of(
    "src/runner/output-sender.ts",
    ["tests/runner/sent-output.test.ts"],
    [
      [
        "after another claim what was printed is stored at the old place",
        "        this.#token = held.token\n",
        "        this.#token ??= held.token\n",
      ],
      [
        "an output that is refused for now is never sent again",
        'if (!isFinalRefusal(error) || error.code === "lease_lost") throw error',
        "if (!(error instanceof ServerError)) throw error",
      ],
    ],
  ),
  ...of(
    "src/runner/output-spool.ts",
    ["tests/runner/output-spool.test.ts"],
    [["a part of the output is taken for sent", "at >= end", "at > end"]],
  ),
  ...of(
    "src/runner/reporter.ts",
    ["tests/runner/reporter.test.ts"],
    [
      [
        "after a cancel the server is flooded with heartbeats",
        "this.#isCancelled ? leaseS * 300 : HEARTBEAT_PAUSE_MS",
        "HEARTBEAT_PAUSE_MS",
      ],
      [
        "a claim whose answer was lost ends the reports",
        "this.#lease.last === undefined || this.#lease.isPerhapsOurs",
        "this.#lease.isPerhapsOurs",
      ],
      [
        "the last report of a lent item keeps its command waiting",
        "isLent ? Math.min(withinMs, LENT_WITHIN_MS) : withinMs",
        "withinMs",
      ],
      [
        "the end of a report does not wait for what is being sent",
        "        await Promise.all(this.#loops)\n",
        "",
      ],
      [
        "a run inside of another ends the lease of the outer one",
        "if (verdict && !isLent) await deliver",
        "if (verdict) await deliver",
      ],
    ],
  ),
  ...of(
    "src/runner/server-errors.ts",
    ["tests/runner/worker.test.ts"],
    [
      [
        "a worker that may not claim stops instead of waiting for its owner",
        "[401, 403, 421].includes",
        "[401, 421].includes",
      ],
    ],
  ),
  ...of(
    "src/runner/reporter.ts",
    ["tests/runner/reporter.test.ts", "tests/runner/waiting-reports.test.ts"],
    [
      [
        "a report that cannot be read is sent for ever",
        "error.status !== 413 && error.status !== 422",
        "error.status !== 413",
      ],
      [
        "a denial ends the reports",
        "if (isUnreachable(error) || isDenied(error)) return",
        "if (isUnreachable(error)) return",
      ],
      [
        "a cancel is acted on again and again",
        "if (this.#isCancelled) return\n    this.#isCancelled = true",
        "this.#isCancelled = true",
      ],
      [
        "a report that could not be sent is forgotten",
        "this.#waiting.giveBack(report)\n        throw error",
        "throw error",
      ],
    ],
  ),
  ...of(
    "src/runner/run-one-item.ts",
    ["tests/runner/exit-code.test.ts"],
    [
      [
        "a result that the server refuses counts as reported",
        '(isLent || delivery === "delivered") ? 0 : 1',
        '(isLent || delivery !== "pending") ? 0 : 1',
      ],
    ],
  ),
  ...of(
    "src/runner/process-tree.ts",
    ["tests/runner/process-tree.test.ts"],
    [["a suspended command is only killed, not ended", 'this.signal("SIGCONT")', ""]],
  ),
  ...of(
    "src/runner/waiting-reports.ts",
    ["tests/runner/reporter.test.ts", "tests/runner/waiting-reports.test.ts"],
    [
      [
        "the last report of a step is dropped with the next step",
        "if (last && !isOneStep(last, report)) this.#reports.push(last)",
        "void last",
      ],
      [
        "the newest of too many is dropped",
        "> MAX_REPORTS) this.#reports.shift()",
        "> MAX_REPORTS) this.#reports.pop()",
      ],
      [
        "an older report replaces a newer one of its step",
        "if (!next || !isOneStep(report, next)) this.#reports.unshift(report)",
        "this.#reports.unshift(report)",
      ],
    ],
  ),
  ...of(
    "src/runner/worker-leases.ts",
    ["tests/runner/worker-leases.test.ts"],
    [["the old token of a lease stays in the file", "this.#set(current, token)", "this.#set(current)"]],
  ),
  ...of(
    "src/runner/worker.ts",
    ["tests/runner/worker.test.ts"],
    [
      [
        "a worker that was told to return its items ends with an error",
        "RELEASE_CODES.includes(end.code) && !end.stop",
        "RELEASE_CODES.includes(end.code)",
      ],
      [
        "an item is begun though its claim was answered late",
        "if (tookMs < leaseS * 1000) return true",
        "return true",
      ],
    ],
  ),
  ...of(
    "src/runner/expected-files.ts",
    ["tests/runner/expected-files.test.ts"],
    [
      [
        "a whole video of an earlier attempt proves this one whole",
        "after !== undefined && isWritten(before, after) && this.#isLong(found)",
        "after !== undefined && this.#isLong(found)",
      ],
    ],
  ),
  ...of(
    "src/runner/reporter.ts",
    ["tests/runner/reporter.test.ts"],
    [
      [
        "a report that is too large is sent again and again",
        "(error.status !== 413 && error.status !== 422)",
        "error.status !== 422",
      ],
      [
        "a result overtakes a report that is under way, which is lost",
        "        await Promise.all(this.#loops)\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/runner/waiting-reports.ts",
    ["tests/runner/waiting-reports.test.ts"],
    [
      [
        "a report that could not be sent is lost when the next one begins a step",
        "!isOneStep(report, next)",
        "!isOneStep(next, report)",
      ],
    ],
  ),
  ...of(
    "src/runner/command-outputs.ts",
    ["tests/runner/command-process.test.ts"],
    [["a character that comes in two pieces is torn", "    this.#decoders.set(output, decoder)\n", ""]],
  ),
  ...of(
    "src/runner/pipes.ts",
    ["tests/runner/command-process.test.ts"],
    [
      [
        "output that goes out slowly is cut off",
        "this.#isWriting || before !== this.#chunks",
        "before !== this.#chunks",
      ],
      [
        "a command that is to end waits for a reader that stands still",
        "    this.#isHurried = true\n    this.#limitWrite()\n",
        "    this.#isHurried = true\n",
      ],
      [
        "what a slow reader has not taken is dropped when its command ends",
        "this.#unwrittenBytes > MOST_UNWRITTEN_BYTES",
        "this.#isSinkStuck",
      ],
    ],
  ),
  ...of(
    "src/runner/worker.ts",
    ["tests/runner/worker.test.ts"],
    [
      [
        "a command is started after the worker was stopped",
        "      this.#stopping.signal.throwIfAborted()\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/runner/attempt.ts",
    ["tests/runner/attempt.test.ts"],
    [
      [
        "a result is told while something of the command still runs",
        "    await this.#stopped\n    const",
        "    const",
      ],
    ],
  ),
  ...of(
    "src/runner/expected-files.ts",
    ["tests/runner/expected-files.test.ts"],
    [
      [
        "a good file makes up for one that is missing",
        "if (isVerified) failure ??= this.#failureOf",
        "if (isVerified) failure = this.#failureOf",
      ],
    ],
  ),
  ...of(
    "src/runner/attempt.ts",
    ["tests/runner/attempt.test.ts"],
    [
      [
        "a second stop of a worker does not end the wait for the server",
        "    if (this.#hasEnded) return this.#reporting.abort()\n    this.#stop = stop",
        "    if (this.#hasEnded) return\n    this.#stop = stop",
      ],
    ],
  ),
  ...of(
    "src/runner/worker.ts",
    ["tests/runner/worker-refusals.test.ts"],
    [
      [
        "steps that cannot be declared end the item",
        "      if (!(error instanceof ServerError)) throw error\n      toStderr(`queue item ${held.id}: its steps",
        "      throw error\n      toStderr(`queue item ${held.id}: its steps",
      ],
    ],
  ),
  ...of(
    "src/runner/own-lease.ts",
    ["tests/runner/reporter.test.ts", "tests/runner/waiting-reports.test.ts"],
    [
      [
        "the late loss of an old lease drops the new one",
        "if (this.#held === held) this.#held = undefined",
        "this.#held = undefined",
      ],
    ],
  ),
]
