import { type Mistake, of } from "./mistake.ts"

/** Mistakes in what a worker sends to the server: its lease, its output, its result. */
export const REPORTING: readonly Mistake[] = [
  ...of(
    "src/runner/item-source.ts",
    ["tests/runner/item-source.test.ts"],
    [
      [
        "a kept lease is forgotten when the server does not answer at once",
        "before ??= kept(id)",
        "before = kept(id)",
      ],
    ],
  ),
  ...of(
    "src/runner/worker-leases.ts",
    ["tests/runner/worker-leases.test.ts"],
    [
      [
        "what a killed worker left behind is returned again and again",
        "      this.#pending.delete(lease)\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/runner/worker.ts",
    ["tests/runner/worker.test.ts"],
    [["a stop while a claim waits is a fault", "        if (signal.aborted) return undefined\n", ""]],
  ),
  ...of(
    "src/runner/output-spool.ts",
    ["tests/runner/output-spool.test.ts"],
    [
      [
        "a line is cut while it is being printed",
        "if (!lines.isHeard && lines.transcript.hasOpenLine)",
        "if (lines.transcript.hasOpenLine)",
      ],
    ],
  ),
  ...of(
    "src/runner/output-sender.ts",
    ["tests/runner/output-sender.test.ts"],
    [
      [
        "the last output is lost while the server is away",
        "      if (!(error instanceof ServerError) || error.status === 0) throw error\n    }\n  }\n}",
        "      if (!(error instanceof ServerError)) throw error\n    }\n  }\n}",
      ],
    ],
  ),
  ...of(
    "src/runner/reporter.ts",
    ["tests/runner/reporter.test.ts"],
    [
      [
        "after a restore a worker gives its item up",
        '    if (error.code === "leased" && canClaim) return this.#refused(error)\n',
        "",
      ],
    ],
  ),
  ...of(
    "src/runner/run-one-item.ts",
    ["tests/runner/exit-code.test.ts"],
    [
      [
        "a run that was cancelled dies of the signal",
        'signal !== null && stop?.by !== "cancel"',
        "signal !== null",
      ],
    ],
  ),
  ...of(
    "src/runner/command-outputs.ts",
    ["tests/runner/command-process.test.ts"],
    [
      [
        "a command that could not start leaves its pipes open",
        "if (pipe) closeSync(pipe.from)\n    this.#closeTargets()",
        "if (pipe) closeSync(pipe.from)",
      ],
      [
        "a last line without its end is not read",
        "    for (const output of this.#read) this.#reader?.end(output)\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/runner/lease-file.ts",
    ["tests/runner/lease-file-listed.test.ts"],
    [
      [
        "leases of another version are deleted",
        "if (rest.leases.length > 0) replace(fileOf(lockPath), rest)\n      else removeBoth(lockPath)",
        "removeBoth(lockPath)",
      ],
    ],
  ),
  ...of(
    "src/runner/lease-file.ts",
    ["tests/runner/worker-leases.test.ts"],
    [
      [
        "leases are removed before they are written elsewhere",
        "if (leases.length > 0) {",
        "if (leases.length > 300) {",
      ],
    ],
  ),
  ...of(
    "src/runner/output-spool.ts",
    ["tests/runner/output-spool.test.ts"],
    [
      [
        "what the server has still takes room in the spool",
        "    this.#size = this.#parts.reduce((size, { bytes }) => size + bytes.length, 0)\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/runner/reporter.ts",
    ["tests/runner/reporter.test.ts"],
    [["a cancelled item is renewed after its lease is over", "leaseS * 300 :", "leaseS * 3000 :"]],
  ),
  ...of(
    "src/runner/attempt.ts",
    ["tests/runner/attempt.test.ts"],
    [
      [
        "the files of a command that failed are looked at",
        "      end.code === 0 && !this.#stop\n        ?",
        "      !this.#stop\n        ?",
      ],
    ],
  ),
  ...of(
    "src/runner/expected-files.ts",
    ["tests/runner/expected-files.test.ts"],
    [
      [
        "a picture in a video's container counts as a video",
        'if (found.kind === "lasting" && found.seconds !== null) return false',
        'if (found.kind === "lasting") return false',
      ],
    ],
  ),
  ...of(
    "src/runner/command-outputs.ts",
    ["tests/runner/command-process.test.ts"],
    [
      [
        "what a command writes to our own pipe is stored as its output",
        "if (output !== 3) onPrinted(bytes, output)",
        "onPrinted(bytes, output)",
      ],
    ],
  ),
  ...of(
    "src/runner/output-spool.ts",
    ["tests/runner/output-spool.test.ts"],
    [
      [
        "a spool that is full loses what came last",
        "this.#size -= this.#parts.shift()?.bytes.length",
        "this.#size -= this.#parts.pop()?.bytes.length",
      ],
    ],
  ),
  ...of(
    "src/runner/lease-file.ts",
    ["tests/runner/worker-leases.test.ts"],
    [
      [
        "leases that could not be written leave a file behind",
        "    rmSync(next, { force: true })\n    throw error",
        "    throw error",
      ],
    ],
  ),
  ...of(
    "src/runner/processes.ts",
    ["tests/runner/process-tree.test.ts"],
    [
      [
        "a process that got the number of another is ended in its place",
        "was.get(pid) === startedAt",
        "was.has(pid)",
      ],
    ],
  ),
  ...of(
    "src/runner/command-variables.ts",
    ["tests/runner/command-variables.test.ts"],
    [
      [
        "an item of wide characters is too long for its command",
        "Buffer.byteLength(json) <= MAX_VARIABLE_LENGTH",
        "json.length <= MAX_VARIABLE_LENGTH",
      ],
    ],
  ),
  ...of(
    "src/runner/ffprobe.ts",
    ["tests/runner/expected-files.test.ts"],
    [["the words of ffprobe name a file as it was asked for", "?.replaceAll(`file:${path}`, path)", ""]],
  ),
  ...of(
    "src/runner/ffprobe.ts",
    ["tests/runner/expected-files.test.ts"],
    [
      [
        "a video of which ffprobe says 0 s lasts 0 s",
        "seconds > 0 ? seconds : null",
        "seconds >= 0 ? seconds : null",
      ],
    ],
  ),
  ...of(
    "src/runner/ffmpeg-output-file.ts",
    ["tests/runner/expected-files.test.ts"],
    [
      [
        "a muxer of an input counts for the output",
        "format > input ? words[format + 1] : undefined",
        "format >= 0 ? words[format + 1] : undefined",
      ],
    ],
  ),
  ...of(
    "src/runner/find-program.ts",
    ["tests/runner/progress-arguments.test.ts"],
    [
      [
        "a program that is named by its path runs no renderer",
        "!WRAPPERS.has(basename(first)) && !DISTANT",
        "!WRAPPERS.has(first) && !DISTANT",
      ],
    ],
  ),
  ...of(
    "src/runner/reporter.ts",
    ["tests/runner/reporter.test.ts"],
    [["an older server gets no media", '"step", "unit", "media"] as const', '"step", "unit"] as const']],
  ),
  ...of(
    "src/runner/retry-pauses.ts",
    ["tests/runner/retry-pauses.test.ts"],
    [
      [
        "the longest pause is as long as it was asked for",
        "this.#mostMs = Math.min(mostMs, MOST_MS)",
        "this.#mostMs = mostMs",
      ],
    ],
  ),
  ...of(
    "src/runner/server-errors.ts",
    ["tests/runner/reporter.test.ts"],
    [
      [
        "a refusal outlasts the time for a result",
        "pause(Math.min(DENIED_MS, mostMs), signal)",
        "pause(DENIED_MS, signal)",
      ],
    ],
  ),
  ...of(
    "src/runner/own-lease.ts",
    ["tests/runner/own-lease.test.ts"],
    [
      [
        "the claims whose answers were lost still count after an item was taken over",
        "    this.#begun = item\n    this.#answered()\n    this.#held",
        "    this.#begun = item\n    this.#held",
      ],
      [
        "the next attempt is taken for another one",
        "attempt <= before + 1 + lost",
        "attempt <= before + lost",
      ],
      [
        "work that ended while the history was read takes its item over",
        "this.#last !== last || !isWanted()",
        "this.#last !== last",
      ],
      ["an older lease takes the place of a newer one", "this.#last !== last || !isWanted()", "!isWanted()"],
      ["a refused claim does not wait for a take-over", "        await this.#isTakenOver\n", ""],
      [
        "a render without a lease is taken for our own attempt",
        'status === "processing" ? worker !== own :',
        'status === "processing" && worker !== "" ? worker !== own :',
      ],
    ],
  ),
  ...of(
    "src/runner/reporter.ts",
    ["tests/runner/reporter.test.ts"],
    [
      [
        "work that was cancelled takes its item over again",
        "!this.#hasGivenUp && !this.#isCancelled",
        "!this.#hasGivenUp",
      ],
    ],
  ),
  ...of(
    "src/runner/worker.ts",
    ["tests/runner/worker-in-hand.test.ts"],
    [
      [
        "the work on an item and a new attempt of it write the same file",
        "    await Promise.all([...this.#attempts].map((attempt) => attempt.giveWay(claimed)))\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/runner/worker.ts",
    ["tests/runner/worker-refusals.test.ts"],
    [
      [
        "a worker pauses after a claim that found no item in its whole time",
        "if (claimed || tookMs > EARLY_ANSWER_MS) pauses.reset()",
        "if (claimed) pauses.reset()",
      ],
    ],
  ),
  ...of(
    "src/runner/run-one-item.ts",
    ["tests/runner/exit-code.test.ts"],
    [
      [
        "the command of a run inside a worker's script does not know its item",
        "const variables = source.isLent ? {} : variablesOf(",
        "const variables = variablesOf(",
      ],
    ],
  ),
  ...of(
    "src/runner/own-lease.ts",
    ["tests/runner/own-lease.test.ts"],
    [
      [
        "another worker's attempt is overlooked in a long history",
        "if (!next || next <= after) return false\n",
        "return false\n",
      ],
    ],
  ),
]
