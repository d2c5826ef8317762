const POSTGRES = "tests/store/postgres"

/** A promise of a fleet, the test of it, and the mistakes in the source with which that test fails. */
export interface Promised {
  /** The promise, as a sentence. */
  readonly promise: string
  /** The file of the test. */
  readonly file: string
  /** The beginning of the test's name. */
  readonly test: string
  /** The names of the mistakes in `tests/mutations/` that the file must notice. */
  readonly controls: readonly string[]
}

const promised = (promise: string, file: string, test: string, ...controls: string[]): Promised => ({
  promise,
  file,
  test,
  controls,
})

/** What a fleet promises. `bun tests/mutations/main.ts NAME` makes one of the mistakes. */
export const PROMISES: readonly Promised[] = [
  promised(
    "A reader that follows misses nothing: event IDs are given in the order of commits.",
    `${POSTGRES}/together.test.ts`,
    "a reader that follows sees every update once and in order",
    "servers give event IDs without waiting for the append lock",
  ),
  promised(
    "Event IDs have no holes, whatever was refused, broken or cut.",
    `${POSTGRES}/together.test.ts`,
    "event IDs have no holes after a broken constraint, and after a write whose connection was cut",
    "what another server's change keeps from being stored uses event IDs up",
  ),
  promised(
    "A write whose question or answer is lost is stored once.",
    `${POSTGRES}/way.test.ts`,
    "a write whose question or answer is lost is stored once",
    "a write of an earlier epoch is stored when it arrives late",
    "whether a group was stored is not looked up",
  ),
  promised(
    "What a server remembers of an item decides nothing.",
    `${POSTGRES}/together.test.ts`,
    "remembered rows decide nothing",
    "a refusal counts that was decided on a remembered row",
    "a change is written over that of another instance",
  ),
  promised(
    "One idempotency key adds one item, and is free again once it has expired.",
    `${POSTGRES}/once.test.ts`,
    "a key that has expired is taken over",
    "an item is added although its key is another instance's",
    "an idempotency key that has expired stays taken",
  ),
  promised(
    "Each item is claimed once.",
    `${POSTGRES}/once.test.ts`,
    "claims and rescues of several instances take each item once",
    "several servers claim and rescue one item",
  ),
  promised(
    "Each lost lease is rescued once.",
    `${POSTGRES}/once.test.ts`,
    "an item that three instances have all seen waiting is taken and rescued by one",
    "several servers claim and rescue one item",
  ),
  promised(
    "Servers that start at once migrate the database once.",
    `${POSTGRES}/together.test.ts`,
    "instances that start at once on a new database migrate it once",
    "instances that start at once migrate at once",
  ),
  promised(
    "A pooler in front is refused in words.",
    `${POSTGRES}/refused.test.ts`,
    "a pooler in front is refused in words",
    "a pooler that swallows settings is taken for a server",
    "a pooler that refuses settings is not called one",
  ),
  promised(
    "Over a frozen network every call answers.",
    `${POSTGRES}/way.test.ts`,
    "over a frozen network every call answers within 10 s",
    "a frozen network is waited for",
    "after a frozen network no other connections are made",
  ),
  promised(
    "A role with three connections can write.",
    `${POSTGRES}/refused.test.ts`,
    "a role with three connections writes and reads all the same",
    "reads take the last connections, and none is left for writes",
  ),
  promised(
    "A database that is away for longer than a lease takes no item from its worker.",
    `${POSTGRES}/outage.test.ts`,
    "a database that is away for longer than a lease",
    "a database that was away takes items from their workers",
  ),
  promised(
    "A lease runs on for no longer because the server's clock has gone back.",
    `${POSTGRES}/together.test.ts`,
    "a lease does not run longer because the server's clock has gone back",
    "a lease runs on for as long as the server's clock went back",
  ),
  promised(
    "A write waits for a server that takes no writes for a while.",
    `${POSTGRES}/refused.test.ts`,
    "a server that takes no writes for a while delays them",
    "a server that takes no writes is an error",
  ),
  promised(
    "A bell that is connected and deaf is not trusted.",
    "tests/bus/bell-or-polling.test.ts",
    "a bell that is connected but deaf is noticed",
    "a deaf bell counts as one that hears",
    "nobody looks while the bell is well",
  ),
  promised(
    "Both databases have the same columns.",
    `${POSTGRES}/schema.test.ts`,
    "both databases have the same tables",
    "a column of PostgreSQL may be empty that is never empty in SQLite",
  ),
  promised(
    "A database moves byte for byte, and viewers resume.",
    `${POSTGRES}/move-database.test.ts`,
    "everything moves from a file to PostgreSQL and back",
    "event IDs begin again after a move",
    "item numbers begin again after a move",
  ),
  promised(
    "A report touches no index.",
    `${POSTGRES}/schema.test.ts`,
    "reports touch no index",
    "each report changes an index",
  ),
  promised(
    "A viewer that is ahead of the server it comes to gets nothing twice, and no gap.",
    "tests/stream/opening.test.ts",
    "a client that has seen more than this server has heard of",
    "a client that is ahead of this server is told of a gap",
  ),
  promised(
    "A database that has gone back gives no event ID twice.",
    `${POSTGRES}/rollback.test.ts`,
    "gives no event ID twice",
    "a head that has gone back is not noticed",
    "lost event IDs are given again",
  ),
  promised(
    "A head that cannot be read at first makes no server read the whole history.",
    "tests/stream/broadcaster.test.ts",
    "a head that cannot be read lets no stream in",
    "a head that cannot be read counts as 0, and the whole history is read",
  ),
  promised(
    "A server of the former version works on the database of the next one.",
    `${POSTGRES}/later.test.ts`,
    "control: a later version that does more than add",
    "a server refuses the database of a later version",
  ),
  promised(
    "No log and no answer has a statement, a parameter or a password.",
    `${POSTGRES}/refused.test.ts`,
    "an error names neither a statement nor a parameter",
    "an error says what the server says of it",
  ),
  promised(
    "Whatever dies, every viewer sees every update once and in order.",
    "tests/fleet/chaos.test.ts",
    "ringing by %s, shows every viewer every update once",
    "a viewer that comes to another server misses an update",
  ),
]
