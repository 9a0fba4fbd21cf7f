// Runs fauxqs for local/sqs.ts, on loopback alone: its own startFauxqs listens on every interface.
import { buildApp } from "fauxqs";

// SDKs that take a queue's URL as their endpoint must be able to reach it. fauxqs gives it the name of a host that not
// every machine knows, unless its store, which it does not export, has none: then the URL has the host that was called.
const { SqsStore } = await import(new URL("sqs/sqsStore.js", import.meta.resolve("fauxqs")).href);
const sqsStore = Object.assign(new SqsStore(), { host: "" });
const app = buildApp({ logger: false, stores: { sqsStore } });

process.once("disconnect", () => process.exit()); // it keeps nothing

try {
  await app.listen({ port: 0, host: "127.0.0.1" });
  process.send({ port: app.server.address().port });
} catch (error) {
  process.send({ error: String(error) });
  process.disconnect();
}
