// A producer in Node: reads {url, queue, jobs: [{id, data, options}], seconds, bullmq} from stdin, adds the jobs, and writes a line
// of JSON for every event of the queue, until each job has ended or the seconds are over.
const { Redis } = require("ioredis");

async function main() {
  const asked = JSON.parse(require("fs").readFileSync(0, "utf8"));
  const { Queue, QueueEvents } = require(asked.bullmq);
  const where = new URL(asked.url);
  const connection = { host: where.hostname, port: Number(where.port), maxRetriesPerRequest: null };
  const say = (event, rest) => process.stdout.write(JSON.stringify({ event, at: Date.now(), ...rest }) + "\n");

  const open = new Set(asked.jobs.map((job) => job.id));
  // From the last event before ours on: what happens until the first read is under way would be lost otherwise.
  const queue = new Queue(asked.queue, { connection });
  const redis = new Redis(connection);
  const last = await redis.xrevrange(queue.toKey("events"), "+", "-", "COUNT", 1);
  await redis.quit();
  const events = new QueueEvents(asked.queue, { connection, lastEventId: last.length ? last[0][0] : "0-0" });
  let done;
  const ended = new Promise((resolve) => (done = resolve));
  const end = (id) => open.delete(id) && open.size === 0 && done();
  events.on("progress", ({ jobId, data }) => say("progress", { id: jobId, data }));
  events.on("duplicated", ({ jobId }) => say("duplicated", { id: jobId }));
  events.on("completed", ({ jobId, returnvalue }) => { say("completed", { id: jobId, data: returnvalue }); end(jobId); });
  events.on("failed", ({ jobId, failedReason }) => { say("failed", { id: jobId, data: failedReason }); end(jobId); });
  await events.waitUntilReady();

  const usual = { attempts: 3, backoff: { type: "exponential", delay: 2000 } };
  for (const { id, data, options } of asked.jobs) {
    await queue.add("avatar", data, { ...usual, jobId: id, ...options });
    say("added", { id });
  }
  const over = setTimeout(done, 1000 * asked.seconds);
  if (asked.seconds) await ended;
  clearTimeout(over);
  await queue.close();
  await events.close();
}

main().catch((error) => {
  process.stderr.write(String(error.stack) + "\n");
  process.exit(1);
});
