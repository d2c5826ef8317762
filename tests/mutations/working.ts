import { type Mistake, of } from "./mistake.ts"

/** Mistakes in what a worker reports while its command runs, is stopped, or has ended. */
export const WORKING: readonly Mistake[] = [
  ...of(
    "src/runner/reporter.ts",
    ["tests/runner/reporter.test.ts"],
    [
      [
        "a result for which no time is left is not even tried",
        "Math.max(LAST_TRY_MS, deadlineMs - performance.now())",
        "deadlineMs - performance.now()",
      ],
      [
        "a busy server is asked again within milliseconds",
        "new RetryPauses((this.#options.leaseS * 1000) / 4)",
        "new RetryPauses(this.#options.leaseS / 4)",
      ],
      [
        "a heartbeat is held until the lease is over",
        "Math.min(MAX_HELD_S, Math.ceil(leaseS / 2))",
        "Math.min(MAX_HELD_S, leaseS)",
      ],
      [
        "the server is said to be back with each answer",
        '    if (this.#awaited !== "") this.#options.say("the server is back")\n    this.#awaited = ""\n',
        '    if (this.#awaited !== "") this.#options.say("the server is back")\n',
      ],
      [
        "work that was cancelled claims its item again",
        "const canClaim = !this.#options.isLent && !this.#isCancelled",
        "const canClaim = !this.#options.isLent",
      ],
    ],
  ),
  ...of(
    "src/runner/output-sender.ts",
    ["tests/runner/output-sender.test.ts"],
    [
      [
        "output of an attempt that was claimed again begins beyond its start",
        "this.#token === undefined && this.#isContinued()",
        "this.#isContinued()",
      ],
      [
        "text that was dropped before the first request is not counted as missing",
        " - this.#sentTo\n",
        " - next.at\n",
      ],
      [
        "output that is refused keeps the result from the server",
        "if (!(error instanceof ServerError) || error.status === 0) throw error",
        "throw error",
      ],
      [
        "a flood of output is sent without a rest",
        "Math.max(SEND_EVERY_MS, next.bytes.length / MOST_A_MS)",
        "SEND_EVERY_MS",
      ],
    ],
  ),
  ...of(
    "src/runner/output-spool.ts",
    ["tests/runner/output-spool.test.ts"],
    [
      [
        "output that was too much is not counted in the places of what follows",
        "    this.#end += bytes\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/runner/expected-files.ts",
    ["tests/runner/expected-files.test.ts"],
    [
      [
        "a device that a renderer writes to fails the attempt as an empty file",
        "return stat?.isFile() && stat.size === 0n",
        "return stat?.size === 0n",
      ],
    ],
  ),
  ...of(
    "src/runner/worker.ts",
    ["tests/runner/worker.test.ts"],
    [
      [
        "a result that could not be reported is forgotten",
        '    else if (end.delivery !== "pending") kept.end()\n    toStderr',
        "    else kept.end()\n    toStderr",
      ],
      [
        "a worker that is to stop tries for a day to report",
        "      if (this.#leases.isKept) attempt.reportWithin(LEAVE_WITHIN_MS)\n",
        "",
      ],
      [
        "a drained worker asks for items again and again",
        '      if (claimed === "drain") return this.#drain()\n',
        '      if (claimed === "drain") continue\n',
      ],
      ["a worker waits for renders that are over", "    this.#attempts.delete(attempt)\n", ""],
      [
        "the second signal has the items of a worker fail",
        'attempt.stop({ by: "release" })',
        'attempt.signal("SIGTERM")',
      ],
      [
        "nobody learns that the server is back",
        'if (this.#awaited !== "") toStderr("the server is back")',
        'if (this.#awaited === "" && this.#failure) toStderr("the server is back")',
      ],
      [
        "a command gets only the number of its item",
        "input: `${JSON.stringify(item)}\\n`",
        "input: JSON.stringify(item.id)",
      ],
      [
        "a worker renders one item at a time",
        "Array.from({ length: this.#options.concurrency }, () => this.#slot())",
        "Array.from({ length: 1 }, () => this.#slot())",
      ],
      ["a worker asks for items again and again", "      wait: CLAIM_WAIT_S,\n", ""],
    ],
  ),
  ...of(
    "src/runner/attempt.ts",
    ["tests/runner/left-behind.test.ts"],
    [
      [
        "what a failed command left behind writes beside the next attempt",
        "    if (this.#isInVain) await this.#leftoversEnded()\n",
        "",
      ],
      [
        "another attempt does not wait for what a failed command left behind",
        "(this.#stopped ??= this.#render.stop(this.#options.graceMs))",
        "this.#render.stop(this.#options.graceMs)",
      ],
      [
        "Ctrl-C on a command that has just ended leaves a failure",
        'signal === "SIGINT" && !this.#hasEnded',
        'this.#stop?.by === "signal"',
      ],
    ],
  ),
  ...of(
    "src/runner/verdict.ts",
    ["tests/runner/attempt.test.ts"],
    [
      [
        "an ffmpeg that encoded nothing completes its item",
        "  if (end.code === 0 && failure !== undefined) return failed({ error_message: failure, retryable: true })\n",
        "",
      ],
      [
        "an item whose command cannot be run here fails",
        'stop?.by === "release" || releaseCodes.includes(end.code)',
        'stop?.by === "release"',
      ],
      [
        "a failure does not say in which step it was",
        "`${stepWords(step)}: ${failure.error_message}`",
        "failure.error_message",
      ],
    ],
  ),
  ...of(
    "src/runner/attempt.ts",
    ["tests/runner/attempt.test.ts"],
    [
      ["the files of a run inside a worker are not entered", "(isOn || reporter.isLent)", "isOn"],
      ["a signal after a cancel has the item tried again", "this.#stop ??= { by", "this.#stop = { by"],
      [
        "a signal that means nothing explains why a command ended",
        'signal !== "SIGUSR1" && signal !== "SIGUSR2"',
        'signal !== "SIGUSR1"',
      ],
      [
        "a step ends with the last percentage that its command printed",
        "...this.#last, progress: span.to }",
        "progress: span.to, ...this.#last }",
      ],
      [
        "the files of a command that was stopped are looked at",
        "end.code === 0 && !this.#stop",
        "end.code === 0",
      ],
      [
        "the guard kills a command that ended long ago",
        "    guarded[Symbol.dispose]()\n    const isOn",
        "    const isOn",
      ],
      [
        "an item whose step cannot be run here keeps its lease",
        'const isOn = keepsLease && verdict.end === "complete"',
        'const isOn = keepsLease && verdict.end !== "fail"',
      ],
    ],
  ),
  ...of(
    "src/runner/find-program.ts",
    ["tests/runner/progress-arguments.test.ts"],
    [
      [
        "a pipe is given to an ffmpeg that another user runs behind a wrapper",
        "command.slice(0, index).some",
        "command.slice(0, 1).some",
      ],
    ],
  ),
  ...of(
    "src/runner/leases-of-killed-workers.ts",
    ["tests/runner/leases-of-killed-workers.test.ts"],
    [
      [
        "a completed item that waits for another worker after a restore is forgotten",
        '      if (error.code === "leased") return false\n',
        "",
      ],
    ],
  ),
  ...of(
    "src/runner/reporter.ts",
    ["tests/runner/reporter-options.test.ts"],
    [
      [
        "a run inside another one sends the output a second time",
        "    if (!options.isLent)\n      this.#outputSender",
        "    if (options.isLent)\n      this.#outputSender",
      ],
      [
        "nobody learns that the server is away when the work begins",
        "      this.#offline(error)\n    }\n  }",
        "    }\n  }",
      ],
      [
        "the reader around a command draws over what the command itself reports",
        "this.#options.isOuter ? { ...report, outer: true } : report",
        "report",
      ],
      [
        "a worker does not hear that it is to take no more items",
        "    if (drain) this.#options.onDrain?.()\n",
        "",
      ],
      ["the render of a deleted item goes on", '(isTaken || code === "gone")', "isTaken"],
      [
        "a run inside another one complains that its item is gone",
        "if (isLent || this.#isCancelled) return\n    const code",
        "if (this.#isCancelled) return\n    const code",
      ],
      [
        "an item that is gone is asked about for as long as the command runs",
        "    this.#hasGivenUp = true\n    this.#over.abort()\n",
        "    this.#hasGivenUp = true\n",
      ],
      [
        "of several steps that wait only the first is reported before the result",
        "while (await this.#send(held));",
        "await this.#send(held)",
      ],
      [
        "a run inside another one renews the lease of the outer one",
        "if (!this.#options.isLent) {\n      this.#loops.push(this.#renewing())",
        "{\n      this.#loops.push(this.#renewing())",
      ],
      ["a lease is not asked for after a standstill", "    this.#heartbeat?.abort()\n", ""],
      ["each try of a claim is said", "    this.#isRefused = true\n", ""],
    ],
  ),
  ...of(
    "src/runner/own-lease.ts",
    ["tests/runner/reporter-options.test.ts"],
    [
      [
        "each loop of a reporter claims the item for itself",
        "    this.#taking ??= this.#take()",
        "    this.#taking = this.#take()",
      ],
    ],
  ),
  ...of(
    "src/runner/own-lease.ts",
    ["tests/runner/reporter-options.test.ts"],
    [
      [
        "a worker keeps the token of the lease that it lost",
        "    this.#options.onClaimedAgain?.(claimed)\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/runner/server-errors.ts",
    ["tests/runner/reporter-options.test.ts"],
    [
      [
        "a server that denies access is asked again at once",
        "if (error instanceof ServerError && isDenied(error)) return",
        "if (error instanceof ServerError && !isDenied(error)) return",
      ],
    ],
  ),
  ...of(
    "src/runner/own-lease.ts",
    ["tests/runner/reporter-options.test.ts"],
    [
      [
        "a claim after two lost leases shows the first one",
        "this.#held = this.#last = this.#last ? await this.#again(this.#last) : await this.#begin()",
        "this.#held = this.#last ? await this.#again(this.#last) : await this.#begin()\n    this.#last ??= this.#held",
      ],
      [
        "a render counts for the item of another song that has its number in a new queue",
        "before !== undefined && before !== queued_at",
        "before === undefined && before !== queued_at",
      ],
      [
        "a render counts although another one has written its file since",
        "attempt <= before + 1 + lost",
        "true",
      ],
    ],
  ),
  ...of(
    "src/runner/expected-files.ts",
    ["tests/runner/expected-files.test.ts"],
    [
      [
        "a file that is no medium is entered as the video",
        ' || found.kind === "broken") continue',
        ") continue",
      ],
    ],
  ),
  ...of(
    "src/runner/worker.ts",
    ["tests/runner/worker.test.ts"],
    [
      [
        "a worker whose command can never start tries for ever",
        "!isShortage(error)",
        'reasonOf(error) === ""',
      ],
      [
        "a result that is refused looks accepted",
        "return `${result}, but the server no longer accepts the result`",
        "return result",
      ],
    ],
  ),
  ...of(
    "src/runner/progress-arguments.ts",
    ["tests/runner/progress-arguments.test.ts"],
    [["an ffmpeg with --progress gets a second one", "/^--?progress$/", "/^-progress$/"]],
  ),
  ...of(
    "src/runner/own-lease.ts",
    ["tests/runner/own-lease.test.ts"],
    [
      [
        "a lost claim is believed for milliseconds",
        "leaseS * 1000 + RESCUED_WITHIN_MS",
        "leaseS + RESCUED_WITHIN_MS",
      ],
    ],
  ),
  ...of(
    "src/runner/older-server.ts",
    ["tests/runner/reporter.test.ts", "tests/runner/worker.test.ts", "tests/runner/worker-refusals.test.ts"],
    [
      [
        "after one report that it cannot read a server counts as an older one",
        "    const answer = await askOlder()\n    this.#isOlder = true\n",
        "    this.#isOlder = true\n    const answer = await askOlder()\n",
      ],
      ["an older server is asked twice for each report", "this.#isOlder = true\n", ""],
      [
        "each refusal of a claim is asked for twice",
        "error.status !== 422) throw error",
        "error.status < 400) throw error",
      ],
    ],
  ),
]
