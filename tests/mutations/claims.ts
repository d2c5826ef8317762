import { type Mistake, of } from "./mistake.ts"

/** Mistakes in how a claim finds its item. */
export const CLAIMS: readonly Mistake[] = [
  ...of(
    "src/store/sqlite/sqlite.ts",
    ["tests/store/sqlite/waiting-sets.test.ts"],
    [
      [
        "what a failed commit would have made of the sets of tags is remembered",
        "        this.#sets.forget()\n        onFailure",
        "        onFailure",
      ],
      ["an item that is written is not in the sets of tags", "    if (!deleted) this.#sets.note(item)\n", ""],
      [
        "sets of tags that another program changed are remembered",
        "    if (this.#recent.forgetInvalid()) this.#sets.forget()\n",
        "    this.#recent.forgetInvalid()\n",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/due-items.ts",
    ["tests/store/sqlite/waiting-sets.test.ts"],
    [["an item whose time has come is not in the sets of tags", "this.#sets.noteWaiting(item)", "void item"]],
  ),
  ...of(
    "src/store/sqlite/waiting-sets.ts",
    ["tests/store/sqlite/waiting-sets.test.ts"],
    [
      [
        "a claim looks again at each set that it cannot take",
        "else this.#keepAt(foreign, set)",
        "else continue",
      ],
      [
        "an item that comes before the others of its set is missed",
        "if (compare(first, known.first) < 0) known.first = first",
        "",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/kept-answers.ts",
    ["tests/store/sqlite/sqlite.test.ts", "tests/store/sqlite/contracts.test.ts"],
    [["an idempotency key is remembered for ever", " AND created_at > ?", " AND ? IS NOT NULL"]],
  ),
  ...of(
    "src/store/postgres/append-statement.ts",
    ["tests/store/postgres/claims-sent-again.test.ts"],
    [
      [
        "two instances that answer one claim at once take an item each",
        " AND own.key NOT IN (SELECT key FROM keys)",
        " AND false",
      ],
    ],
  ),
  ...of(
    "src/store/repeated-claim.ts",
    ["tests/queue/repeated-claims.test.ts"],
    [["a claim that is repeated after its item was deleted is refused", ' || isRefusal(error, "gone")', ""]],
  ),
  ...of(
    "src/http/routes/claim-and-report.ts",
    ["tests/queue/repeated-claims.test.ts"],
    [
      [
        "a claim that names an item gets the one of an earlier claim with its key",
        "[caller.token?.id, body.worker, body.id, given]",
        "[caller.token?.id, body.worker, given]",
      ],
    ],
  ),
  ...of(
    "src/store/sqlite/kept-answers.ts",
    ["tests/store/sqlite/group-commit.test.ts"],
    [
      [
        "what a failed commit would have made of a repeated claim is remembered",
        "    taken.push(kept.id)\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/queue/repeated-claims.ts",
    ["tests/queue/repeated-claims.test.ts"],
    [["a repetition begins while the claim before it is under way", "      await earlier?.over\n", ""]],
  ),
  ...of(
    "src/queue/repeated-claims.ts",
    ["tests/queue/repeated-claims.test.ts"],
    [["a claim that is repeated twice waits on", "if (this.#underWay.get(key) === own) this", "this"]],
  ),
]
