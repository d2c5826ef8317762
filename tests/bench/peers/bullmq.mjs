// BullMQ behind Fastify: PUT /queue/:id stores the progress of a job in Redis and answers when Redis has.
import { Queue } from "bullmq"
import Fastify from "fastify"
import { Redis } from "ioredis"

const [port, redisPort] = process.argv.slice(2).map(Number)
const connection = new Redis({ host: "127.0.0.1", port: redisPort, maxRetriesPerRequest: null })
const queue = new Queue("bench", { connection })
for (let id = 1; id <= 16; id++) await queue.add("render", { song_id: id }, { jobId: `job-${id}` })

const app = Fastify({ keepAliveTimeout: 600_000 })

app.put("/queue/:id", async (request) => {
  await queue.updateJobProgress(`job-${request.params.id}`, request.body)
  return { id: request.params.id, ...request.body }
})

await app.listen({ host: "127.0.0.1", port })
