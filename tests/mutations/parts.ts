import { type Mistake, of } from "./mistake.ts"

const TESTS = ["tests/dashboard/view/parts.test.ts"]

/** Mistakes in single parts of the page. */
export const PARTS: readonly Mistake[] = [
  ...of("src/dashboard/view/actions.ts", TESTS, [
    [
      "an item that was flagged cannot lose its flag unless it is completed",
      'item.status === "completed" || item.flag !== null',
      'item.status === "completed"',
    ],
    [
      "an action acts on the item as it was when the menu opened",
      "act(queue.item(item.id) ?? item, queue)",
      "act(item, queue)",
    ],
    ["a retry that another one has done is a failure", ".catch(unlessBack)", ""],
  ]),
  ...of("src/dashboard/view/reorder.ts", TESTS, [
    [
      "an item that was deleted meanwhile keeps another from running next",
      'error.code === "not_found"',
      "false",
    ],
    [
      "an item that a worker has taken keeps another from running next",
      "return !isWaiting((await server.get(id)).status)",
      "return false",
    ],
  ]),
  ...of("src/dashboard/view/bulk-actions.ts", TESTS, [
    ["more than a thousand items are sent at once", "ids.slice(at, at + AT_ONCE)", "ids.slice(at)"],
    [
      "an act on many items hides that some got no answer",
      "  if (failure !== undefined) notifyFailure(failure)\n",
      "",
    ],
    [
      "items that wait are being cancelled for ever",
      'ids.some((id) => queue.item(id)?.status === "processing") && act.begun',
      "act.begun",
    ],
    ["what was selected stays when selecting has ended", "      selected.clear()\n", ""],
    [
      "of the selected items those that wait for a retry are left out",
      'isFinished(status) || status === "retrying"',
      "isFinished(status)",
    ],
    [
      "items that are being cancelled can be cancelled",
      "!isFinished(status) && cancel_requested_at === null",
      "!isFinished(status)",
    ],
  ]),
  ...of("src/dashboard/view/filter.ts", TESTS, [
    [
      "spaces around the words start another search",
      "const text = this.#input.value.trim()\n    if",
      "const text = this.#input.value\n    if",
    ],
  ]),
  ...of("src/dashboard/view/empty-lists.ts", TESTS, [
    [
      "a worker on another port than 8080 is told no server",
      'isLoopback(BASE.hostname) && BASE.port === "8080"',
      'isLoopback(BASE.hostname) || BASE.port === "8080"',
    ],
    [
      "the same tag is named twice",
      "[...new Set(items.flatMap((item) => item.tags))]",
      "items.flatMap((item) => item.tags)",
    ],
    ["a paused queue asks for a worker", "isKnown && ready === 0 && !isPaused", "isKnown && ready === 0"],
    ["the command of a worker names no other port", ' && BASE.port === "8080"', ""],
    ["a worker that stops counts as ready", 'state === "idle" && !draining', 'state === "idle"'],
  ]),
  ...of("src/dashboard/view/failure-box.ts", TESTS, [
    [
      "an error of one line is shown twice",
      "show(this.#text, lines.length > 1 || lines[0] !== this.#why)",
      "show(this.#text, lines.length > 0)",
    ],
    [
      "another error is opened as far as the one before",
      "    this.#error = error_message\n    this.#isWhole = false\n",
      "    this.#error = error_message\n",
    ],
  ]),
  ...of("src/dashboard/view/figures-bar.ts", TESTS, [
    ["on a Monday the week repeats the day", 'isSame && today !== "" ? "" : week', "week"],
  ]),
  ...of("src/dashboard/view/forms.ts", TESTS, [
    ["the 11th is the 11st", "n % 100 > 10 && n % 100 < 14", "n % 100 > 11 && n % 100 < 14"],
    [
      "an item of the same priority that was added later counts as before",
      "(other.turn ?? other.id) < item.id",
      "(other.turn ?? other.id) > item.id",
    ],
  ]),
  ...of("src/dashboard/view/find-in-output.ts", TESTS, [
    [
      "the search does not go round",
      "(this.#at + step + length) % length",
      "Math.min(length - 1, Math.max(0, this.#at + step))",
    ],
  ]),
  ...of("src/dashboard/view/forms.ts", TESTS, [
    [
      "a tag is added twice",
      '[...new Set(tags.value.split(",").map((tag) => tag.trim()))]',
      'tags.value.split(",").map((tag) => tag.trim())',
    ],
  ]),
  ...of(
    "src/dashboard/view/item-progress.ts",
    ["tests/dashboard/view/item-progress.test.ts"],
    [
      [
        "an item of a paused queue says how long it waits",
        '  if (model.counts?.paused_at) return [where, "The queue is paused"]\n',
        "",
      ],
    ],
  ),
  ...of("src/dashboard/view/history.ts", TESTS, [
    [
      "a stretch lists its first updates",
      "updates.slice(-LISTED).reverse()",
      "updates.slice(0, LISTED).reverse()",
    ],
    [
      "an open stretch does not show later updates",
      "      setText(facts, summaryOf(stretch))\n      list()",
      "      setText(facts, summaryOf(stretch))",
    ],
    [
      "earlier entries come in the wrong order",
      "this.element.append(...views.map(({ element }) => element).reverse())",
      "this.element.append(...views.map(({ element }) => element))",
    ],
  ]),
  ...of("src/dashboard/view/item-facts.ts", TESTS, [
    [
      "an item with more attempts than allowed has 4 of 3",
      "attempt > max_attempts ? String(attempt)",
      "attempt < 0 ? String(attempt)",
    ],
  ]),
  ...of("src/dashboard/view/list.ts", TESTS, [
    [
      "one request for more shows only as many again",
      "this.#cap += options.step * 4",
      "this.#cap += options.step",
    ],
    ["a list that is cut offers nothing", "show(this.more, rest > 0 || isCut)", "show(this.more, rest > 0)"],
  ]),
  ...of("src/dashboard/view/toasts-and-undo.ts", TESTS, [
    ["four texts are cut to three and one more", "pending.length > 4", "pending.length >= 4"],
    ["a toast of a failure goes away by itself", "stays = failed }", "stays = false }"],
    [
      "a toast that offers an undo is pushed away by others",
      '.filter((other) => !other.querySelector(".undo"))',
      "",
    ],
  ]),
  ...of("src/dashboard/view/printed-text.ts", TESTS, [
    [
      "a long output loses more than it must",
      "this.#length - first.text.length < length",
      "this.#length < length",
    ],
  ]),
  ...of("src/dashboard/view/progress-plot.ts", TESTS, [
    [
      "an attempt that begins again is one line",
      " && point.progress >= before.progress) run.push",
      ") run.push",
    ],
    [
      "a plot of many points loses the end of an attempt",
      "      points[i + 1]?.attempt !== attempt ||\n",
      "",
    ],
    ["an attempt ends at 0", "run?.push({ ...point, progress: before.progress })", "run?.push(point)"],
  ]),
  ...of("src/dashboard/view/recent-failures.ts", TESTS, [
    ["failures of a week ago are in the strip", "86_400_000", "7 * 86_400_000"],
  ]),
  ...of("src/dashboard/view/rows.ts", TESTS, [
    ["two more tags are three", "const more = tags.length - MOST_TAGS", "const more = tags.length - 2"],
    [
      "the error of a retried item that completed is shown",
      'item.error_message !== "" && item.status === "failed"',
      'item.error_message !== ""',
    ],
  ]),
  ...of("src/dashboard/model/wording.ts", TESTS, [
    [
      "an interrupted attempt counts as failed",
      '  if (message === OWN_MESSAGES.restored) return "interrupted"\n',
      "",
    ],
    [
      "an attempt without a worker counts as failed",
      'message === OWN_MESSAGES.lostForNow ? "lost its worker" : ',
      "",
    ],
  ]),
  ...of("src/dashboard/view/steps.ts", TESTS, [
    [
      "the last step of a finished attempt goes on",
      '      if (entry.tone === "good" || entry.tone === "bad") endMs = Date.parse(entry.time)\n',
      "",
    ],
    ["steps of earlier attempts are in the bar", "entries.slice(Math.max(0, started))", "entries.slice(0)"],
  ]),
  ...of("src/dashboard/view/workers.ts", TESTS, [
    [
      "a worker with two renders says one more too many",
      "const more = others.length > 0 ?",
      "const more = others.length > 1 ?",
    ],
    [
      "a worker that renders is away",
      'state === "idle" ? `idle${since(idle_since)}`',
      'state !== "away" ? `idle${since(last_heard_at)}`',
    ],
    [
      "eight workers that are away hide those that are there",
      "[...workers.filter(isHere), ...workers]",
      "workers",
    ],
    ["nine workers are eight and a button for one", "workers.length <= FEW + 1 ?", "workers.length <= FEW ?"],
  ]),
]
