import { type Mistake, of } from "./mistake.ts"

/** Mistakes in what the page knows: its one stream, its lists, and what is read late. */
export const DASHBOARD: readonly Mistake[] = [
  ...of(
    "src/dashboard/live/hub.ts",
    ["tests/dashboard/hub.test.ts"],
    [
      [
        "a page of a list that was replaced is added to the new one",
        "      const read = await queue.more(list)\n      if (reading !== this.#reading) return\n",
        "      const read = await queue.more(list)\n",
      ],
      [
        "an item that was asked for before everything was read again replaces what is newer",
        "    if (reading !== this.#reading) return\n    const read = found",
        "    const read = found",
      ],
    ],
  ),
  ...of(
    "src/dashboard/live/link.ts",
    ["tests/dashboard/hub.test.ts"],
    [
      [
        "the list is not read again after a gap",
        "      this.#gap = { reason, missed }\n      this.#isFresh = true\n",
        "      this.#gap = { reason, missed }\n",
      ],
    ],
  ),
  ...of(
    "src/dashboard/live/reading.ts",
    ["tests/dashboard/hub.test.ts"],
    [
      [
        "a list of several statuses ends where the last of them ends",
        "lasts.sort(this.#order)[0] ?? null",
        "lasts.sort(this.#order).at(-1) ?? null",
      ],
      [
        "of two pages that are read together the one that came is lost when the other fails",
        "({ place, ...(await this.#read(place, signal)) })",
        "{ const { queue, next } = await this.#read(place, signal); place.next = next; return { place, queue, next } }",
      ],
    ],
  ),
  ...of(
    "src/dashboard/model/state.ts",
    ["tests/dashboard/state.test.ts"],
    [
      [
        "a page of a list overwrites what is newer",
        "if (!this.items.has(item.id)) this.items.set(item.id, item)",
        "this.items.set(item.id, item)",
      ],
    ],
  ),
]
