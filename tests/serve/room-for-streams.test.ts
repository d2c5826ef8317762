import { expect, test } from "bun:test"

import { roomForStreams } from "../../src/serve/room-for-streams.ts"

test.each([
  ["as many as the configuration says", 100, 1024, 100],
  ["four fifths of the file descriptors", 10_000, 1024, 819],
  ["so few that a tenth of the descriptors is left beside those of the server itself", 10_000, 64, 27],
  ["at least one", 10_000, 20, 1],
  ["as many as the configuration says where the descriptors are not known", 10_000, undefined, 10_000],
  ["without a limit if the configuration has none", 0, 64, 0],
])("the streams that may be open are %s", (_, most, descriptors, room) => {
  expect(roomForStreams(most, descriptors)).toBe(room)
})
