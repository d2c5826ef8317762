/** The least that a compiled program of Bun can be which answers: what a start costs on this machine at best. */
Bun.serve({
  port: Number(process.argv[2]),
  hostname: "127.0.0.1",
  fetch: () => new Response("ok"),
})
