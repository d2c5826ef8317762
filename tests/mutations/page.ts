import { type Mistake, of } from "./mistake.ts"

/** Mistakes in what the page knows, and in how it learns it. */
export const PAGE: readonly Mistake[] = [
  ...of(
    "src/dashboard/live/periodic-questions.ts",
    ["tests/dashboard/live/periodic-questions.test.ts"],
    [
      [
        "a question is asked again before its answer has come",
        "if (document.hidden || this.#isAsking) return",
        "if (document.hidden) return",
      ],
      ["nobody learns that a question had no answer", "      this.#onNone()\n", ""],
    ],
  ),
  ...of(
    "src/dashboard/live/hub.ts",
    ["tests/dashboard/live/hub.test.ts"],
    [
      [
        "each word of a tab that is seen asks the server how far it is",
        "message.visible && this.#tabs.get(tab)?.visible !== true",
        "message.visible",
      ],
      ["the figures are asked for though every tab is closed", "        this.#tabs.delete(tab)\n", ""],
      [
        "a late answer says that the queue is not paused",
        "this.#pausedAt === undefined ? counts :",
        "this.#pausedAt === null ? counts :",
      ],
      [
        "items of the former history are shown until the new one is read",
        "      this.#state.replace([])\n",
        "",
      ],
      [
        "a late answer takes back what the stream has said",
        "this.#state.apply(overtaking.filter(({ queue_id }) => asked.has(queue_id)))",
        "this.#state.apply([])",
      ],
      [
        "after a sleep the server is not asked at once",
        "if (slept || nowMs - this.#probeMs >= everyMs)",
        "if (nowMs - this.#probeMs >= everyMs)",
      ],
      [
        "a hub is silent though all is well",
        "    if (nowMs - this.#saidMs >= SAY_AGAIN_MS) this.#sayConnection()\n",
        "",
      ],
      [
        "hidden tabs ask the server as often as seen ones",
        "this.#isOnScreen ? PROBE_MS : HIDDEN_PROBE_MS",
        "this.#isOnScreen ? PROBE_MS : PROBE_MS",
      ],
      ["a pause while the stream was lost is not noticed", "    if (isNew) this.#count()\n", ""],
      [
        "a gap before anything is shown is told",
        '    if (this.#loaded) this.#send({ type: "gap", gap })',
        '    this.#send({ type: "gap", gap })',
      ],
      [
        "how far the server is is not asked when the stream is live again",
        "    if (isNew) void this.#probe()\n",
        "",
      ],
      [
        "another tab has no figures until they change",
        "      counts: this.#counts,\n      loaded",
        "      counts: null,\n      loaded",
      ],
      [
        "a queue of another history counts as read before it is",
        "      this.#loaded = false\n      this.#counts = null",
        "      this.#counts = null",
      ],
      [
        "what all tabs know already is told again",
        "if (!this.#counts || this.#counts.paused_at === at) return",
        "if (!this.#counts) return",
      ],
      [
        "each new tab has all tabs drawn again",
        "this.#send(this.#whole(), tab)",
        "this.#send(this.#whole())",
      ],
    ],
  ),
  ...of(
    "src/dashboard/live/stream-trust.ts",
    ["tests/dashboard/live/stream-trust.test.ts"],
    [
      [
        "of a server with another history nothing is read",
        "const isFresh = this.#isFresh || isOther",
        "const isFresh = this.#isFresh",
      ],
      [
        "a reader who may not see the figures has its stream cut again and again",
        "      if (error instanceof ServerError && error.status === 403) return null\n",
        "",
      ],
      [
        "a stream that is tried again and again is never stale",
        'if (this.#now.state === "live") this.#lostMs = nowMs',
        "this.#lostMs = nowMs",
      ],
      [
        "the server's clock is taken from the wrong side of a question",
        "Date.parse(stats.timestamp) - startedMs - tripMs / 2",
        "Date.parse(stats.timestamp) - startedMs + tripMs / 2",
      ],
      [
        "a tab that is woken stays without a stream",
        "    this.#isPaused = false\n    this.#resume?.()",
        "    this.#isPaused = false",
      ],
      [
        "a pause that is over is shown before the stream is live",
        '    if (this.#now.state === "live") this.#to.paused(at)',
        "    this.#to.paused(at)",
      ],
      [
        "an attempt that is under way is broken off",
        "if (retryAtMs === null || retryAtMs <= Date.now()) return",
        "if (retryAtMs === null) return",
      ],
      [
        "a page that needs a token does not ask for it",
        'error instanceof ServerError && error.code === "unauthorized"',
        'error instanceof ServerError && error.code === "forbidden"',
      ],
      ["a clock that drifts is not followed", "    this.#bestTripMs *= 1.2\n", ""],
      [
        "how late an update came is told by the wrong clock",
        "Date.now() + this.#now.skewMs - Date.parse(last.timestamp)",
        "Date.now() - Date.parse(last.timestamp)",
      ],
      [
        "a stream that lags confirms what is shown",
        'if (this.#now.state === "live" && !this.#ahead) this.#now',
        'if (this.#now.state === "live") this.#now',
      ],
      [
        "one question without an answer cuts a stream that works",
        'if (this.#now.state === "live" && nowMs - this.#heardMs > FRESH_MS)',
        'if (this.#now.state === "live")',
      ],
      ["a paused tab looks live", '    this.#lost("The tab was in the background", null)\n', ""],
      [
        "what was stored a moment ago counts as late",
        "const behind = this.#ahead && isOld ?",
        "const behind = this.#ahead ?",
      ],
      [
        "a stream that is closed stays open",
        "    this.#isClosed = true\n    this.#attempt.abort()\n    this.#resume?.()",
        "    this.#isClosed = true\n    this.#resume?.()",
      ],
      [
        "a stream that was lost a second ago is stale",
        "nowMs - this.#lostMs > STALE_MS)\n      this",
        "nowMs - this.#lostMs > STALE_MS / 10)\n      this",
      ],
    ],
  ),
  ...of(
    "src/dashboard/live/item-history.ts",
    ["tests/dashboard/live/past.test.ts"],
    [
      [
        "a history that just fits is called cut",
        "this.#pages >= MAX_PAGES && updates.length === PAGE",
        "this.#pages >= MAX_PAGES",
      ],
      [
        "what the stream says while a history is read is lost",
        "      for (const update of meanwhile) this.timeline.add(update)\n",
        "",
      ],
      [
        "an answer of the former history is shown in the new one",
        "      if (timeline !== this.timeline) continue\n",
        "",
      ],
      [
        "an item that is deleted while it is shown never was there",
        "this.missing = this.timeline.lastId === 0",
        "this.missing = true",
      ],
    ],
  ),
  ...of(
    "src/dashboard/live/list-reading.ts",
    ["tests/dashboard/live/search.test.ts"],
    [
      [
        "only 500 running items are shown",
        "page < MAX_PAGES && pages.end !== null",
        "page < 1 && pages.end !== null",
      ],
    ],
  ),
  ...of(
    "src/dashboard/live/search.ts",
    ["tests/dashboard/live/search.test.ts"],
    [
      ["a search shrinks to its first page when it is asked again", "    this.#depth[list] += 1\n", ""],
      [
        "each report on another item has the search asked again",
        'status !== "processing" && !this.state.items.has(queue_id)',
        "!this.state.items.has(queue_id)",
      ],
      [
        "an item that was read again appears in every search",
        "items.filter(({ id }) => this.state.items.has(id))",
        "items",
      ],
      [
        "a search waits a second though it was quiet for long",
        "this.#askedMs + EVERY_MS - performance.now()",
        "EVERY_MS",
      ],
      [
        "a late answer of a search takes back what the stream said",
        "      this.state.apply(meanwhile)\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/dashboard/model/model.ts",
    ["tests/dashboard/model/model.test.ts"],
    [
      ["the first history counts as another one", "    if (isFirst) return\n", ""],
      [
        "what is shown of an item is older than its last update",
        "Math.max(Date.parse(updated_at), (confirmedMs ?? this.#openedMs) + skewMs)",
        "(confirmedMs ?? this.#openedMs) + skewMs",
      ],
      [
        "a hub that is silent for a minute counts as live",
        "Date.now() - this.#hubHeardMs < HUB_SILENCE_MS) return known",
        "Date.now() - this.#hubHeardMs < 10 * HUB_SILENCE_MS) return known",
      ],
      [
        "items that are delayed count twice",
        "totalsOf(this.counts, EVERYTHING).waiting - delayed.length",
        "totalsOf(this.counts, EVERYTHING).waiting",
      ],
      [
        "running items stay as they were when they were sorted",
        "    this.#runningChanged = true\n    if (!lists)",
        "    if (!lists)",
      ],
      ["a gap is shown nowhere", "        this.#ears.gap(message.gap)\n", ""],
      [
        "figures are lost when everything is read again",
        "    this.stats = stats ?? this.stats\n",
        "    this.stats = stats\n",
      ],
      [
        "forty bars stand still",
        "this.lists.running.length > MAX_GLIDING",
        "this.lists.running.length >= MAX_GLIDING",
      ],
      [
        "new figures are not drawn",
        "        this.counts = message.counts\n        this.#listsChanged = true",
        "        this.counts = message.counts",
      ],
      [
        "items that were read again are not drawn",
        "        this.#ears.items(message.items, message.removed)\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/dashboard/model/rights.ts",
    ["tests/dashboard/model/model.test.ts"],
    [
      [
        "a viewer does not learn why the page offers less",
        'if (may.includes("change")) return ""',
        'if (may.includes("read")) return ""',
      ],
    ],
  ),
  ...of(
    "src/dashboard/model/apply-updates.ts",
    ["tests/dashboard/model/model.test.ts"],
    [
      ["an item keeps its former song", "    ...said,\n", "    ...said,\n    song_id: item.song_id,\n"],
      [
        "an item that ends is not read again",
        'known.status !== "processing" || next.status !== "processing"',
        'known.status !== "processing" && next.status !== "processing"',
      ],
    ],
  ),
  ...of(
    "src/dashboard/model/query.ts",
    ["tests/dashboard/model/apply-updates.test.ts"],
    [
      ["the address of everything has a query", 'if (which !== "all") query', "query"],
      [
        "spaces around the words of an address are searched for",
        '(query.get("q") ?? "").trim()',
        'query.get("q") ?? ""',
      ],
    ],
  ),
  ...of(
    "src/dashboard/model/counts.ts",
    ["tests/dashboard/model/apply-updates.test.ts"],
    [
      [
        "the mean progress counts items that wait",
        "sum / running.length",
        "sum / Math.max(1, running.length + waiting.length)",
      ],
    ],
  ),
  ...of(
    "src/dashboard/model/apply-updates.ts",
    ["tests/dashboard/model/apply-updates.test.ts"],
    [["an item that waits again shows its former worker", '  worker: "",\n', ""]],
  ),
  ...of(
    "src/dashboard/model/wording.ts",
    ["tests/dashboard/model/timeline.test.ts"],
    [
      [
        "a long text is cut without a sign",
        "`${text.slice(0, LONGEST_LINE)}…`",
        "text.slice(0, LONGEST_LINE)",
      ],
      [
        "a title can turn the text around it",
        "plain(text.length > LONGEST_LINE",
        "(text.length > LONGEST_LINE",
      ],
    ],
  ),
  ...of(
    "src/dashboard/live/hub.ts",
    ["tests/dashboard/live/hub.test.ts"],
    [["the button to try again does nothing", "        this.#link.retry()\n", ""]],
  ),
  ...of(
    "src/dashboard/live/search.ts",
    ["tests/dashboard/live/search.test.ts"],
    [
      [
        "results of another history stay until there are new ones",
        "  forget(): void {\n    this.state.replace([])\n",
        "  forget(): void {\n",
      ],
    ],
  ),
  ...of(
    "src/dashboard/live/periodic-questions.ts",
    ["tests/dashboard/live/periodic-questions.test.ts"],
    [["a forecast stays though there is no answer", "() => onForeseen(NO_FORECAST)", "() => undefined"]],
  ),
]
