// Runs fauxqs for local/sqs.ts, on loopback alone: its own startFauxqs listens on every interface.
import { Readable } from "node:stream";
import { buildApp } from "fauxqs";
import { tsImport } from "tsx/esm/api";
import { clock, FairMessages, InFlight } from "./fair-messages.mjs";

// SDKs that take a queue's URL as their endpoint must be able to reach it. fauxqs gives it the name of a host that not
// every machine knows, unless its store, which it does not export, has none: then the URL has the host that was called.
const { SqsStore } = await import(new URL("sqs/sqsStore.js", import.meta.resolve("fauxqs")).href);
const sqsStore = Object.assign(new SqsStore(), { host: "" });
const app = buildApp({ logger: false, stores: { sqsStore } });

// fauxqs itself answers everybody.
const { refusalOf } = await tsImport("./signature.ts", import.meta.url);
app.addHook("preParsing", async ({ method, raw, headers }, reply, payload) => {
  const chunks = [];
  for await (const chunk of payload) chunks.push(chunk);
  const url = new URL(raw.url, "http://127.0.0.1");
  const refusal = refusalOf({ method, url, headers, body: Buffer.concat(chunks) });
  if (refusal === undefined) return Readable.from(chunks, { objectMode: false });
  reply.code(refusal.status).headers(refusal.headers).send(refusal.body);
  return reply;
});

// fauxqs drops the group of a message of a standard queue, and hands messages out in the order of their sending.
const groups = new WeakMap();
app.addHook("preHandler", async ({ body }, reply) => {
  for (const entry of body?.Entries ?? [body ?? {}]) {
    const { MessageGroupId: group } = entry;
    if (group === undefined) continue;
    if (!/^[!-~]{1,128}$/.test(group)) {
      const message = "MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length.";
      return reply.code(400).send({ __type: "com.amazonaws.sqs#InvalidParameterValue", message });
    }
    entry.MessageAttributes ??= {};
    groups.set(entry.MessageAttributes, group);
  }
});
const { createMessage } = SqsStore;
SqsStore.createMessage = (body, attributes, ...rest) =>
  Object.assign(createMessage(body, attributes, ...rest), {
    messageGroupId: groups.get(attributes),
    sentAt: clock.now(),
  });
const { createQueue } = sqsStore;
sqsStore.createQueue = (...args) => {
  const queue = createQueue.apply(sqsStore, args);
  queue.inflightMessages = new InFlight();
  const messages = new FairMessages(queue.inflightMessages);
  Object.defineProperty(queue, "messages", { get: () => messages, set: () => messages.clear() });
  return queue;
};

// How old the oldest message is, in milliseconds, SQS tells CloudWatch alone. What was received three times is left out.
app.get("/oldest-message/:queue", ({ params }) => {
  const { ready, delayed, inflight } = sqsStore.inspectQueue(params.queue).messages;
  const messages = [...ready, ...delayed, ...inflight.map(({ message }) => message)];
  const fresh = messages.filter(({ approximateReceiveCount: count }) => count < 3);
  const now = Date.now();
  return { age: fresh.reduce((oldest, { sentTimestamp }) => Math.max(oldest, now - sentTimestamp), 0) };
});

// Puts the time forward by which a group is noisy no more.
app.post("/pass-time-of-groups/:seconds", ({ params }) => {
  clock.ahead += Number(params.seconds) * 1000;
  return {};
});

process.once("disconnect", () => process.exit()); // it keeps nothing

try {
  await app.listen({ port: 0, host: "127.0.0.1" });
  process.send({ address: `http://127.0.0.1:${app.server.address().port}` });
} catch (error) {
  process.send({ error: String(error) });
  process.disconnect();
}
