import { type Mistake, of } from "./mistake.ts"

/** Mistakes in what requests are answered, and how long they may stay open. */
export const HTTP: readonly Mistake[] = [
  ...of(
    "src/http/client-address.ts",
    ["tests/http/client-address.test.ts"],
    [
      [
        "a request through a proxy counts as one of this machine",
        "isLoopback(address) && !isByProxy",
        "isLoopback(address)",
      ],
    ],
  ),
  ...of(
    "src/http/queue.ts",
    ["tests/http/access.test.ts"],
    [
      [
        "a worker that gives an item back as it was read is refused",
        "allowKeys(caller, Object.keys(change))",
        "allowKeys(caller, Object.keys(body))",
      ],
    ],
  ),
  ...of(
    "src/http/sockets.ts",
    ["tests/stream/thin.test.ts"],
    [["a socket that wants few updates gets all", "thin: Number(query.thin ?? 0),", "thin: 0,"]],
  ),
  ...of(
    "src/http/stream-query.ts",
    ["tests/http/stream-query.test.ts"],
    [
      [
        "an empty last event ID in the header hides the one of the query",
        'request.headers.get("last-event-id") || last_event_id || undefined',
        'request.headers.get("last-event-id") ?? last_event_id',
      ],
    ],
  ),
  ...of(
    "src/http/totals.ts",
    ["tests/queue/totals.test.ts"],
    [
      [
        "cancelled items are missing among the failed ones",
        "failed: failed + cancelled + lost",
        "failed: failed + lost",
      ],
    ],
  ),
  ...of(
    "src/http/workers.ts",
    ["tests/queue/claim-left.test.ts"],
    [
      [
        "a claim of a client that has gone keeps its item",
        "    await workers.release(claimed.item.id, claimed.lease.token)\n",
        "    void workers.draining\n",
      ],
    ],
  ),
  ...of(
    "src/http/workers.ts",
    ["tests/queue/cancel.test.ts"],
    [
      [
        "a worker that has gone renews its lease",
        "return client.aborted ? answer : workers.heartbeat(id, token)",
        "return workers.heartbeat(id, token)",
      ],
    ],
  ),
]
