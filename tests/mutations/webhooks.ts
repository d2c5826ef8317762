import { type Mistake, of } from "./mistake.ts"

/** Mistakes in calling webhooks. */
export const WEBHOOKS: readonly Mistake[] = [
  ...of(
    "src/webhooks/post.ts",
    ["tests/webhooks"],
    [
      [
        "a delivery that is repeated after a restore has another id",
        "const id = idOf(delivery)",
        "const id = `${historyId}-${idOf(delivery)}`",
      ],
      ["redirects are followed", 'redirect: "manual"', 'redirect: "follow"'],
      ["what is not a success counts as one", 'reply.ok ? "" :', 'reply.status < 500 ? "" :'],
    ],
  ),
  ...of(
    "src/webhooks/post.ts",
    ["tests/webhooks/store-faults.test.ts"],
    [
      [
        "a receiver that never answers keeps its place for ever",
        "signal: AbortSignal.any([signal, AbortSignal.timeout(REPLY_MS)])",
        "signal",
      ],
    ],
  ),
  ...of(
    "src/webhooks/webhooks.ts",
    ["tests/webhooks/store-faults.test.ts"],
    [
      [
        "a slow webhook holds up the others",
        "[...this.#sending.values()].filter((one) => one.url === url).length",
        "this.#sending.size",
      ],
      [
        "webhooks that were stopped while they started go on",
        "if (this.#options.urls.length === 0 || this.#stopped.signal.aborted) return",
        "if (this.#options.urls.length === 0) return",
      ],
      [
        "a delivery whose result could not be stored waits long",
        "await this.#deliveries.giveBack(delivery.id).catch(this.#options.onError)\n",
        "",
      ],
      [
        "a webhook recovers with each delivery",
        "if (this.#failing.delete(url)) this.#options.onRecovered",
        "this.#failing.delete(url)\n    this.#options.onRecovered",
      ],
      [
        "once the deliveries could not be read, that webhook is never called again",
        "    } finally {\n      this.#looking.delete(url)\n    }",
        "      this.#looking.delete(url)\n    } catch (error) {\n      throw error\n    }",
      ],
      [
        "a stop does not wait for the result of a delivery to be stored",
        "    await Promise.all([...this.#sending.values()].map(({ over }) => over))\n",
        "",
      ],
      [
        "each failure of a webhook is reported, not the first of a row",
        "const isNew = !this.#failing.has(url)",
        "const isNew = true",
      ],
      [
        "a notice that was lost with a part of the database is never sent",
        "if (cursor === null || cursor >= this.#stored) return false",
        "if (cursor !== null) return false",
      ],
      [
        "without notices the cursor stays, and nothing is ever thinned",
        "if (notices.length > 0 || last.id - this.#stored >= UNSTORED_UPDATES) {",
        "if (notices.length > 0) {",
      ],
    ],
  ),
  ...of(
    "src/webhooks/webhooks.ts",
    ["tests/webhooks"],
    [
      ["an item stalls again with each update", "&& !(before && isStalled(before)) ?", "?"],
      ["the list of deliveries shows the secret path", "url: shownUrl(url),", "url,"],
      [
        "a notice that could not be stored is not tried again",
        "this.#rung = true\n      throw error",
        "throw error",
      ],
      [
        "the cursor moves before the notice is stored",
        "if (notices.length > 0 || last.id - this.#stored",
        "this.#cursor = last.id\n    if (notices.length > 0 || last.id - this.#stored",
      ],
      ["an item that ended is told again", "if (before && isFinished(before.status)) return null", ""],
      ["a webhook may ask for any wait", "Math.min(waitMs, RETRY.mostMs)", "waitMs"],
      ["a webhook is tried for ever", "if (answer === GONE || isOver)", "if (answer === GONE)"],
      [
        "a delivery from a time to come is tried for years",
        "Math.abs(nextMs - Date.parse(created_at))",
        "nextMs - Date.parse(created_at)",
      ],
      [
        "more than its share is under way to one webhook",
        "const free = PARALLEL - [...this.#sending.values()].filter((one) => one.url === url).length",
        "const free = PARALLEL",
      ],
    ],
  ),
  ...of(
    "src/webhooks/webhooks.ts",
    ["tests/webhooks/store-faults.test.ts", "tests/webhooks/webhooks.test.ts"],
    [["a webhook that is gone is called on", "if (answer === GONE || isOver)", "if (isOver)"]],
  ),
  ...of(
    "src/webhooks/webhooks.ts",
    ["tests/webhooks/store-faults.test.ts"],
    [
      [
        "a place that was lost with a part of the database counts as stored",
        "    this.#cursor = cursor\n    this.#stored = cursor\n",
        "    this.#cursor = cursor\n",
      ],
      [
        "a receiver is asked without a pause while no outcome can be stored",
        "catch(this.#options.onError)\n      return\n",
        "catch(this.#options.onError)\n",
      ],
      [
        "the place is stored only after many updates at once",
        "last.id - this.#stored >=",
        "last.id - this.#cursor >=",
      ],
    ],
  ),
  ...of(
    "src/webhooks/webhooks.ts",
    ["tests/webhooks/store-faults.test.ts"],
    [
      [
        "deliveries that end at the same time begin more than may be under way",
        "this.#stopped.signal.aborted || this.#looking.has(url)",
        "this.#stopped.signal.aborted",
      ],
    ],
  ),
]
